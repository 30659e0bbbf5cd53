"""Commands of the desk over HTTP; the stream takes the same ones."""

from typing import Any, Protocol

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from agents.accounts.identity import Identity, Permission
from domain.commands import STATUS, Answered, catalogue
from domain.messages import Message
from gateway.web.access import Access
from gateway.web.answers import json, problem


class CommandBody(BaseModel):
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
    async def command_kinds(who: Identity = who_is) -> Response:
        return json(catalogue(who.may(Permission.COMMAND_ALL)))

    @routes.post("")
    async def command(body: CommandBody, who: Identity = who_is) -> Response:
        answer = await commands.command(who, body.id, body.name, body.args)
        if answer.ok:
            return json({"id": answer.id, "ok": True, "result": answer.result})
        why = Message(answer.reason, answer.params, answer.message)
        return problem(STATUS.get(answer.code, 500), why, id=answer.id, code=answer.code)

    return routes
