"""Consultations of a queue on the real Asterisk: given up, answered, handed over; figures equal queue_log.

The caller stays the caller: line and queue change only when the caller does.
"""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from agents.figures.day import DayFigures
from domain.calls import Call, CallState, EndReason
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER = "13962875016"
EVENTS = {
    "ENTERQUEUE": "offered",
    "CONNECT": "answered",
    "ABANDON": "given_up",
    "COMPLETECALLER": "served",
    "COMPLETEAGENT": "served",
    "ATTENDEDTRANSFER": "transferred",
    "BLINDTRANSFER": "transferred",
}


class Log:
    """What queue_log says of a queue from now on."""

    def __init__(self, stage: Stage) -> None:
        (self._path,) = Path(stage.asterisk.directory).rglob("queue_log")
        self._begin = len(self._path.read_text())

    def counts(self, queue: str) -> Counter[str]:
        rows = [row.split("|") for row in self._path.read_text()[self._begin :].splitlines()]
        found = Counter(EVENTS[row[4]] for row in rows if row[2] == queue and row[4] in EVENTS)
        found["served"] += found["transferred"]
        return +found


def figures(stage: Stage, queue: str) -> Counter[str]:
    """The same of the figures."""
    day = DayFigures([line.model() for line in stage.settings.lines])
    for fact in stage.facts:
        day.apply(fact)
    said = day.day((stage.asterisk.pbx.name, queue), max(fact.at for fact in stage.facts))
    found = Counter(
        offered=said.offered,
        answered=said.answered,
        given_up=said.abandoned + said.short_abandoned,
        served=said.served,
        transferred=said.transferred,
    )
    return +found


def the_callers(stage: Stage) -> Call:
    (call,) = [one for one in stage.ended if one.caller.number == CALLER]
    return call


async def untouched(stage: Stage) -> None:
    """The caller never left 12345, whatever waits elsewhere."""
    call = stage.call()
    leg = call.caller_leg
    assert leg is not None
    assert (call.line, call.queue, leg.channel.startswith("PJSIP/trunk")) == ("12345", "q12345", True)
    assert (call.talking, call.state in (CallState.TALKING, CallState.HELD)) == (True, True)


def waiting(stage: Stage) -> list[str]:
    return [one.call_id for one in stage.tracker.queue_state.queues["yiqilai"].waiting]


def same_as_logged(stage: Stage, log: Log) -> None:
    for queue in ("q12345", "yiqilai"):
        assert figures(stage, queue) == log.counts(queue), queue
    assert stage.tracker.queue_state.entries.talking == {}
    assert stage.tracker.queue_state.entries.waiting == {}


@pytest.mark.parametrize("answered", [False, True])
async def test_a_consultation_by_command_that_comes_to_nothing(stage: Stage, answered: bool) -> None:
    log = Log(stage)
    async with (
        stage.agent("1001") as first,
        stage.agent("1002", ring_s=0.5 if answered else None),
        stage.outside() as caller,
    ):
        async with stage.scene(f"queue-asked-{'answered' if answered else 'in-vain'}"):
            call = await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            channel = began.conversations[0].channel
            await stage.ami.send(Action="Atxfer", Channel=channel, Exten="12346", Context="hotline-agents")
            await stage.until(lambda: waiting(stage) == [began.id])
            await untouched(stage)
            await asyncio.sleep(1.5)
            await untouched(stage)
            assert [talk.agent for talk in stage.call().conversations] == ["1001"]
            await stage.same_picture(unknowing=False)
            # Back to the caller: the key for it.
            for digit in "*1":
                await stage.ami.send(Action="PlayDTMF", Channel=channel, Digit=digit, Receive="true")
                await asyncio.sleep(0.25)
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            await untouched(stage)
            await stage.same_picture()
            await asyncio.sleep(0.5)
            await call.hang_up()
            assert first.calls
    ended = the_callers(stage)
    assert (ended.end_reason, ended.line, ended.queue) == (EndReason.COMPLETED, "12345", "q12345")
    assert [talk.agent for talk in ended.conversations] == ["1001"]
    same_as_logged(stage, log)


