"""Threshold rules on plain data."""

from typing import Any

import pytest
from msgspec import structs

from agents.alarms.rules import AlarmRules
from domain.alarms import Alarm, AlarmRule, Level, Measure
from domain.calls import Call, CallState, Conversation, Direction, Party
from domain.facts import (
    AgentChanged,
    CallEnded,
    CallUpdated,
    FactRejected,
    OrderChanged,
    OrderStatusTold,
    PbxLinkChanged,
    QueueChanged,
    QueueFiguresChanged,
)
from domain.figures import QueueFigures
from domain.order_status import OrderDeadline, OrderStatus, Step
from domain.orders import Order, OrderState, SentOrder, UnsubmittedOrder
from domain.queues import AgentState, AgentStatus, Queue, Waiting


def rule(measure: Measure, **more: Any) -> AlarmRule:
    return AlarmRule(id="r", name="规则", measure=measure, **more)


def queue(*since: float, name: str = "q", line: str | None = "12345") -> QueueChanged:
    waiting = tuple(Waiting(f"c{n}", f"{n}.1", n, at) for n, at in enumerate(since, 1))
    return QueueChanged(at=0.0, queue=Queue(name, "main", line, waiting))


def agent(state: AgentState, since: float = 0.0, **more: Any) -> AgentChanged:
    made = AgentStatus("1001", "王芳", "PJSIP/1001", state, since, queues=("q",), pbx="main")
    return AgentChanged(at=since, agent=structs.replace(made, **more))


def told(alarms: AlarmRules, now: float) -> list[tuple[str, bool]]:
    return [(fact.alarm.id, fact.over) for fact in alarms.judge(now)]


def test_raised_once_and_cleared_once() -> None:
    alarms = AlarmRules([rule(Measure.WAITING, above=1, level=Level.CRITICAL)])
    alarms.apply(queue(1.0))
    assert told(alarms, 2.0) == []
    alarms.apply(queue(1.0, 2.0))
    (raised,) = alarms.judge(3.0)
    assert raised.alarm == Alarm(
        id="r/main/q",
        rule="r",
        name="规则",
        measure=Measure.WAITING,
        level=Level.CRITICAL,
        value=2,
        latest=2,
        latest_at=3.0,
        threshold=1,
        since=3.0,
        pbx="main",
        queue="q",
        line="12345",
    )
    assert told(alarms, 4.0) == []
    alarms.apply(queue())
    assert told(alarms, 5.0) == [("r/main/q", True)]
    assert told(alarms, 6.0) == []


def test_a_wait_grows_by_itself() -> None:
    alarms = AlarmRules([rule(Measure.LONGEST_WAIT, above=60)])
    alarms.apply(queue(100.0, 150.0))
    assert told(alarms, 160.0) == []
    assert told(alarms, 160.5) == [("r/main/q", False)]


def test_while_raised_the_value_is_told_when_it_changes_and_not_more_often() -> None:
    alarms = AlarmRules([rule(Measure.WAITING, above=1)])

    def moved(now: float) -> list[tuple[float, float]]:
        alarms.judge(now)
        return [(fact.alarm.latest, fact.alarm.value) for fact in alarms.moved(now)]

    alarms.apply(queue(1.0, 2.0))
    assert moved(3.0) == [], "it was raised with that value"
    alarms.apply(queue(1.0, 2.0, 3.0))
    assert moved(4.0) == [], "too soon after the last time"
    alarms.apply(queue(1.0, 2.0, 3.0, 4.0))
    assert moved(5.0) == [(4, 2)]
    assert moved(9.0) == []
    alarms.apply(queue())
    assert moved(10.0) == []


def test_a_duration_is_told_again_only_where_it_does_not_simply_grow() -> None:
    alarms = AlarmRules([rule(Measure.LONGEST_WAIT, above=60)])

    def moved(now: float) -> list[float]:
        alarms.judge(now)
        return [fact.alarm.latest for fact in alarms.moved(now)]

    alarms.apply(queue(100.0, 150.0))
    assert [told for second in range(161, 200) for told in moved(float(second))] == []
    # The first caller is answered: the next has waited for less.
    alarms.apply(queue(130.0))
    assert moved(220.0) == [90.0]
    assert moved(230.0) == []


def test_only_what_lasts() -> None:
    alarms = AlarmRules([rule(Measure.WAITING, above=0, for_s=10)])
    alarms.apply(queue(1.0))
    assert told(alarms, 1.0) == []
    alarms.apply(queue())
    assert told(alarms, 5.0) == []
    alarms.apply(queue(6.0))
    assert told(alarms, 12.0) == []
    assert told(alarms, 22.0) == [("r/main/q", False)]
    assert alarms.raised["r/main/q"].since == 12.0


