"""What a queue entry, a call and an order count for."""

from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from domain.calls import Conversation, Direction, EndReason, Party
from domain.lines import Line
from domain.order_status import OrderStatus, Step
from domain.orders import Order, OrderState, SentOrder, Withdrawal
from domain.outcomes import ANSWERED, INVALID, JOINED, ORDER, TRANSFERRED, CallOutcome, OutcomeKind, Sends
from domain.queues import QueueEntry, QueueOutcome
from domain.reports.counting import UNKNOWN, Rules, closing, of_call, of_entry, of_order
from domain.reports.counts import RATES, Item
from domain.reports.periods import Grain, midnight, period_of, spans, starts
from domain.reports.schedule import Every, days_of, due_after, due_until
from tests.support.samples import call, order

SHANGHAI, BERLIN, KOLKATA = (ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "Asia/Kolkata"))
RULES = Rules(
    lines=(
        Line(id="12345", name="便民热线", numbers=(), queue="q", service_level_s=15.0, abandon_after_s=5.0),
    )
)
NOW = 1_000_000.0


def entry(outcome: QueueOutcome | None, waited: float | None = None) -> QueueEntry:
    return QueueEntry("main", "q", "12345", "main-1", "1.1", 1000.0, outcome, waited=waited, agent="1001")


def counts_of(item: Item | None) -> dict[str, int]:
    assert item is not None
    return {name: count for name, count in item.counts.items() if count}


@pytest.mark.parametrize(
    ("outcome", "waited", "expected"),
    [
        (QueueOutcome.ANSWERED, 15.0, {"due": 1, "answered": 1, "answered_in_time": 1, "waited_ms": 15000}),
        (QueueOutcome.ANSWERED, 15.5, {"due": 1, "answered": 1, "waited_ms": 15500}),
        (QueueOutcome.ABANDONED, 4.9, {"short_abandoned": 1}),
        (QueueOutcome.ABANDONED, 5.0, {"due": 1, "abandoned": 1}),
        (QueueOutcome.TIMEOUT, 60.0, {"due": 1, "lost": 1}),
        (QueueOutcome.FULL, None, {"due": 1, "lost": 1}),
        (QueueOutcome.UNSEEN, None, {}),
        (QueueOutcome.WITHDRAWN, 3.0, {}),
        (None, None, {}),
    ],
)
def test_a_queue_entry_counts_as_on_the_wall(
    outcome: QueueOutcome | None, waited: float | None, expected: dict[str, int]
) -> None:
    assert counts_of(of_entry(entry(outcome, waited), RULES)) == {"offered": 1, **expected}


def test_a_call_counts_once_it_is_over_and_only_if_somebody_called_us() -> None:
    made = call(1, 1000.0)
    assert counts_of(of_call(made, UNKNOWN, called_before=False)) == {
        "calls": 1, "talks": 1, "talk_ms": 105_000, "numbered": 1,
    }  # fmt: skip
    assert counts_of(of_call(made, UNKNOWN, called_before=True))["repeated"] == 1
    nameless = structs.replace(made, caller=Party(""))
    assert "numbered" not in counts_of(of_call(nameless, UNKNOWN, called_before=True))
    missed = structs.replace(made, conversations=(), end_reason=EndReason.ABANDONED_QUEUE)
    assert "talks" not in counts_of(of_call(missed, UNKNOWN, called_before=False))
    with_somebody = (Conversation(None, "PJSIP/9-1", 1010.0, 1100.0, "13900000000"),)
    assert "talks" not in counts_of(
        of_call(structs.replace(made, conversations=with_somebody), UNKNOWN, False)
    )
    for more in (
        {"direction": Direction.OUTBOUND},
        {"ended_at": None},
        {"end_reason": EndReason.MERGED},
        {"consults": "main-0"},
        {"monitors": "main-0"},
        {"started_at": 1e300},
    ):
        assert of_call(structs.replace(made, **more), UNKNOWN, called_before=False) is None, more


