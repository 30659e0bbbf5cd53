"""Looking back: calls and orders as lists, filtered, newest first, page after page."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from domain.calls import Call, CallState, Direction, EndReason, Party
from domain.orders import Order, OrderState

T = TypeVar("T")
Key = tuple[float, str]
"""Where a page ends: instant and id of its last item."""


class CallFilter(Struct, frozen=True):
    """Which calls. What is empty does not filter; instants are POSIX seconds."""

    terms: tuple[str, ...] = ()
    """Folded terms (`domain.search`), all in the transcript."""
    since: float | None = None
    until: float | None = None
    """Not included."""
    line: str | None = None
    agent: str | None = None
    """Who talked on the call, or whose phone rang last."""
    number: str | None = None
    """Digits that the caller's number holds."""
    end_reason: EndReason | None = None
    own: str | None = None
    """Only what this agent may see."""


class OrderFilter(Struct, frozen=True):
    """Which orders; as `CallFilter`, by the instant at which the order was begun."""

    terms: tuple[str, ...] = ()
    """Folded terms, all in the order's fields."""
    since: float | None = None
    until: float | None = None
    line: str | None = None
    agent: str | None = None
    number: str | None = None
    state: OrderState | None = None
    category: str | None = None
    """Of the first level."""
    town: str | None = None
    unit: str | None = None
    own: str | None = None


class DeliveryFilter(Struct, frozen=True):
    """Which deliveries, by the instant at which they were made."""

    since: float | None = None
    until: float | None = None
    state: str | None = None


class AuditFilter(Struct, frozen=True):
    """Which entries of the audit."""

    since: float | None = None
    until: float | None = None
    username: str | None = None


class OrderBrief(Struct, frozen=True):
    """An order beside its call."""

    id: str
    title: str
    state: OrderState


class CallSummary(Struct, frozen=True):
    """One call in a list. Instants are POSIX seconds, spans seconds; `None` is "not (yet)"."""

    id: str
    direction: Direction
    state: CallState
    caller: Party
    called: str
    started_at: float
    ended_at: float | None
    line: str | None
    queue: str | None
    agent: str | None
    agents: tuple[str, ...]
    """Who talked on it, in order."""
    end_reason: EndReason | None
    waited: float | None
    """From the queue (or the first ring) to the answer or the end."""
    talked: float
    """In conversation, holds included; of a call in progress, up to its last change."""
    held: float
    transfers: int
    recorded: bool
    order: OrderBrief | None


class OrderSummary(Struct, frozen=True):
    """One order in a list."""

    id: str
    call_id: str
    line: str
    state: OrderState
    created_at: float
    submitted_at: float | None
    delivered_at: float | None
    external_id: str | None
    agent: str | None
    caller: str
    """The caller's number."""
    title: str
    category: str
    town: str
    unit: str
    urgent: bool


class OrderOfCall(Struct, frozen=True):
    """An order and the call it is of (`None`: the call is not known any more)."""

    order: Order
    call: Call | None


class Page(Struct, Generic[T], frozen=True):
    """Some items, newest first.

    `next` is where the search goes on, `None` at its end. A page may be short, even empty, and still have a
    `next`: the search was stopped there to answer in time.
    """

    items: Sequence[T]
    next: Key | None = None


def summary_of(call: Call, order: Order | None) -> CallSummary:
    """The call as a list shows it."""
    over = [(one.started_at, one.ended_at) for one in call.conversations]
    since = call.queued_at or call.ringing_at
    until = call.answered_at or call.ended_at
    return CallSummary(
        id=call.id,
        direction=call.direction,
        state=call.state,
        caller=call.caller,
        called=call.called,
        started_at=call.started_at,
        ended_at=call.ended_at,
        line=call.line,
        queue=call.queue,
        agent=call.agent,
        agents=call.agents,
        end_reason=call.end_reason,
        waited=max(0.0, until - since) if since is not None and until is not None else None,
        talked=_seconds(over, call.ended_at),
        held=_seconds([(one.started_at, one.ended_at) for one in call.holds], call.ended_at),
        transfers=len(call.transfers),
        recorded=bool(call.recordings),
        order=None if order is None else OrderBrief(order.id, text_of(order, "title"), order.state),
    )


def order_summary_of(both: OrderOfCall) -> OrderSummary:
    """The order as a list shows it."""
    order, call = both.order, both.call
    urgent = order.fields.get("urgent")
    return OrderSummary(
        id=order.id,
        call_id=order.call_id,
        line=order.line,
        state=order.state,
        created_at=order.created_at,
        submitted_at=order.submitted_at,
        delivered_at=order.delivered_at,
        external_id=order.external_id,
        agent=call.agent if call is not None else None,
        caller=call.caller.number if call is not None else "",
        title=text_of(order, "title"),
        category=text_of(order, "category"),
        town=text_of(order, "town"),
        unit=text_of(order, "unit"),
        urgent=urgent is not None and urgent.value is True,
    )


def text_of(order: Order, name: str) -> str:
    """A field's value as text; empty where it is not filled."""
    field = order.fields.get(name)
    if field is None:
        return ""
    if isinstance(field.value, list | tuple):
        return "、".join(str(one) for one in field.value)
    if isinstance(field.value, bool):
        return "是" if field.value else "否"
    return str(field.value)


def _seconds(spans: Sequence[tuple[float, float | None]], end: float | None) -> float:
    return sum(max(0.0, (until if until is not None else end or since) - since) for since, until in spans)
