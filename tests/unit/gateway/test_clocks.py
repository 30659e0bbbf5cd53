"""Clocks that are wrong, or set while calls go on: nothing waits, nothing is absurd."""

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from agents.figures.day import DayFigures
from agents.timers import AgentTimers
from domain.calls import Call
from domain.facts import AgentChanged, AnyFact, CallAnswered, CallEnded, CallFact, QueueEntryChanged
from domain.history import summary_of
from domain.pbx.events import AnyPbxEvent
from domain.queues import AgentState, AgentStatus, QueueEntry
from domain.spans import LONGEST_S, elapsed, measured
from gateway import clock as house
from gateway.app import run_gateway
from gateway.asterisk.event_clock import EventClock
from gateway.asterisk.link import PbxLink
from gateway.clock import STEP_S, HouseClock
from gateway.facts.recorder import FactRecorder
from gateway.settings import PbxSettings
from gateway.storage.journal import JournalWriter
from tests.support.ami_server import ScriptedAmi, message
from tests.support.at_the_desk import settings
from tests.support.queue_call import ANSWERED, ARRIVAL, LINES, OVER, RINGING, play, tracker
from workorders.delivery.payload import build_payload
from workorders.filling import new_order

IN_2106 = 4_294_967_295.0
HOUR = 3600.0
NOW = 1_780_000_000.0
STAMPS = st.one_of(
    st.floats(NOW - 400, NOW + 400),
    st.sampled_from([IN_2106, 0.0, 1.0, -5.0, math.nan, math.inf, -math.inf, 1e300, NOW - HOUR, NOW + HOUR]),
)


# -- our own clock -------------------------------------------------------------------------------------------
class Machine:
    """A machine's two clocks, set by hand."""

    def __init__(self) -> None:
        self.wall, self.steady = NOW, 50.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def clock(self) -> HouseClock:
        return HouseClock(lambda: self.wall, lambda: self.steady)


@given(
    st.lists(
        st.tuples(st.floats(0, 600), st.sampled_from([0.0, -HOUR, HOUR, -0.3, 0.3, 1e9, -1e9])), max_size=30
    )
)
def test_our_time_neither_goes_back_nor_jumps(steps: list[tuple[float, float]]) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock.now()
    for seconds, set_by in steps:
        machine.pass_by(seconds)
        machine.wall += set_by
        after = clock.now()
        assert 0.94 * seconds - 1e-3 <= after - before <= 1.06 * seconds + 1e-3
        before = after


def test_it_follows_the_machine_slowly_and_at_once_where_nothing_goes_on() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall -= HOUR
    assert clock.was_set
    for _ in range(int(HOUR / 0.05 / 10) + 10):
        machine.pass_by(10.0)
        clock.now()
    assert abs(clock.off) < STEP_S
    machine.wall += 8 * HOUR
    assert clock.settle() == pytest.approx(8 * HOUR, abs=STEP_S)
    assert clock.now() == machine.wall


# -- the PBX's stamps ----------------------------------------------------------------------------------------
@given(st.lists(st.tuples(STAMPS, st.floats(0, 5)), max_size=40))
def test_whatever_the_pbx_stamps_time_goes_on(stamps: list[tuple[float, float]]) -> None:
    door, now, before = EventClock(), NOW, -math.inf
    for stamp, later in stamps:
        now += later
        at = door.at(stamp, now)
        assert before <= at <= now
        assert now - at <= 400 + sum(one for _, one in stamps)
        before = at


def test_a_right_clock_is_believed_also_where_events_waited() -> None:
    moved: list[float] = []
    door = EventClock(moved.append)
    assert door.at(NOW, NOW + 0.01) == NOW
    assert door.at(NOW + 1.0, NOW + 40.0) == NOW + 1.0  # we were busy
    assert door.at(NOW + 39.9, NOW + 40.0) == NOW + 39.9
    assert moved == []


@pytest.mark.parametrize("by", [-HOUR, HOUR, -90.0, 90.0, 80 * 365 * 86_400.0, -NOW + 1.0])
def test_a_pbx_clock_that_is_set_moves_no_span(by: float) -> None:
    """In mid-call and back again: what lies between two events is what lay between them."""
    moved: list[float] = []
    door = EventClock(moved.append)
    set_by = {100: by, 200: 0.0}
    offset, found = 0.0, []
    for second in range(300):
        offset = set_by.get(second, offset)
        found.append(door.at(NOW + second + offset, NOW + second + 0.02))
    for second, at in enumerate(found):
        assert at == pytest.approx(NOW + second, abs=0.05)
    assert len(moved) == 2


def test_an_event_of_2106_is_dated_now_and_the_next_one_as_ever() -> None:
    door = EventClock()
    assert door.at(NOW, NOW) == NOW
    assert door.at(IN_2106, NOW + 1) == NOW + 1
    assert door.at(NOW + 1.9, NOW + 2) == NOW + 1.9


