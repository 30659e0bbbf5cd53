"""What one queue entry, call or order counts for: the same facts count the same, whenever that is."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from domain.calls import Call, Direction, EndReason
from domain.history import text_of
from domain.lines import Line
from domain.order_status import OVER, OrderStatus, Step, as_happened
from domain.orders import CALL, Order, OrderState
from domain.outcomes import INVALID, ORDER, OUTCOMES, CallOutcome, Detail, OutcomeKind, Sends
from domain.queues import QueueEntry, QueueOutcome
from domain.ratings import NO_SURVEY, Survey, rating_of
from domain.reports.counts import Item, Kind
from domain.spans import LAST_INSTANT, covered, elapsed

DAY_S = 86_400.0
Matter = tuple[str, str, str]
"""(unit, place, category); empty where they are not known."""
UNKNOWN: Matter = ("", "", "")
_SERVICE_LEVEL_S, _ABANDON_AFTER_S = 15.0, 5.0


class Rules(Struct, frozen=True):
    """What counting depends on beside the facts. With other rules everything is counted anew."""

    timezone: str = "Asia/Shanghai"
    """Days, months and years begin at midnight here."""
    lines: tuple[Line, ...] = ()
    outcomes: tuple[OutcomeKind, ...] = OUTCOMES
    repeat_days: float = 7.0
    """A call is a repeated one if its number called within so many days before."""


def of_entry(entry: QueueEntry, rules: Rules) -> Item | None:
    """What a queue entry counts for; `None`: nothing, as its time is none."""
    if not plausible(entry.entered_at):
        return None
    line = next((one for one in rules.lines if one.queue == entry.queue), None)
    waited = elapsed(0.0, entry.waited or 0.0)
    counts = {"offered": 1}
    match entry.outcome:
        case QueueOutcome.ANSWERED:
            in_time = waited <= (line.service_level_s if line else _SERVICE_LEVEL_S)
            counts |= {"due": 1, "answered": 1, "answered_in_time": int(in_time), "waited_ms": _ms(waited)}
        case QueueOutcome.ABANDONED if waited < (line.abandon_after_s if line else _ABANDON_AFTER_S):
            counts |= {"short_abandoned": 1}
        case QueueOutcome.ABANDONED:
            counts |= {"due": 1, "abandoned": 1}
        case None | QueueOutcome.WITHDRAWN | QueueOutcome.UNSEEN:
            pass
        case _:
            counts |= {"due": 1, "lost": 1}
    return Item(
        Kind.ENTRY,
        entry.call_id,
        entry.entered_at,
        entry.line or (line.id if line else ""),
        counts,
        part=f"{entry.uniqueid}/{entry.queue}/{entry.entered_at!r}",
        agent=entry.agent or "",
        source=CALL,
    )


def of_call(call: Call, matter: Matter, called_before: bool) -> Item | None:
    """What a call counts for; `None`: nothing, for it goes on, is nobody's from outside, or part of another.

    `matter`: of its first order, if that has left; `called_before`: its number called shortly before.
    """
    part_of_another = call.end_reason is EndReason.MERGED or call.consults or call.monitors
    if call.direction is not Direction.INBOUND or call.ended_at is None or part_of_another:
        return None
    if not plausible(call.started_at):
        return None
    counts = {"calls": 1}
    talks = [one for one in call.conversations if one.with_agent]
    if talks:
        ended = call.ended_at
        spans = [(one.started_at, ended if one.ended_at is None else one.ended_at) for one in talks]
        counts |= {"talks": 1, "talk_ms": _ms(covered(spans))}
    if call.caller.number:
        counts |= {"numbered": 1, "repeated": int(called_before)}
    unit, place, category = matter
    return Item(
        Kind.CALL,
        call.id,
        call.started_at,
        call.line or "",
        counts,
        agent=call.agent or "",
        unit=unit,
        place=place,
        category=category,
        source=CALL,
    )


def of_order(
    order: Order,
    agent: str | None,
    statuses: Sequence[OrderStatus],
    rules: Rules,
    now: float,
    survey: Survey = NO_SURVEY,
) -> Item | None:
    """What an order counts for; `None`: nothing, for it is a draft that has never left, or was withdrawn.

    `agent`: whose call it was; `now`: a deadline before it has passed; `survey`: what its caller answered.
    """
    if not has_left(order) or not plausible(order.created_at):
        return None
    kind = _kind_of(order.as_left.outcome, rules)
    if order.withdrawn is not None and kind.sends is not Sends.NOTHING:
        return None
    counts: dict[str, int] = {}
    recount_at: float | None = None
    if kind.id != INVALID:
        direct = kind.sends is Sends.CLOSED and Detail.TARGET not in kind.details
        counts |= {"concluded": 1, "direct": int(direct)}
    if kind.sends is Sends.ORDER and order.submitted_at is not None:
        counts |= {"handed": 1, **_handed(statuses, now)}
        recount_at = _passes_at(statuses, now)
    counts |= _rating(statuses, survey, order.created_at)
    unit, place, category = matter_of(order)
    return Item(
        Kind.ORDER,
        order.id,
        order.created_at,
        order.line,
        counts,
        agent=agent or "",
        unit=unit,
        place=place,
        category=category,
        source=order.source,
        recount_at=recount_at,
    )


def closing(statuses: Sequence[OrderStatus]) -> tuple[float | None, float | None]:
    """When the order was closed, `None` if it is open; and until when it was to be.

    An order that is dealt with again (重办), or comes back (退单), is open again. The deadline is the last
    one told at or before the closing; what is told of deadlines afterwards changes nothing any more.
    """
    closed_at: float | None = None
    deadline: float | None = None
    for one in as_happened(statuses):
        if one.step in OVER:
            if closed_at is None:
                deadline = deadline if one.deadline is None else one.deadline
                closed_at = one.at
        elif one.step in (Step.REDONE, Step.RETURNED):
            closed_at = None
            deadline = deadline if one.deadline is None else one.deadline
        elif closed_at is None and one.deadline is not None:
            deadline = one.deadline
    return closed_at, deadline


def has_left(order: Order) -> bool:
    """Whether the order has left, or was dropped; a draft counts for nothing."""
    return order.submitted_at is not None or order.state is OrderState.DROPPED


def matter_of(order: Order) -> Matter:
    """What the order is about, as it left; a draft that has never left says nothing."""
    if not has_left(order):
        return UNKNOWN
    left = order.as_left
    return text_of(left, "unit")[:200], text_of(left, "town")[:100], text_of(left, "category")[:100]


def plausible(at: float) -> bool:
    """Whether that is an instant of a calendar."""
    return 0.0 <= at < LAST_INSTANT - DAY_S


def _kind_of(outcome: CallOutcome | None, rules: Rules) -> OutcomeKind:
    wanted = outcome.kind if outcome is not None else ORDER
    kinds: Mapping[str, OutcomeKind] = {one.id: one for one in rules.outcomes}
    # One that is configured no more was sent as an order, unless it was dropped.
    return kinds.get(wanted, kinds[ORDER])


def _handed(statuses: Sequence[OrderStatus], now: float) -> dict[str, int]:
    closed_at, deadline = closing(statuses)
    counts = {"returned": int(any(one.step is Step.RETURNED for one in statuses))}
    if closed_at is not None:
        counts["closed"] = 1
    if deadline is not None and (closed_at is not None or deadline < now):
        counts |= {"deadlines": 1, "closed_in_time": int(closed_at is not None and closed_at <= deadline)}
    return counts


def _passes_at(statuses: Sequence[OrderStatus], now: float) -> float | None:
    closed_at, deadline = closing(statuses)
    return deadline if closed_at is None and deadline is not None and deadline >= now else None


def _rating(statuses: Sequence[OrderStatus], survey: Survey, asked_at: float) -> dict[str, int]:
    """By the last that was said of each."""
    rating = rating_of(statuses, survey, asked_at)
    counts: dict[str, int] = {}
    if rating.satisfied is not None:
        counts |= {"rated": 1, "satisfied": int(rating.satisfied.value)}
    if rating.resolved is not None:
        counts |= {"asked": 1, "resolved": int(rating.resolved.value)}
    return counts


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