async def test_a_consultation_by_command_that_is_answered_and_handed_over(stage: Stage) -> None:
    log = Log(stage)
    async with stage.agent("1001") as first, stage.agent("1002"), stage.outside() as caller:
        async with stage.scene("queue-asked-handed-over"):
            call = await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            channel = began.conversations[0].channel
            await stage.ami.send(Action="Atxfer", Channel=channel, Exten="12346", Context="hotline-agents")
            await stage.until(lambda: any(leg.agent == "1002" and leg.bridge for leg in stage.call().legs))
            await asyncio.sleep(1.0)
            await untouched(stage)
            await (await first.incoming()).hang_up()
            handed = await stage.talking("1002")
            assert (handed.id, handed.queue, handed.line) == (began.id, "yiqilai", "yiqilai")
            await asyncio.sleep(1.0)
            await stage.same_picture()
            await call.hang_up()
    ended = the_callers(stage)
    assert [talk.agent for talk in ended.conversations] == ["1001", "1002"]
    assert ended.end_reason is EndReason.COMPLETED
    same_as_logged(stage, log)


@pytest.mark.parametrize("end", ["answered", "given-up"])
async def test_handed_over_by_command_while_it_waits(stage: Stage, end: str) -> None:
    log = Log(stage)
    seat = stage.agent("1002", ring_s=1.7 if end == "answered" else None)
    async with stage.agent("1001") as first, seat, stage.outside() as caller:
        async with stage.scene(f"queue-asked-blonde-{end}"):
            call = await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            channel = began.conversations[0].channel
            await stage.ami.send(Action="Atxfer", Channel=channel, Exten="12346", Context="hotline-agents")
            await stage.until(lambda: waiting(stage) == [began.id])
            await asyncio.sleep(0.5)
            await (await first.incoming()).hang_up()
            await stage.until(
                lambda: (
                    (stage.call().line, stage.call().queue) == ("yiqilai", "yiqilai")
                    and stage.call().state in (CallState.QUEUED, CallState.RINGING)
                )
            )
            if end == "answered":
                await stage.talking("1002")
                await asyncio.sleep(0.5)
            await call.hang_up()
    ended = the_callers(stage)
    lost = (EndReason.ABANDONED_RINGING, EndReason.ABANDONED_QUEUE)
    assert ended.end_reason in ((EndReason.COMPLETED,) if end == "answered" else lost)
    same_as_logged(stage, log)


@pytest.mark.parametrize("when", ["waiting", "ringing", "answered"])
async def test_handed_over_by_the_phone(stage: Stage, when: str) -> None:
    """REFER with Replaces: a masquerade where the queue has not connected the agent's second line yet."""
    log = Log(stage)
    seat = stage.agent("1002", ring_s={"waiting": 0.2, "ringing": 1.5, "answered": 0.2}[when])
    async with AsyncExitStack() as later, stage.agent("1001") as first, stage.outside() as caller:
        async with stage.scene(f"queue-called-{when}"):
            call = await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            line = await first.incoming()
            await line.hold()
            await stage.until(lambda: stage.call().state is CallState.HELD)
            if when != "waiting":
                await later.enter_async_context(seat)
            consult = await first.dial("646")
            own = await stage.until(
                lambda: next((one for one in stage.tracker.calls.values() if one.consults), None)
            )
            if when == "waiting":
                await stage.until(lambda: waiting(stage) == [own.id])
            elif when == "ringing":
                await seat.incoming()
                await asyncio.sleep(0.3)
            else:
                await stage.until(lambda: stage.tracker.calls[own.id].talking)
                await asyncio.sleep(1.2)
            await untouched(stage)
            await line.transfer_to(consult)
            await stage.until(lambda: set(stage.tracker.calls) == {began.id})
            await stage.until(lambda: (stage.call().line, stage.call().queue) == ("yiqilai", "yiqilai"))
            if when == "waiting":
                assert waiting(stage) == [began.id]
                await stage.until(lambda: stage.call().state is CallState.QUEUED)
                await stage.same_picture()
                await later.enter_async_context(seat)
            await stage.talking("1002")
            await asyncio.sleep(1.2)
            await stage.same_picture()
            await call.hang_up()
    ended = the_callers(stage)
    assert [talk.agent for talk in ended.conversations] == ["1001", "1002"]
    assert ended.end_reason is EndReason.COMPLETED
    same_as_logged(stage, log)
