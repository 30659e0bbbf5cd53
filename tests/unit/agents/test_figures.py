"""Figures on plain data: what is counted, when the day begins, and that a restart changes nothing."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from agents.figures.day import DayFigures
from agents.figures.state import INTERVAL_S, day_of
from domain.facts import (
    AgentChanged,
    AgentFiguresChanged,
    AnyFact,
    QueueEntryChanged,
    QueueFiguresChanged,
)
from domain.figures import QueueFigures
from domain.lines import Line
from domain.queues import AgentState, AgentStatus, QueueEntry, QueueOutcome

LINE = Line(id="12345", name="12345", numbers=(), queue="q", service_level_s=15.0, abandon_after_s=5.0)
KEY = ("main", "q")
SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=SHANGHAI).timestamp()


def rebuilt(day_figures: DayFigures, facts: Iterable[AnyFact], now: float) -> DayFigures:
    """Replay an earlier run's facts into `day_figures`."""
    for fact in facts:
        day_figures.apply(fact)
    day_figures.resume(now)
    return day_figures


def queue_entry(
    at: float,
    outcome: QueueOutcome,
    waited: float,
    *,
    talked: float | None = None,
    wrapped_up: float | None = None,
    transferred: bool = False,
    missed: int = 0,
    uniqueid: str = "1.1",
) -> list[AnyFact]:
    entry = QueueEntry("main", "q", "12345", f"main-{uniqueid}", uniqueid, at)
    facts: list[AnyFact] = [QueueEntryChanged(at=at, entry=entry, stage="entered")]
    agent = "1001" if outcome is QueueOutcome.ANSWERED else None
    entry = structs.replace(
        entry, outcome=outcome, left_at=at + waited, waited=waited, agent=agent, missed=missed
    )
    facts.append(QueueEntryChanged(at=at + waited, entry=entry, stage="left"))
    if talked is not None:
        entry = structs.replace(entry, talked=talked, transferred=transferred)
        facts.append(QueueEntryChanged(at=at + waited + talked, entry=entry, stage="served"))
    if wrapped_up is not None:
        entry = structs.replace(entry, wrapped_up=wrapped_up)
        facts.append(QueueEntryChanged(at=at + waited + (talked or 0), entry=entry, stage="wrapped_up"))
    return facts


def status(at: float, state: AgentState, agent: str = "1001", **more: object) -> AgentChanged:
    made = AgentStatus(agent, agent, f"PJSIP/{agent}", state, at, queues=("q",), pbx="main")
    return AgentChanged(at=at, agent=structs.replace(made, **more))


def day(facts: list[AnyFact], now: float = NOON + 3600) -> QueueFigures:
    day_figures = DayFigures([LINE])
    for fact in facts:
        day_figures.apply(fact)
    return day_figures.day(KEY, now)


def test_each_ending_is_counted_where_it_belongs() -> None:
    a = QueueOutcome
    figures = day(
        [
            *queue_entry(NOON, a.ANSWERED, 15.0, talked=60.0, wrapped_up=20.0),
            *queue_entry(NOON, a.ANSWERED, 16.0, talked=40.0, transferred=True, missed=2),
            *queue_entry(NOON, a.ABANDONED, 5.0),
            *queue_entry(NOON, a.ABANDONED, 4.0),
            *queue_entry(NOON, a.TIMEOUT, 90.0),
            *queue_entry(NOON, a.EMPTY, 1.0),
            *queue_entry(NOON, a.WITHDRAWN, 3.0),
            *queue_entry(NOON, a.UNSEEN, 0.0),
        ]
    )
    assert (figures.offered, figures.answered, figures.answered_in_time) == (8, 2, 1)
    assert (figures.abandoned, figures.short_abandoned, figures.timeout, figures.other) == (1, 1, 1, 1)
    assert (figures.withdrawn, figures.unseen, figures.transferred, figures.missed) == (1, 1, 1, 2)
    assert figures.service_level == 1 / 5
    assert figures.connection_rate == 2 / 5
    assert figures.abandon_rate == 1 / 5
    assert figures.longest_wait_s == 90.0
    assert figures.average_speed_of_answer_s == 15.5
    assert figures.average_time_to_abandon_s == 5.0
    assert figures.average_handling_time_s == (60 + 40 + 20) / 2


