"""Threshold rules on plain data."""

from typing import Any

import pytest
from msgspec import structs

from gateway.calls.alarms import AlarmBook
from gateway.models.alarm import Alarm, AlarmRule, Level, Measure
from gateway.models.facts import AgentChanged, PbxLinkChanged, QueueChanged, QueueFiguresChanged
from gateway.models.figures import QueueFigures
from gateway.models.queue import AgentState, AgentStatus, Queue, Waiting


def rule(measure: Measure, **more: Any) -> AlarmRule:
    return AlarmRule(id="r", name="规则", measure=measure, **more)


def queue(*since: float, name: str = "q", line: str | None = "12345") -> QueueChanged:
    waiting = tuple(Waiting(f"c{n}", f"{n}.1", n, at) for n, at in enumerate(since, 1))
    return QueueChanged(at=0.0, queue=Queue(name, "main", line, waiting))


def agent(state: AgentState, since: float = 0.0, **more: Any) -> AgentChanged:
    made = AgentStatus("1001", "王芳", "PJSIP/1001", state, since, queues=("q",), pbx="main")
    return AgentChanged(at=since, agent=structs.replace(made, **more))


def told(book: AlarmBook, now: float) -> list[tuple[str, bool]]:
    return [(fact.alarm.id, fact.over) for fact in book.judge(now)]


def test_raised_once_and_cleared_once() -> None:
    book = AlarmBook([rule(Measure.WAITING, above=1, level=Level.CRITICAL)])
    book.apply(queue(1.0))
    assert told(book, 2.0) == []
    book.apply(queue(1.0, 2.0))
    (raised,) = book.judge(3.0)
    assert raised.alarm == Alarm(
        id="r/main/q",
        rule="r",
        name="规则",
        measure=Measure.WAITING,
        level=Level.CRITICAL,
        value=2,
        threshold=1,
        since=3.0,
        pbx="main",
        queue="q",
        line="12345",
    )
    assert told(book, 4.0) == []
    book.apply(queue())
    assert told(book, 5.0) == [("r/main/q", True)]
    assert told(book, 6.0) == []


def test_a_wait_grows_by_itself() -> None:
    book = AlarmBook([rule(Measure.LONGEST_WAIT, above=60)])
    book.apply(queue(100.0, 150.0))
    assert told(book, 160.0) == []
    assert told(book, 160.5) == [("r/main/q", False)]


def test_only_what_lasts() -> None:
    book = AlarmBook([rule(Measure.WAITING, above=0, for_s=10)])
    book.apply(queue(1.0))
    assert told(book, 1.0) == []
    book.apply(queue())
    assert told(book, 5.0) == []
    book.apply(queue(6.0))
    assert told(book, 12.0) == []
    assert told(book, 22.0) == [("r/main/q", False)]
    assert book.raised["r/main/q"].since == 12.0


def test_rates_need_enough_calls_and_a_day_that_is_not_over() -> None:
    book = AlarmBook([rule(Measure.CONNECTION_RATE, below=0.9, min_offered=10)])

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

    book.apply(day(9, 0.5))
    assert told(book, 1.0) == []
    book.apply(day(20, None))
    assert told(book, 2.0) == []
    book.apply(day(20, 0.5, interval=3))
    assert told(book, 2.5) == [], "an interval is not the day"
    book.apply(day(20, 0.5))
    assert told(book, 3.0) == [("r/main/q", False)]
    assert told(book, 86400.0) == [("r/main/q", True)]


def test_rules_of_some_lines_leave_others_alone() -> None:
    book = AlarmBook([rule(Measure.WAITING, above=0, lines=frozenset({"12345"}))])
    book.apply(queue(1.0))
    book.apply(queue(1.0, name="other", line="yiqilai"))
    book.apply(queue(1.0, name="stranger", line=None))
    assert told(book, 2.0) == [("r/main/q", False)]


def test_nobody_there_to_answer() -> None:
    book = AlarmBook([rule(Measure.AVAILABLE, below=1)])
    book.apply(queue())
    book.apply(agent(AgentState.AVAILABLE))
    assert told(book, 1.0) == []
    book.apply(agent(AgentState.TALKING))
    assert told(book, 2.0) == [("r/main/q", False)]


def test_an_agent_too_long_in_a_state() -> None:
    book = AlarmBook([rule(Measure.PAUSED, above=900, reasons=frozenset({"小休"}))])
    book.apply(agent(AgentState.PAUSED, 0.0, reason="用餐"))
    assert told(book, 2000.0) == []
    book.apply(agent(AgentState.PAUSED, 2000.0, reason="小休"))
    assert told(book, 2900.0) == []
    assert told(book, 2901.0) == [("r/1001", False)]
    assert book.raised["r/1001"].agent == "1001"
    book.apply(agent(AgentState.AVAILABLE, 2950.0))
    assert told(book, 2950.0) == [("r/1001", True)]


def test_a_pbx_that_is_gone() -> None:
    book = AlarmBook([rule(Measure.PBX_DOWN, above=10)])
    book.apply(PbxLinkChanged(at=100.0, pbx="main", up=False, reason="reset"))
    book.apply(PbxLinkChanged(at=105.0, pbx="main", up=False, reason="refused"))
    assert told(book, 109.0) == []
    assert told(book, 111.0) == [("r/main", False)]
    book.apply(PbxLinkChanged(at=112.0, pbx="main", up=True, reason=""))
    assert told(book, 112.0) == [("r/main", True)]


@pytest.mark.parametrize(("above", "below", "value", "broken"), [(3, None, 3, False), (None, 0, 0, False)])
def test_the_threshold_itself_is_fine(
    above: float | None, below: float | None, value: float, broken: bool
) -> None:
    assert rule(Measure.WAITING, above=above, below=below).broken_by(value) is broken
