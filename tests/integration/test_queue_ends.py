"""How a wait in a queue ends where no agent answers, on the real Asterisk; then the dialplan goes on."""

import asyncio

import pytest

from domain.calls import Call, CallState, EndReason
from domain.facts import QueueEntryChanged
from domain.queues import QueueOutcome
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER = "13962875016"
TIMED, DOORLESS, LEAVING, SMALL, KEYED = "64001", "64002", "64003", "64004", "64005"
"""Numbers whose queue has a time, lets nobody in where nobody serves, lets go there, holds one, has a key."""


def outcomes(stage: Stage) -> list[QueueOutcome | None]:
    return [
        fact.entry.outcome
        for fact in stage.facts
        if isinstance(fact, QueueEntryChanged) and fact.stage == "left"
    ]


async def gone_on(stage: Stage) -> Call:
    """The call once its wait is over: its caller is in the dialplan, and nowhere else."""
    call: Call = await stage.until(
        lambda: next(
            (one for one in stage.tracker.calls.values() if one.state is CallState.IVR and outcomes(stage)),
            None,
        )
    )
    assert all(queue.waiting == () for queue in stage.tracker.queue_state.queues.values())
    return call


@pytest.mark.parametrize(
    ("number", "name", "outcome"),
    [
        (TIMED, "queue-timeout", QueueOutcome.TIMEOUT),
        (DOORLESS, "queue-joinempty", QueueOutcome.EMPTY),
        (LEAVING, "queue-leaveempty", QueueOutcome.EMPTY),
    ],
)
async def test_let_go_by_the_queue(stage: Stage, number: str, name: str, outcome: QueueOutcome) -> None:
    async with stage.outside() as out:
        async with stage.scene(name):
            await out.dial(number, CALLER)
            assert (await gone_on(stage)).let_go
            await stage.same_picture()
    (ended,) = stage.ended
    assert (ended.end_reason, outcomes(stage)) == (EndReason.QUEUE_TIMEOUT, [outcome])


async def test_a_full_queue(stage: Stage) -> None:
    async with stage.outside() as first, stage.outside() as second:
        async with stage.scene():
            waiting = await first.dial(SMALL, CALLER)
            await stage.until(lambda: stage.call().state is CallState.QUEUED)
            began = stage.call().id
            await second.dial(SMALL, "13962875017")
            await stage.until(lambda: outcomes(stage) == [QueueOutcome.FULL])
            assert stage.tracker.calls[began].state is CallState.QUEUED
            await stage.until(lambda: stage.ended)
            await waiting.hang_up()
    refused, gave_up = stage.ended
    assert (refused.end_reason, gave_up.end_reason) == (EndReason.QUEUE_TIMEOUT, EndReason.ABANDONED_QUEUE)


async def test_left_by_a_key(stage: Stage) -> None:
    async with stage.outside() as out:
        async with stage.scene("queue-key"):
            await out.dial(KEYED, CALLER)
            await stage.until(lambda: stage.call().state is CallState.QUEUED)
            channel = stage.call().legs[0].channel
            await asyncio.sleep(0.3)
            await stage.ami.send(Action="PlayDTMF", Channel=channel, Digit="5", Receive="true")
            await stage.until(lambda: stage.call().state is CallState.IVR)
            await stage.same_picture()
    (ended,) = stage.ended
    assert (ended.end_reason, outcomes(stage)) == (EndReason.ABANDONED_IVR, [QueueOutcome.LEFT])


async def test_withdrawn(stage: Stage) -> None:
    async with stage.outside() as out:
        async with stage.scene("queue-withdrawn"):
            await out.dial(TIMED, CALLER)
            await stage.until(lambda: stage.call().state is CallState.QUEUED)
            channel = stage.call().legs[0].channel
            await stage.ami.send(Action="QueueWithdrawCaller", Queue="yiqilai", Caller=channel)
            await gone_on(stage)
    (ended,) = stage.ended
    assert (ended.end_reason, outcomes(stage)) == (EndReason.QUEUE_TIMEOUT, [QueueOutcome.WITHDRAWN])