def test_nothing_is_divided_by_nothing() -> None:
    figures = day([])
    assert (figures.service_level, figures.average_speed_of_answer_s, figures.occupancy) == (None, None, None)


def test_the_day_begins_at_the_lines_own_midnight() -> None:
    midnight = datetime(2026, 11, 25, tzinfo=SHANGHAI).timestamp()
    day_figures = DayFigures([LINE])
    for fact in [
        *queue_entry(midnight - 10, QueueOutcome.ANSWERED, 15.0, talked=30.0),
        *queue_entry(midnight, QueueOutcome.ANSWERED, 1.0, talked=30.0),
    ]:
        day_figures.apply(fact)
    # Who entered before midnight is yesterday's, though answered and served today.
    today = day_figures.day(KEY, midnight + 100)
    assert (today.offered, today.answered, today.talk_s, today.start) == (1, 1, 30.0, midnight)
    abroad = DayFigures([structs.replace(LINE, timezone="Europe/Berlin")])
    for fact in queue_entry(midnight, QueueOutcome.ANSWERED, 1.0):
        abroad.apply(fact)
    assert abroad.day(KEY, midnight + 100).start == midnight - 17 * 3600


@pytest.mark.parametrize(("date", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_a_day_is_as_long_as_its_clocks_say(date: tuple[int, int, int], hours: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    noon = datetime(*date, 12, tzinfo=zone).timestamp()
    found = day_of(noon, zone)
    assert (found.end - found.start) / 3600 == hours
    assert datetime.fromtimestamp(found.start, zone).hour == 0


def test_the_clocks_going_back_do_not_shorten_the_first_hours() -> None:
    """Where midnight itself comes twice, the day begins at the first."""
    zone = ZoneInfo("America/Havana")
    found = day_of(datetime(2026, 11, 1, 12, tzinfo=zone).timestamp(), zone)
    assert (found.end - found.start) / 3600 == 25


def test_an_agents_day() -> None:
    day_figures = DayFigures([LINE])
    facts: list[AnyFact] = [
        status(NOON, AgentState.AVAILABLE),
        status(NOON + 100, AgentState.RINGING),
        status(NOON + 105, AgentState.TALKING),
        *queue_entry(NOON + 90, QueueOutcome.ANSWERED, 15.0),
        status(NOON + 165, AgentState.ON_HOLD),
        status(NOON + 175, AgentState.WRAP_UP),
        status(NOON + 205, AgentState.PAUSED, reason="小休"),
        status(NOON + 505, AgentState.AVAILABLE, missed=1),
        status(NOON + 605, AgentState.LOGGED_OUT, queues=()),
    ]
    for fact in facts:
        day_figures.apply(fact)
    figures = day_figures.agent("1001", NOON + 9999)
    assert (figures.taken, figures.missed) == (1, 1)
    assert (figures.available_s, figures.ringing_s, figures.talk_s, figures.hold_s) == (200, 5, 60, 10)
    assert (figures.wrap_up_s, figures.paused_s, figures.paused_by_reason) == (30, 300, {"小休": 300})
    assert figures.logged_in_s == 605
    assert figures.occupancy == 100 / 305
    # The queue's occupancy is that of the agents in it, interval by interval.
    assert day_figures.day(KEY, NOON + 9999).occupancy == pytest.approx(100 / 305)


def test_an_agents_day_ends_at_midnight() -> None:
    midnight = datetime(2026, 11, 25, tzinfo=SHANGHAI).timestamp()
    day_figures = DayFigures([LINE])
    day_figures.apply(status(midnight - 100, AgentState.TALKING))
    assert day_figures.agent("1001", midnight + 50).talk_s == 50
    assert day_figures.agent("1001", midnight + 50).start == midnight


def test_told_once_and_only_when_changed() -> None:
    day_figures = DayFigures([LINE])
    for fact in queue_entry(NOON, QueueOutcome.ANSWERED, 3.0, talked=10.0):
        day_figures.apply(fact)
    told = day_figures.take(NOON + 20)
    assert [
        (type(fact), fact.figures.interval) for fact in told if isinstance(fact, QueueFiguresChanged)
    ] == [
        (QueueFiguresChanged, None),
        (QueueFiguresChanged, 24),
    ]
    assert day_figures.take(NOON + 21) == []
    day_figures.apply(status(NOON + 22, AgentState.AVAILABLE))
    told = day_figures.take(NOON + 23)
    assert [fact.figures.agent for fact in told if isinstance(fact, AgentFiguresChanged)] == ["1001"]


OUTCOMES = st.sampled_from(list(QueueOutcome))
STAYS = st.lists(st.tuples(st.integers(0, 40 * 3600), OUTCOMES, st.integers(0, 3000)), max_size=30)
STATES = st.lists(st.tuples(st.integers(0, 40 * 3600), st.sampled_from(list(AgentState))), max_size=30)


@given(STAYS, STATES)
def test_the_day_is_the_sum_of_its_intervals_and_a_restart_changes_nothing(
    stays: list[tuple[int, QueueOutcome, int]], states: list[tuple[int, AgentState]]
) -> None:
    begin = NOON - 36 * 3600
    facts: list[AnyFact] = []
    for number, (offset, outcome, waited) in enumerate(stays):
        talked = 60.0 if outcome is QueueOutcome.ANSWERED else None
        facts += queue_entry(begin + offset, outcome, float(waited), talked=talked, uniqueid=f"{number}.1")
    facts += [status(begin + offset, state) for offset, state in states]
    facts.sort(key=lambda fact: fact.at)
    now = begin + 44 * 3600
    live = DayFigures([LINE])
    for number, fact in enumerate(facts):
        live.apply(fact)
        if number % 3 == 0:
            live.take(fact.at)
    # The journal holds them as JSON; another run, told them all, counts the same.
    stored = [msgspec.json.decode(msgspec.json.encode(fact), type=AnyFact) for fact in facts]
    again = rebuilt(DayFigures([LINE]), stored, live.last_at)
    figures = structs.asdict(again.day(KEY, live.last_at))
    for name, value in structs.asdict(live.day(KEY, live.last_at)).items():
        assert figures[name] == pytest.approx(value), name
    total = live.day(KEY, now)
    parts = live.intervals(KEY, now)
    assert total.offered == sum(one.offered for one in parts)
    assert total.offered == (
        total.answered
        + total.abandoned
        + total.short_abandoned
        + total.timeout
        + total.other
        + total.withdrawn
        + total.unseen
    )
    assert all(one.end - one.start <= INTERVAL_S for one in parts)


def test_time_that_nobody_watched_is_in_no_state() -> None:
    day_figures = DayFigures([LINE])
    facts: list[AnyFact] = [
        status(NOON, AgentState.AVAILABLE),
        *queue_entry(NOON + 50, QueueOutcome.ABANDONED, 10.0),
    ]
    rebuilt(day_figures, facts, NOON + 3000)
    assert day_figures.agent("1001", NOON + 3010).available_s == 70
    assert day_figures.statuses["1001"].state is AgentState.AVAILABLE


def test_what_was_open_is_known_after_a_restart() -> None:
    facts = queue_entry(NOON, QueueOutcome.ANSWERED, 3.0, talked=10.0)
    assert [v.outcome for v in rebuilt(DayFigures([LINE]), facts[:1], NOON).open_entries.values()] == [None]
    assert [v.agent for v in rebuilt(DayFigures([LINE]), facts[:2], NOON).open_entries.values()] == ["1001"]
    assert rebuilt(DayFigures([LINE]), facts, NOON).open_entries == {}