def test_rates_need_enough_calls_and_a_day_that_is_not_over() -> None:
    alarms = AlarmRules([rule(Measure.CONNECTION_RATE, below=0.9, min_offered=10)])

    def day(offered: int, rate: float | None, interval: int | None = None) -> QueueFiguresChanged:
        figures = QueueFigures(
            pbx="main",
            queue="q",
            line="12345",
            start=0.0,
            end=86400.0,
            interval=interval,
            offered=offered,
            connection_rate=rate,
        )
        return QueueFiguresChanged(at=0.0, figures=figures)

    alarms.apply(day(9, 0.5))
    assert told(alarms, 1.0) == []
    alarms.apply(day(20, None))
    assert told(alarms, 2.0) == []
    alarms.apply(day(20, 0.5, interval=3))
    assert told(alarms, 2.5) == [], "an interval is not the day"
    alarms.apply(day(20, 0.5))
    assert told(alarms, 3.0) == [("r/main/q", False)]
    assert told(alarms, 86400.0) == [("r/main/q", True)]


def test_rules_of_some_lines_leave_others_alone() -> None:
    alarms = AlarmRules([rule(Measure.WAITING, above=0, lines=frozenset({"12345"}))])
    alarms.apply(queue(1.0))
    alarms.apply(queue(1.0, name="other", line="yiqilai"))
    alarms.apply(queue(1.0, name="stranger", line=None))
    assert told(alarms, 2.0) == [("r/main/q", False)]


def test_nobody_there_to_answer() -> None:
    alarms = AlarmRules([rule(Measure.AVAILABLE, below=1)])
    alarms.apply(queue())
    alarms.apply(agent(AgentState.AVAILABLE))
    assert told(alarms, 1.0) == []
    alarms.apply(agent(AgentState.TALKING))
    assert told(alarms, 2.0) == [("r/main/q", False)]


def test_an_agent_too_long_in_a_state() -> None:
    alarms = AlarmRules([rule(Measure.PAUSED, above=900, reasons=frozenset({"小休"}))])
    alarms.apply(agent(AgentState.PAUSED, 0.0, reason="用餐"))
    assert told(alarms, 2000.0) == []
    alarms.apply(agent(AgentState.PAUSED, 2000.0, reason="小休"))
    assert told(alarms, 2900.0) == []
    assert told(alarms, 2901.0) == [("r/1001", False)]
    assert alarms.raised["r/1001"].agent == "1001"
    alarms.apply(agent(AgentState.AVAILABLE, 2950.0))
    assert told(alarms, 2950.0) == [("r/1001", True)]


def test_a_pbx_that_is_gone() -> None:
    alarms = AlarmRules([rule(Measure.PBX_DOWN, above=10)])
    alarms.apply(PbxLinkChanged(at=100.0, pbx="main", up=False, reason="reset"))
    alarms.apply(PbxLinkChanged(at=105.0, pbx="main", up=False, reason="refused"))
    assert told(alarms, 109.0) == []
    assert told(alarms, 111.0) == [("r/main", False)]
    alarms.apply(PbxLinkChanged(at=112.0, pbx="main", up=True, reason=""))
    assert told(alarms, 112.0) == [("r/main", True)]


@pytest.mark.parametrize(("above", "below", "value", "broken"), [(3, None, 3, False), (None, 0, 0, False)])
def test_the_threshold_itself_is_fine(
    above: float | None, below: float | None, value: float, broken: bool
) -> None:
    assert rule(Measure.WAITING, above=above, below=below).broken_by(value) is broken


def served(state: CallState, ended_at: float | None = None, agent: str = "1001") -> Call:
    return Call(
        id="main-1",
        pbx="main",
        linkedid="1",
        direction=Direction.INBOUND,
        state=state,
        caller=Party("13962875016", ""),
        called="12345",
        started_at=1.0,
        ended_at=ended_at,
        agent=agent,
        conversations=(Conversation(agent=agent, channel="PJSIP/1001-1", started_at=2.0, ended_at=ended_at),),
    )


def order(state: OrderState = OrderState.DRAFT, line: str = "12345") -> OrderChanged:
    made = Order("o1", "main-1", line, state, {}, created_at=2.0, updated_at=2.0)
    return OrderChanged(at=2.0, order=made, changed=())


ENDED = CallEnded(at=100.0, call=served(CallState.ENDED, 100.0, "1002"))


def test_a_draft_nobody_sends_off_is_told_with_whose_call_it_was() -> None:
    alarms = AlarmRules([rule(Measure.UNSUBMITTED, above=600)])
    alarms.apply(CallUpdated(at=2.0, call=served(CallState.TALKING), what="x"))
    alarms.apply(order())
    assert told(alarms, 5000.0) == [], "the call goes on"
    alarms.apply(ENDED)
    assert told(alarms, 700.0) == []
    (raised,) = alarms.judge(701.0)
    alarm = raised.alarm
    assert (alarm.agent, alarm.call_id, alarm.line, alarm.value) == ("1002", "main-1", "12345", 601.0)
    alarms.apply(order(OrderState.SUBMITTED))
    assert told(alarms, 702.0) == [(alarm.id, True)]


