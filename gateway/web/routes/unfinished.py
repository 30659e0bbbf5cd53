"""Calls that lack their recording, transcript or order: seen, and taken up again."""

from collections.abc import Sequence
from typing import Protocol

from fastapi import APIRouter, Depends, Response
from msgspec import Struct

from agents.accounts.identity import Identity, Permission
from domain.unfinished import UnfinishedCall
from domain.visibility.redact import redact
from gateway.web import examples
from gateway.web.access import Access
from gateway.web.answers import json
from gateway.web.auditing import Note
from gateway.web.contract import answers
from gateway.web.routes import Limit


class UnfinishedWork(Protocol):
    """Port: the work after calls."""

    async def lacking(self, limit: int) -> Sequence[UnfinishedCall]:
        """Newest first."""
        ...

    async def retry(self, call_id: str | None = None) -> Sequence[str]:
        """Take the work up again, on one call or on all that lack something; their ids."""
        ...


class Reopened(Struct, frozen=True):
    """Calls whose work is taken up again."""

    opened: list[str]
    """Their ids."""


def router(access: Access, work: UnfinishedWork, note: Note) -> APIRouter:
    """`/unfinished-calls`."""
    routes = APIRouter(prefix="/api/v1/unfinished-calls")
    who_is = Depends(access.signed_in)

    @routes.get("")
    @answers(list[UnfinishedCall])
    async def unfinished(who: Identity = who_is, limit: Limit = 50) -> Response:
        access.need(who, Permission.SEE_DELIVERIES)
        return json([redact(one, access.visibility(who)) for one in await work.lacking(limit)])

    @routes.post("/retry")
    @answers(Reopened, example=Reopened([examples.CALL_ID]))
    async def retry_all(who: Identity = who_is) -> Response:
        access.need(who, Permission.RETRY_DELIVERIES)
        await note(who, "calls.retry", {})
        return json(Reopened(list(await work.retry())))

    @routes.post("/{call_id:path}/retry")
    @answers(Reopened, example=Reopened([examples.CALL_ID]))
    async def retry(call_id: str, who: Identity = who_is) -> Response:
        access.need(who, Permission.RETRY_DELIVERIES)
        await note(who, "calls.retry", {"call": call_id})
        return json(Reopened(list(await work.retry(call_id))))

    return routes
