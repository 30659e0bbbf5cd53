"""History queries: filtered, paginated lists of calls and orders, newest first."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from domain.calls import (
    Call,
    CallSource,
    CallState,
    Conversation,
    Direction,
    EndedBy,
    EndReason,
    Hold,
    Party,
)
from domain.numbers import told, told_name
from domain.order_status import OrderStatus, Step
from domain.orders import CALL, Order, OrderState
from domain.reports.counts import Selection
from domain.spans import covered, elapsed

T = TypeVar("T")
Key = tuple[float, str]
"""The cursor at the end of a page: time and id of its last item."""


class CallFilter(Struct, frozen=True):
    """Selects calls. Empty fields do not filter; times are POSIX seconds."""

    terms: tuple[str, ...] = ()
    """Folded terms (`domain.search`); the transcript must contain all of them."""
    since: float | None = None
    until: float | None = None
    """Exclusive."""
    line: str | None = None
    agent: str | None = None
    """An agent who talked on the call, or whose phone rang last."""
    number: str | None = None
    """Digits contained in the caller's number."""
    end_reason: EndReason | None = None
    selection: Selection | None = None
    """Only calls behind this figure; `since` and `until` are then of what is counted."""
    own: str | None = None
    """Only calls this agent may see."""
    lines: tuple[str, ...] = ()
    """Only calls of these lines may be seen; empty: of every line."""


class OrderFilter(Struct, frozen=True):
    """Selects orders, like `CallFilter`; `since` and `until` refer to the order's creation."""

    terms: tuple[str, ...] = ()
    """Folded terms; the order's fields must contain all of them."""
    since: float | None = None
    until: float | None = None
    line: str | None = None
    agent: str | None = None
    number: str | None = None
    state: OrderState | None = None
    outcome: str | None = None
    """Id of the outcome of the order's call."""
    step: Step | None = None
    """The latest step that a work-order system told."""
    category: str | None = None
    """First-level category."""
    town: str | None = None
    unit: str | None = None
    selection: Selection | None = None
    """Only orders behind this figure."""
    own: str | None = None
    lines: tuple[str, ...] = ()


class DeliveryFilter(Struct, frozen=True):
    """Selects deliveries by creation time and state."""

    since: float | None = None
    until: float | None = None
    state: str | None = None


class AuditFilter(Struct, frozen=True):
    """Selects audit entries."""

    since: float | None = None
    until: float | None = None
    username: str | None = None


class OrderBrief(Struct, frozen=True):
    """The order shown next to its call."""

    id: str
    title: str
    state: OrderState
    outcome: str | None = None


class CallSummary(Struct, frozen=True):
    """One call in a list. Times are POSIX seconds, durations seconds; `None` means "not (yet)"."""

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
    """The agents who talked on the call, in order."""
    end_reason: EndReason | None
    ended_by: EndedBy | None
    hangup_cause: int | None
    """Q.850."""
    source: CallSource
    waited: float | None
    """From entering the queue (or the first ring) to the answer or the end."""
    talked: float
    """In conversation, holds included; for a call in progress, up to its last change."""
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
    outcome: str | None
    """Id of the outcome of its call; `None`: not yet known."""
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
    send_at: float | None = None
    """When a draft is sent by itself; `None`: an agent has to."""
    status: OrderStatus | None = None
    """The latest that a work-order system told of it."""
    source: str = CALL
    """`call`, or where the matter came from (`domain.intake.MatterSource`)."""


class OrderOfCall(Struct, frozen=True):
    """An order and its call; `None` if the call is no longer known."""

    order: Order
    call: Call | None
    status: OrderStatus | None = None
    """The latest that a work-order system told of the order."""


class Page(Struct, Generic[T], frozen=True):
    """One page of items, newest first.

    `next` is the cursor of the next page, `None` at the end. A page may be short or even empty and still have
    a `next`: the search stopped there to answer in time.
    """

    items: Sequence[T]
    next: Key | None = None


def summary_of(call: Call, order: Order | None) -> CallSummary:
    """Summarise a call for a list."""
    since = call.queued_at or call.ringing_at
    until = call.answered_at or call.ended_at
    return CallSummary(
        id=call.id,
        direction=call.direction,
        state=call.state,
        caller=Party(told(call.caller.number), told_name(call.caller.name)),
        called=call.called,
        started_at=call.started_at,
        ended_at=call.ended_at,
        line=call.line,
        queue=call.queue,
        agent=call.agent,
        agents=call.agents,
        end_reason=call.end_reason,
        ended_by=call.ended_by,
        hangup_cause=call.hangup_cause,
        source=call.source,
        waited=elapsed(since, until) if since is not None and until is not None else None,
        talked=covered(_spans(call.conversations, call.ended_at)),
        held=covered(_spans(call.holds, call.ended_at)),
        transfers=len(call.transfers),
        recorded=bool(call.recordings),
        order=None if order is None else _brief(order),
    )


def _brief(order: Order) -> OrderBrief:
    return OrderBrief(order.id, text_of(order, "title"), order.state, order.outcome_kind)


def order_summary_of(both: OrderOfCall) -> OrderSummary:
    """Summarise an order for a list."""
    order, call = both.order, both.call
    urgent = order.fields.get("urgent")
    return OrderSummary(
        id=order.id,
        call_id=order.call_id,
        line=order.line,
        state=order.state,
        outcome=order.outcome_kind,
        created_at=order.created_at,
        submitted_at=order.submitted_at,
        delivered_at=order.delivered_at,
        external_id=order.external_id,
        agent=call.agent if call is not None else None,
        caller=told(call.caller.number) if call is not None else "",
        title=text_of(order, "title"),
        category=text_of(order, "category"),
        town=text_of(order, "town"),
        unit=text_of(order, "unit"),
        urgent=urgent is not None and urgent.value is True,
        send_at=order.send_at,
        status=both.status,
        source=order.source,
    )


def text_of(order: Order, name: str) -> str:
    """Return a field's value as text; empty if it is not filled in."""
    field = order.fields.get(name)
    if field is None:
        return ""
    if isinstance(field.value, list | tuple):
        return "、".join(str(one) for one in field.value)
    if isinstance(field.value, bool):
        return "是" if field.value else "否"
    return str(field.value)


def _spans(parts: Sequence[Conversation] | Sequence[Hold], end: float | None) -> list[tuple[float, float]]:
    """From when to when each part lasted; one that is not over, up to the end."""
    return [
        (one.started_at, one.ended_at if one.ended_at is not None else end or one.started_at) for one in parts
    ]
