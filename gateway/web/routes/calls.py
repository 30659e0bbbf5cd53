"""Calls and what was said on them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Query, Response
from msgspec import Struct

from agents.accounts.identity import Identity, Permission, Principal, Scope
from domain.calls import Call
from domain.order_status import OrderStatus
from domain.orders import Order
from domain.recordings import StoredRecording
from domain.transcripts import Utterance
from domain.visibility.redact import redact
from gateway.web import examples
from gateway.web.access import Access
from gateway.web.answers import json
from gateway.web.contract import answers
from gateway.web.routes import Limit

Before = Annotated[float | None, Query(allow_inf_nan=False)]


class RecordingView(Struct, frozen=True):
    """A recording that is kept. `GET /recordings/ID/audio` has its sound."""

    id: str
    duration: float
    """Seconds."""
    offset: float
    """Call time of its first sample, in seconds."""


class CallDetail(Struct, frozen=True):
    """A call with all that is known of it."""

    call: Call
    utterances: list[Utterance]
    recordings: list[RecordingView]
    orders: list[Order]
    """One for each matter, by number."""
    statuses: list[OrderStatus]
    """What work-order systems told of them, as it happened."""


DETAIL = CallDetail(
    examples.CALL,
    [examples.UTTERANCE],
    [RecordingView(examples.RECORDING_ID, 88.0, 9.0)],
    [examples.ORDER],
    [examples.STATUS],
)


class CallReader(Protocol):
    """Port: calls and what was said on them."""

    async def list_calls(
        self, *, agent: str | None = None, before: float | None = None, limit: int = 50
    ) -> Sequence[Call]:
        """Newest first by `started_at`; only those with `started_at < before`; only `agent`'s, if given."""
        ...

    async def list_utterances(self, call_id: str) -> Sequence[Utterance]:
        """In order of `start`."""
        ...

    async def list_recordings(self, call_id: str) -> Sequence[StoredRecording]:
        """By offset."""
        ...


OrdersOf = Callable[[str], Awaitable[Sequence[Order]]]
"""The orders of the call of that id as they are now, by number."""


TimelineOf = Callable[[str], Awaitable[Sequence[OrderStatus]]]
"""What work-order systems told of the order of that id, as it happened."""


def router(access: Access, calls: CallReader, orders_of_call: OrdersOf, timeline_of: TimelineOf) -> APIRouter:
    """`/calls`."""
    routes = APIRouter(prefix="/api/v1/calls")
    who_is = Depends(access.signed_in)
    reader = Depends(access.asking(Scope.HISTORY_READ))

    @routes.get("")
    @answers(list[Call])
    async def list_calls(who: Identity = who_is, before: Before = None, limit: Limit = 50) -> Response:
        if who.may(Permission.SEE_ALL):
            every = await calls.list_calls(before=before, limit=limit)
        elif who.agent_id is None:
            return json([])
        else:
            every = await calls.list_calls(agent=who.agent_id, before=before, limit=limit)
        return json([redact(one, access.visibility(who)) for one in every])

    @routes.get("/{call_id}")
    @answers(CallDetail, example=DETAIL)
    async def one_call(call_id: str, who: Principal = reader) -> Response:
        """The call, what was said on it, its recordings, its orders, and what became of them."""
        call = await access.own_call(call_id, who)
        kept = await calls.list_recordings(call_id)
        recordings = [RecordingView(one.id, one.duration, one.offset) for one in kept]
        said = await calls.list_utterances(call_id)
        orders = [one for one in await orders_of_call(call_id) if who.serves(one.line)]
        statuses = [one for order in orders for one in await timeline_of(order.id)]
        visibility = access.visibility(who)
        return json(
            CallDetail(
                redact(call, visibility),
                [redact(one, visibility) for one in said],
                recordings,
                [redact(one, visibility) for one in orders],
                [redact(one, visibility) for one in statuses],
            )
        )

    return routes
