"""The screen-pop of a call."""

from typing import Protocol

from fastapi import APIRouter, Depends, Response

from agents.accounts.identity import Identity, Role
from domain.calls import Call
from domain.screen_pop import ScreenPop
from gateway.web.access import Access
from gateway.web.answers import json
from gateway.web.contract import answers


class ScreenPops(Protocol):
    """Port: what is known of callers."""

    async def pop(self, call: Call, role: Role) -> ScreenPop:
        """What is known of that call's caller, masked for that role."""
        ...


def router(access: Access, pops: ScreenPops) -> APIRouter:
    """`/calls/{id}/pop`."""
    routes = APIRouter(prefix="/api/v1/calls")
    who_is = Depends(access.signed_in)

    @routes.get("/{call_id}/pop")
    @answers(ScreenPop)
    async def pop(call_id: str, who: Identity = who_is) -> Response:
        call = await access.own_call(call_id, who)
        return json(await pops.pop(call, who.role))

    return routes