def test_an_order_begun_only_after_the_call_counts_from_its_end() -> None:
    alarms = AlarmRules([rule(Measure.UNSUBMITTED, above=600, lines=frozenset({"12345"}))])
    alarms.apply(ENDED)
    alarms.apply(order())
    assert told(alarms, 701.0) == [("r/main-1", False)]
    other = AlarmRules([rule(Measure.UNSUBMITTED, above=600, lines=frozenset({"12345"}))])
    other.apply(ENDED)
    other.apply(order(line="yiqilai"))
    assert told(other, 701.0) == []


def test_drafts_of_an_earlier_run_are_known_but_not_those_sent_off_meanwhile() -> None:
    left = [
        UnsubmittedOrder("o1", "main-1", "12345", "main", "1001", 100.0),
        UnsubmittedOrder("o2", "main-2", "12345"),
    ]
    alarms = AlarmRules([rule(Measure.UNSUBMITTED, above=600)])
    alarms.unsubmitted.recall(left)
    assert told(alarms, 701.0) == [("r/main-1", False)], "the other call goes on"
    quick = AlarmRules([rule(Measure.UNSUBMITTED, above=600)])
    quick.apply(order(OrderState.SUBMITTED))
    quick.unsubmitted.recall(left)
    assert told(quick, 701.0) == []


def test_facts_that_could_not_be_stored_alarm_without_a_rule() -> None:
    alarms = AlarmRules([rule(Measure.WAITING, above=3)])
    assert told(alarms, 0.0) == []
    alarms.apply(FactRejected(at=1.0, rejected="OrderChanged", error="UnicodeEncodeError"))
    (raised,) = alarms.judge(2.0)
    assert (raised.alarm.id, raised.alarm.level, raised.alarm.value) == (
        "rejected-facts/gateway",
        "critical",
        1,
    )


# -- deadlines of orders -----------------------------------------------------------------------------------
def status(step: Step, at: float, deadline: float | None = None, order: str = "o1") -> OrderStatusTold:
    made = OrderStatus(f"main/{at}", order, "main", step, at, at, deadline=deadline)
    return OrderStatusTold(at=at, call_id=f"call of {order}", line="12345", status=made)


def test_a_deadline_near_and_passed_until_the_order_is_closed() -> None:
    near = rule(Measure.OVERDUE, above=-100.0)
    passed = structs.replace(rule(Measure.OVERDUE, above=0.0), id="p")
    alarms = AlarmRules([near, passed])
    alarms.apply(status(Step.SIGNED, 10.0, deadline=1000.0))
    assert told(alarms, 899.0) == []
    (soon,) = alarms.judge(901.0)
    assert (soon.alarm.id, soon.alarm.value) == ("r/call of o1", -99.0)
    assert told(alarms, 1001.0) == [("p/call of o1", False)]
    # It grows by itself: nobody is told every second.
    assert (told(alarms, 1010.0), alarms.moved(1010.0)) == ([], [])
    # A step that names no deadline leaves it; an extension moves it.
    alarms.apply(status(Step.HANDLED, 1011.0))
    assert told(alarms, 1012.0) == []
    alarms.apply(status(Step.EXTENDED, 1013.0, deadline=2000.0))
    assert sorted(told(alarms, 1014.0)) == [("p/call of o1", True), ("r/call of o1", True)]
    assert told(alarms, 1950.0) == [("r/call of o1", False)]
    alarms.apply(status(Step.CLOSED, 1951.0))
    assert told(alarms, 1952.0) == [("r/call of o1", True)]
    # What is told late changes nothing.
    alarms.apply(status(Step.SIGNED, 20.0, deadline=30.0))
    assert told(alarms, 1953.0) == []


def test_deadlines_of_earlier_runs_are_watched_unless_more_is_known() -> None:
    alarms = AlarmRules([rule(Measure.OVERDUE, above=0.0, lines=frozenset({"12345"}))])
    alarms.apply(status(Step.CLOSED, 50.0, order="o2"))
    alarms.deadlines.recall(
        [
            OrderDeadline("o1", "call of o1", "12345", 100.0),
            OrderDeadline("o2", "call of o2", "12345", 100.0),
            OrderDeadline("o3", "call of o3", "yiqilai", 100.0),
        ]
    )
    assert told(alarms, 101.0) == [("r/call of o1", False)]


def test_an_order_that_is_being_corrected_is_not_forgotten() -> None:
    alarms = AlarmRules([rule(Measure.UNSUBMITTED, above=10.0)])
    alarms.apply(ENDED)
    order = Order("o1", ENDED.call.id, "12345", OrderState.DRAFT, {}, 1.0, 2.0)
    sent = SentOrder(OrderState.DELIVERED, {}, None)
    alarms.apply(OrderChanged(at=6.0, order=structs.replace(order, sent=sent), changed=()))
    assert told(alarms, 1000.0) == []
    # One that has never left is.
    alarms.apply(OrderChanged(at=7.0, order=order, changed=()))
    assert told(alarms, 1001.0) == [(f"r/{ENDED.call.id}", False)]