def sent(kind: str = ORDER, **more: object) -> Order:
    made = order(call(1, 1000.0), 1, OrderState.DELIVERED, unit="住建局", town="刘桥镇", category="城乡建设")
    whole = structs.replace(made, submitted_at=1200.0, outcome=CallOutcome(kind, 1200.0))
    return structs.replace(whole, **more)


def told(step: Step, at: float, deadline: float | None = None, text: str = "", **more: Any) -> OrderStatus:
    return OrderStatus(f"main/{at}", "o", "main", step, at, at, deadline=deadline, text=text, **more)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (sent(), {"concluded": 1, "handed": 1}),
        (sent(ANSWERED), {"concluded": 1, "direct": 1}),
        (sent(TRANSFERRED), {"concluded": 1}),
        (sent(JOINED, state=OrderState.DROPPED, submitted_at=None), {"concluded": 1}),
        (sent(INVALID, state=OrderState.DROPPED, submitted_at=None), {}),
        (sent(outcome=None), {"concluded": 1, "handed": 1}),
        (sent("appointment"), {"concluded": 1, "direct": 1}),
        (sent("no longer configured"), {"concluded": 1, "handed": 1}),
    ],
)
def test_an_order_counts_by_the_outcome_of_its_call(made: Order, expected: dict[str, int]) -> None:
    more = OutcomeKind("appointment", "预约", "Appointment", Sends.CLOSED)
    rules = structs.replace(RULES, outcomes=(*RULES.outcomes, more))
    assert counts_of(of_order(made, "1001", [], rules, NOW)) == expected


def test_drafts_and_orders_withdrawn_count_for_nothing_and_corrections_as_they_left() -> None:
    draft = sent(state=OrderState.DRAFT, submitted_at=None)
    assert of_order(draft, None, [], RULES, NOW) is None
    assert of_order(sent(withdrawn=Withdrawal(1300.0, "zhang", "")), None, [], RULES, NOW) is None
    left = sent()
    corrected = structs.replace(
        left,
        state=OrderState.DRAFT,
        sent=SentOrder(left.state, left.fields, left.outcome),
        fields={},
        outcome=CallOutcome(ANSWERED, 1400.0),
    )
    assert of_order(corrected, "1001", [], RULES, NOW) == of_order(left, "1001", [], RULES, NOW)


DUE = 5000.0


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([told(Step.SIGNED, 2000.0, DUE)], {"deadlines": 1}),
        ([told(Step.SIGNED, 2000.0, NOW + 1)], {}),
        (
            [told(Step.SIGNED, 2000.0, DUE), told(Step.CLOSED, 4000.0)],
            {"closed": 1, "deadlines": 1, "closed_in_time": 1},
        ),
        ([told(Step.SIGNED, 2000.0, DUE), told(Step.CLOSED, 6000.0)], {"closed": 1, "deadlines": 1}),
        ([told(Step.CLOSED, 6000.0)], {"closed": 1}),
        ([told(Step.CLOSED, 3000.0), told(Step.REDONE, 4000.0)], {}),
        ([told(Step.CLOSED, 3000.0), told(Step.REDONE, 4000.0), told(Step.CLOSED, 5000.0)], {"closed": 1}),
        ([told(Step.RETURNED, 3000.0)], {"returned": 1}),
        ([told(Step.RETURNED, 3000.0), told(Step.ARCHIVED, 4000.0)], {"returned": 1, "closed": 1}),
        ([told(Step.VISITED, 3000.0, text="群众表示非常满意")], {"closed": 1, "rated": 1, "satisfied": 1}),
        ([told(Step.VISITED, 3000.0, text="不满意")], {"closed": 1, "rated": 1}),
        (
            [told(Step.VISITED, 3000.0, text="满意"), told(Step.VISITED, 4000.0, text="不满意")],
            {"closed": 1, "rated": 1},
        ),
        ([told(Step.VISITED, 3000.0, text="无人接听")], {"closed": 1}),
        (
            [told(Step.VISITED, 3000.0, text="诉求已解决，群众满意")],
            {"closed": 1, "rated": 1, "satisfied": 1, "asked": 1, "resolved": 1},
        ),
        ([told(Step.VISITED, 3000.0, text="问题未得到解决")], {"closed": 1, "asked": 1}),
        # What the unit says of its own work is nobody's word but its own.
        ([told(Step.ANSWERED, 3000.0, text="已解决，群众满意")], {}),
        (
            [told(Step.ARCHIVED, 3000.0, satisfied=False, resolved=True)],
            {"closed": 1, "rated": 1, "asked": 1, "resolved": 1},
        ),
        # In so many words before what its text says.
        ([told(Step.VISITED, 3000.0, text="满意", satisfied=False)], {"closed": 1, "rated": 1}),
    ],
)  # fmt: skip
def test_what_was_told_of_an_order_counts(statuses: list[OrderStatus], expected: dict[str, int]) -> None:
    for some in (statuses, statuses[::-1]):
        found = counts_of(of_order(sent(), None, some, RULES, NOW))
        assert found == {"concluded": 1, "handed": 1, **expected}


