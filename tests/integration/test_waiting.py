"""Callers who wait, and give up, in each phase of a call."""

import asyncio

import pytest

from domain.calls import CallState, EndReason
from domain.facts import AgentMissed, CallAnswered
from domain.queues import AgentState
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER = "13962875016"


async def test_given_up_while_nobody_is_there(stage: Stage) -> None:
    async with stage.outside() as out:
        async with stage.scene("abandoned-queue"):
            call = await out.dial("12346", CALLER)
            await stage.until(lambda: stage.call().state is CallState.QUEUED)
            await asyncio.sleep(0.3)
            await stage.same_picture()
            await call.hang_up()
    (ended,) = stage.ended
    assert (ended.end_reason, ended.queue, ended.conversations) == (EndReason.ABANDONED_QUEUE, "yiqilai", ())
    assert stage.tracker.queue_state.queues["yiqilai"].waiting == ()


async def test_given_up_while_a_phone_rings(stage: Stage) -> None:
    async with stage.agent("1001", ring_s=None) as agent, stage.outside() as out:
        async with stage.scene("abandoned-ringing"):
            call = await out.dial("12345", CALLER)
            await agent.incoming()
            await stage.until(lambda: stage.call().state is CallState.RINGING)
            await call.hang_up()
    (ended,) = stage.ended
    assert ended.end_reason is EndReason.ABANDONED_RINGING
    assert stage.tracker.queue_state.agents["1001"].call_id is None


async def test_given_up_on_hold(stage: Stage) -> None:
    async with stage.agent("1001") as agent, stage.outside() as out:
        async with stage.scene("abandoned-held"):
            call = await out.dial("12345", CALLER)
            await stage.talking("1001")
            await (await agent.incoming()).hold()
            await stage.until(lambda: stage.call().state is CallState.HELD)
            assert stage.tracker.queue_state.agents["1001"].state is AgentState.ON_HOLD
            await call.hang_up()
    (ended,) = stage.ended
    assert ended.end_reason is EndReason.COMPLETED
    (hold,) = ended.holds
    assert hold.ended_at is not None
    assert hold.ended_at <= (ended.ended_at or 0)


async def test_given_up_in_the_second_wait_after_a_transfer(stage: Stage) -> None:
    seat = stage.agent("1003", ring_s=None)
    async with stage.agent("1001") as agent, seat, stage.outside() as out:
        async with stage.scene("abandoned-after-transfer"):
            call = await out.dial("12345", CALLER)
            await stage.talking("1001")
            await (await agent.incoming()).transfer("12347")
            await seat.incoming()
            await stage.until(lambda: stage.call().state is CallState.RINGING)
            await stage.same_picture()
            await call.hang_up()
    (ended,) = stage.ended
    assert (ended.end_reason, ended.queue) == (EndReason.ABANDONED_RINGING, "shangxian")
    assert [talk.agent for talk in ended.conversations] == ["1001"]
    assert ended.answered_at is not None


async def test_given_up_while_parked(stage: Stage) -> None:
    async with stage.agent("1001") as agent, stage.outside() as out:
        async with stage.scene("abandoned-parked"):
            call = await out.dial("12345", CALLER)
            await stage.talking("1001")
            await (await agent.incoming()).transfer("700")
            await stage.until(lambda: stage.call().state is CallState.PARKED)
            await asyncio.sleep(0.3)
            await call.hang_up()
    (ended,) = stage.ended
    assert ended.end_reason is EndReason.ABANDONED_PARKED


async def test_not_answered_and_asked_again(stage: Stage) -> None:
    async with stage.agent("1001", ring_s=None) as agent, stage.outside() as out:
        async with stage.scene("requeue"):
            call = await out.dial("12345", CALLER)
            await agent.incoming()
            await stage.until(lambda: any(isinstance(fact, AgentMissed) for fact in stage.facts))
            agent.ring_s = 0.1
            await stage.talking("1001")
            await call.hang_up()
    (ended,) = stage.ended
    missed = [fact for fact in stage.facts if isinstance(fact, AgentMissed)]
    (answered,) = [fact for fact in stage.facts if isinstance(fact, CallAnswered)]
    assert (len(missed), missed[0].agent, missed[0].call.state) == (1, "1001", CallState.QUEUED)
    assert missed[0].rang == pytest.approx(2.0, abs=0.5)
    assert answered.waited >= 2.0
    assert ended.end_reason is EndReason.COMPLETED


async def test_every_phone_busy(stage: Stage) -> None:
    async with stage.agent("1001", refuse="486 Busy Here"), stage.outside() as out:
        async with stage.scene("busy"):
            call = await out.dial("12345", CALLER)
            await stage.until(lambda: any(isinstance(fact, AgentMissed) for fact in stage.facts))
            await asyncio.sleep(0.2)
            assert stage.call().state is CallState.QUEUED
            await call.hang_up()
    (ended,) = stage.ended
    assert (ended.end_reason, ended.agent) == (EndReason.ABANDONED_QUEUE, None)
