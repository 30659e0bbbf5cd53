"""Commands of the desk over HTTP; the stream takes the same ones."""

from typing import Any, Protocol

from fastapi import APIRouter, Depends, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict

from agents.accounts.identity import Identity, Permission
from domain.commands import STATUS, Answered, catalogue
from domain.messages import Message
from gateway.web.access import Access
from gateway.web.answers import json, problem
from gateway.web.contract import answers


class CommandKind(Struct, frozen=True):
    """A command that exists."""

    name: str
    about: str
    args: dict[str, Any]
    """JSON schema of its arguments."""
    roles: list[str]
    may: bool
    """Whether whoever asks may use it."""


class CommandAnswer(Struct, frozen=True):
    """A command that was done."""

    id: str
    ok: bool
    result: dict[str, Any]


ID = "5b0a8a3c-5d57-4c43-9d0f-6a9f3a5b8c21"
PAUSE: dict[str, Any] = {"id": ID, "name": "pause", "args": {"reason": "小休"}}
KIND = CommandKind("pause", "Take no more calls.", {"type": "object"}, ["agent", "supervisor", "admin"], True)
REFUSES = {
    403: ("not_own", "not_supervisor"),
    409: ("id_reused", "begun_not_finished", "no_call"),
    422: ("command_id", "command_unknown", "bad_args"),
    502: ("pbx_down", "pbx_refused"),
    504: ("pbx_timeout",),
}


class CommandBody(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [PAUSE]})

    id: str
    name: str
    args: dict[str, Any] = {}


class Commands(Protocol):
    """Port: commands of the desk."""

    async def command(self, who: Identity, command_id: str, name: str, args: Any) -> Answered:
        """Do it once and answer; asked again with the same id, the first answer. Never raises."""
        ...


def router(access: Access, commands: Commands) -> APIRouter:
    """`/commands`."""
    routes = APIRouter(prefix="/api/v1/commands")
    who_is = Depends(access.signed_in)

    @routes.get("")
    @answers(list[CommandKind], example=[KIND])
    async def command_kinds(who: Identity = who_is) -> Response:
        return json(catalogue(who.may(Permission.COMMAND_ALL)))

    @routes.post("")
    @answers(CommandAnswer, example=CommandAnswer(ID, True, {}), refuses=REFUSES)
    async def command(body: CommandBody, who: Identity = who_is) -> Response:
        answer = await commands.command(who, body.id, body.name, body.args)
        if answer.ok:
            return json({"id": answer.id, "ok": True, "result": answer.result})
        why = Message(answer.reason, answer.params, answer.message)
        return problem(STATUS.get(answer.code, 500), why, id=answer.id, code=answer.code)

    return routes
