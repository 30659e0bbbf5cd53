"""Calls and what was said on them."""

from fastapi import APIRouter, Depends, Response

from agents.accounts.service import Identity, Permission
from domain.visibility.redact import redact
from gateway.web.access import Access
from gateway.web.answers import found, json
from gateway.web.routes import Limit
from gateway.web.services import WebServices


def router(services: WebServices, access: Access) -> APIRouter:
    """`/calls`."""
    routes = APIRouter(prefix="/api/v1/calls")
    who_is = Depends(access.signed_in)

    @routes.get("")
    async def calls(who: Identity = who_is, before: float | None = None, limit: Limit = 50) -> Response:
        if who.may(Permission.SEE_ALL):
            every = await services.calls.list_calls(before=before, limit=limit)
        elif who.agent_id is None:
            return json([])
        else:
            every = await services.calls.list_calls(agent=who.agent_id, before=before, limit=limit)
        return json([redact(one, access.visibility(who)) for one in every])

    @routes.get("/{call_id}")
    async def one_call(call_id: str, who: Identity = who_is) -> Response:
        """The call, what was said on it, recordings `{id, duration, offset}` (seconds; call time), order."""
        call = await access.own_call(call_id, who)
        kept = await services.audio.list_recordings(call_id) if services.audio else ()
        recordings = [{"id": one.id, "duration": one.duration, "offset": one.offset} for one in kept]
        said = await services.calls.list_utterances(call_id)
        order = await services.orders.order_of_call(call_id)
        visibility = access.visibility(who)
        return json(
            {
                "call": redact(call, visibility),
                "utterances": [redact(one, visibility) for one in said],
                "recordings": recordings,
                "order": redact(order, visibility),
            }
        )

    @routes.get("/{call_id}/pop")
    async def pop(call_id: str, who: Identity = who_is) -> Response:
        call = await access.own_call(call_id, who)
        return json(await found(services.pops, "screen-pop").pop(call, who.role))

    return routes