def test_an_extension_counts_before_the_closing_and_not_after() -> None:
    first = told(Step.SIGNED, 1.0, 10.0)
    assert closing([first, told(Step.EXTENDED, 2.0, 20.0), told(Step.CLOSED, 15.0)]) == (15.0, 20.0)
    assert closing([first, told(Step.CLOSED, 15.0), told(Step.EXTENDED, 16.0, 20.0)]) == (15.0, 10.0)


def test_no_rate_of_nothing() -> None:
    assert all(rate.of({}) is None for rate in RATES)
    assert {rate.name: rate.of({"waited_ms": 9000, "answered": 2, "due": 4}) for rate in RATES[:3]} == {
        "connection_rate": 0.5, "service_level": 0.0, "average_wait_s": 4.5,
    }  # fmt: skip


# -- periods ---------------------------------------------------------------------------------------------
days = st.dates(date(2020, 1, 1), date(2030, 12, 31))


@given(days, days, st.sampled_from([SHANGHAI, BERLIN, KOLKATA]), st.sampled_from(list(Grain)))
def test_spans_cover_the_days_and_nothing_else(one: date, other: date, zone: ZoneInfo, grain: Grain) -> None:
    since, until = min(one, other), max(one, other)
    found = spans(since, until, zone, grain)
    at = midnight(since, zone)
    for span in found:
        assert span.start == at < span.end
        assert span.start == period_of(span.grain, span.start, zone)[0]
        at = span.end
    assert at == midnight(until, zone)
    assert len(found) <= 5
    for start in starts(grain, since, until, zone) if grain is not Grain.HOUR else ():
        assert period_of(grain, start, zone)[0] == start


@given(st.floats(0, 4e9), st.sampled_from([SHANGHAI, BERLIN, KOLKATA]))
def test_hours_lie_in_days(at: float, zone: ZoneInfo) -> None:
    start, end = period_of(Grain.HOUR, at, zone)
    day, after = period_of(Grain.DAY, at, zone)
    assert day <= start <= at < end <= after


# -- schedule --------------------------------------------------------------------------------------------
@given(
    st.sampled_from(["day", "week", "month", "year"]),
    st.floats(1e9, 3e9),
    st.times(),
    st.sampled_from([SHANGHAI, BERLIN]),
)
def test_due_times_follow_each_other(every: Every, now: float, at: time, zone: ZoneInfo) -> None:
    at = at.replace(second=0, microsecond=0)
    due = due_until(every, at, zone, now)
    following = due_after(every, at, zone, due)
    assert due <= now < following
    assert due_until(every, at, zone, following) == following
    (_, until), (since, _) = days_of(every, zone, due), days_of(every, zone, following)
    assert since == until


def test_a_monthly_report_is_of_the_last_month() -> None:
    now = midnight(date(2026, 3, 1), SHANGHAI) + 8 * 3600
    due = due_until("month", time(7), SHANGHAI, now)
    assert due == midnight(date(2026, 3, 1), SHANGHAI) + 7 * 3600
    assert days_of("month", SHANGHAI, due) == (date(2026, 2, 1), date(2026, 3, 1))
    assert days_of("week", SHANGHAI, midnight(date(2026, 3, 2), SHANGHAI)) == (
        date(2026, 2, 23),
        date(2026, 3, 2),
    )