async def _answer(fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
    lists = ("CoreShowChannels", "QueueStatus", "BridgeList", "DeviceStateList")
    name, identity = fields.get("Action", ""), fields.get("ActionID", "")
    if name in lists:
        writer.write(message(Response="Success", EventList="start", ActionID=identity))
        writer.write(message(Event=f"{name}Complete", EventList="Complete", ActionID=identity))
    else:
        writer.write(message(Response="Success", ActionID=identity))


async def test_stamps_over_a_real_ami_socket(tmp_path: Path) -> None:
    events: list[AnyPbxEvent] = []

    async def on_event(event: AnyPbxEvent) -> None:
        events.append(event)

    async def nothing(_: Any) -> None:
        return

    secret = tmp_path / "secret"
    secret.write_text("right\n")
    stamps = [
        "nan",
        "-3600",
        "0",
        "1e400",
        "4294967295",
        "x" * 300,
        "",
        "1",
        "99999999999999999999",
        "{real}",
    ]
    async with ScriptedAmi(_answer) as pbx:
        settings = PbxSettings(name="main", port=pbx.port, secret_file=secret)
        link = PbxLink(settings, on_event, nothing, nothing)
        task = asyncio.create_task(link.run())
        began = house.now()
        async with asyncio.timeout(10):
            while link.state.phase != "up":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            for stamp in stamps:
                real = f"{house.now():.6f}"
                fields = {"Event": "Newstate", "Uniqueid": "1.1", "Channel": "PJSIP/a-1"}
                await pbx.send(message(**fields, Timestamp=stamp.replace("{real}", real)))
            while len(events) < len(stamps):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    times = [event.at for event in events]
    assert times == sorted(times)
    assert all(began <= at <= house.now() for at in times)


# -- what is stored, shown and delivered ---------------------------------------------------------------------
def spans(facts: list[AnyFact]) -> dict[str, list[float]]:
    """Every span that follows from the facts."""
    found: dict[str, list[float]] = {}

    def add(name: str, *values: float | None) -> None:
        found.setdefault(name, []).extend(value for value in values if value is not None)

    for fact in facts:
        if isinstance(fact, CallAnswered):
            add("waited", fact.waited)
        if isinstance(fact, QueueEntryChanged):
            add("entry", fact.entry.waited, fact.entry.talked, fact.entry.wrapped_up)
        if isinstance(fact, CallFact):
            told = summary_of(fact.call, None)
            add("summary", told.waited, told.talked, told.held)
            document = json.loads(build_payload(new_order(fact.call, "12345", 1.0), fact.call, [], []))
            add("delivered", document["call"]["waited_s"], document["call"]["talked_s"])
            add("stored", *_lengths(fact.call))
    return found


def _lengths(call: Call) -> list[float]:
    parts: list[Any] = [*call.conversations, *call.holds, *call.conferences, *call.recordings]
    both = [(one.started_at, one.ended_at) for one in parts]
    both += [(leg.created_at, leg.ended_at) for leg in call.legs] + [(call.started_at, call.ended_at)]
    return [until - since for since, until in both if until is not None]


@given(st.integers(0, 16), st.sampled_from([-HOUR, -2.0, -70.0, -86_000.0]), st.integers(1, 17))
def test_no_negative_span_whenever_the_clock_is_set_back(first: int, by: float, length: int) -> None:
    story = [*ARRIVAL, *RINGING, *ANSWERED, *OVER]
    set_back = [
        structs.replace(one, at=one.at + 100_000.0 + (by if first <= number < first + length else 0.0))
        for number, one in enumerate(story)
    ]
    told = [
        structs.replace(one, hold_time=by, **({"talk_time": by} if hasattr(one, "talk_time") else {}))
        if hasattr(one, "hold_time")
        else one
        for one in set_back
    ]
    for events in (set_back, told):
        facts = play(tracker(), events)
        assert any(isinstance(fact, CallEnded) for fact in facts)
        for name, found in spans(facts).items():
            assert all(span >= 0.0 for span in found), (name, found)


def test_spans() -> None:
    assert elapsed(1.0, 4.0) == 3.0
    for since, until in ((4.0, 1.0), (math.nan, 1.0), (1.0, math.nan), (NOW, IN_2106), (0.0, LONGEST_S + 1)):
        assert elapsed(since, until) == 0.0
    assert measured(5.0, 10.0, 15.4) == 5.0
    assert measured(6.0, 10.0, 15.4) == 6.0  # counted in whole seconds
    for told in (-3599.0, 3605.0, math.nan, math.inf):
        assert measured(told, 10.0, 15.4) == pytest.approx(5.4)


# -- what a wrong clock left in the database -----------------------------------------------------------------
def stay(at: float) -> QueueEntryChanged:
    return QueueEntryChanged(
        at=at, entry=QueueEntry("main", "q12345", "12345", "main-1", "1", at), stage="entered"
    )


def available(at: float, **more: Any) -> AgentChanged:
    status = AgentStatus(
        "1001", "王芳", "PJSIP/1001", AgentState.AVAILABLE, at, queues=("q12345",), pbx="main"
    )
    return AgentChanged(at=at, agent=structs.replace(status, **more))


@pytest.mark.parametrize("at", [IN_2106, 1e300, math.inf, math.nan, -1.0, NOW + 2 * HOUR])
def test_figures_count_nothing_of_a_wrong_clock_and_go_on(at: float) -> None:
    figures = DayFigures(LINES)
    figures.now = NOW
    for fact in (available(NOW - 100), available(at), stay(at), stay(NOW - 50), stay(NOW - 40)):
        figures.apply(fact)
    figures.resume(NOW)
    assert figures.agent("1001", NOW + 10).available_s == pytest.approx(60 + 10)
    assert figures.day(("main", "q12345"), NOW + 10).offered == 2


def test_a_state_that_lasts_since_1970_is_not_walked_through() -> None:
    figures = DayFigures(LINES)
    figures.apply(available(1.0))
    figures.apply(available(NOW))
    assert figures.agent("1001", NOW + 5).available_s == pytest.approx(5)


def test_a_clock_that_is_followed_at_once_adds_no_time() -> None:
    figures = DayFigures(LINES)
    noon = datetime.fromisoformat("2026-11-28T12:00:00+08:00").timestamp()
    figures.apply(available(noon))
    for by in (HOUR, -HOUR, 30 * 86_400.0):
        figures.moved(noon + 10, noon + 10 + by)
    assert figures.agent("1001", noon + 10 + 30 * 86_400 + 5).available_s <= 15


async def test_a_gateway_starts_on_a_journal_with_facts_of_2106(tmp_path: Path, database_url: str) -> None:
    wrapping = {"state": AgentState.WRAP_UP, "wrap_up_until": IN_2106}
    async with run_gateway(settings(tmp_path, database_url)) as gateway:
        record = gateway.get(FactRecorder).record
        record(available(IN_2106), stay(IN_2106), available(IN_2106, **wrapping), available(1.0), stay(1.0))
        await gateway.get(JournalWriter).flush()
        assert gateway.get(JournalWriter).rejected == 0
    async with asyncio.timeout(15), run_gateway(settings(tmp_path, database_url)) as gateway:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(0.01)
        assert loop.time() - began < 2
        known = gateway.figures.today.statuses.get("1001")
        assert known is None or known.since < IN_2106


# -- timers ------------------------------------------------------------
class Members:
    """The PBX's side: pauses as they are set."""

    connected = True

    def __init__(self) -> None:
        self.pauses: list[bool] = []

    async def pause(self, interface: str, paused: bool, reason: str = "") -> None:
        self.pauses.append(paused)


@asynccontextmanager
async def wrapping_up(machine: Machine, wrap_up_s: float) -> AsyncIterator[tuple[AgentTimers, Members]]:
    on = tracker()
    for name, line in on.queue_state._lines.items():
        on.queue_state._lines[name] = structs.replace(line, wrap_up_s=wrap_up_s)
    clock, members = machine.clock(), Members()
    began = clock.now()
    play(on, [structs.replace(one, at=one.at + began - 61) for one in (*ARRIVAL, *RINGING, *ANSWERED, *OVER)])
    facts: list[AnyFact] = []

    async def follow(_: str) -> None:
        return

    timers = AgentTimers(on.queue_state, members, lambda *more: facts.extend(more), follow, clock.now)
    task = asyncio.create_task(timers.run())
    yield timers, members
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("by", [-HOUR, HOUR, -30 * 86_400.0])
async def test_wrap_up_ends_when_it_should_though_our_clock_is_set(by: float) -> None:
    machine = Machine()
    async with wrapping_up(machine, 20.0) as (timers, members):
        await asyncio.sleep(0.05)
        assert members.pauses == [True]
        machine.wall += by
        machine.pass_by(10.0)
        timers._wake.set()
        await asyncio.sleep(0.05)
        assert members.pauses == [True]
        machine.pass_by(11.0)
        timers._wake.set()
        await asyncio.sleep(0.05)
        assert (
            timers.queue_state.agents["1001"].state is not AgentState.WRAP_UP or members.pauses[-1] is False
        )


def test_random_walks_of_both_clocks_leave_no_absurd_span() -> None:
    """The PBX's clock and ours are set at random while a call of two minutes goes on."""
    dice = random.Random(7)
    story = [*ARRIVAL, *RINGING, *ANSWERED, *OVER]
    for _ in range(300):
        machine, door, on = Machine(), EventClock(), tracker()
        clock, pbx, last, facts = machine.clock(), 0.0, 0.0, list[AnyFact]()
        for one in story:
            machine.pass_by(one.at - last)
            last = one.at
            if dice.random() < 0.2:
                pbx = dice.choice([0.0, -HOUR, HOUR, IN_2106 - NOW, -NOW + 5])
            if dice.random() < 0.2:
                machine.wall = NOW + last + dice.choice([0.0, -HOUR, HOUR])
            stamp = NOW + last + pbx
            facts += on.apply(structs.replace(one, at=door.at(stamp, clock.now())))
        for name, found in spans(facts).items():
            assert all(0.0 <= span < 70.0 for span in found), (name, found)
