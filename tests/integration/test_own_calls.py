"""Calls that agents make: out, to each other, by click; and what of ours no picture shows."""

import asyncio

import pytest

from domain.calls import CallState, Direction, EndReason, Side
from domain.facts import AgentMissed, CallStarted
from domain.queues import AgentState
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

UNIT = "051312345"


async def test_an_agent_calls_out(stage: Stage) -> None:
    async with stage.agent("1001") as agent, stage.outside(ring_s=0.4) as unit:
        await stage.dialable(unit)
        async with stage.scene("outbound"):
            call = await agent.dial("9" + UNIT)
            ringing = await stage.until(
                lambda: stage.call() if stage.call().state is CallState.RINGING else None
            )
            assert (ringing.direction, ringing.called) == (Direction.OUTBOUND, "9" + UNIT)
            await stage.talking("1001")
            status = stage.tracker.queue_state.agents["1001"]
            assert (status.state, status.direction) == (AgentState.TALKING, Direction.OUTBOUND)
            await stage.same_picture()
            await call.hang_up()
    (ended,) = stage.ended
    assert {leg.side: leg.agent for leg in ended.legs} == {Side.AGENT: "1001", Side.CALLER: None}
    assert (ended.end_reason, ended.has_work_order) == (EndReason.COMPLETED, False)


async def test_nobody_answers_outside(stage: Stage) -> None:
    async with stage.agent("1001") as agent, stage.outside(refuse="486 Busy Here") as unit:
        await stage.dialable(unit)
        async with stage.scene("outbound-busy"):
            call = await agent.dial("9" + UNIT)
            await asyncio.wait_for(call.ended.wait(), 5)
    (ended,) = stage.ended
    assert (ended.end_reason, ended.conversations, ended.direction) == (
        EndReason.FAILED,
        (),
        Direction.OUTBOUND,
    )


async def test_an_agent_calls_an_agent(stage: Stage) -> None:
    async with stage.agent("1001") as first, stage.agent("1002") as second:
        async with stage.scene("internal"):
            call = await first.dial("1002")
            await second.incoming()
            await stage.talking("1002")
            agents = stage.tracker.queue_state.agents
            assert {agents[one].state for one in ("1001", "1002")} == {AgentState.TALKING}
            assert {agents[one].direction for one in ("1001", "1002")} == {Direction.INTERNAL}
            await stage.same_picture()
            await call.hang_up()
    (ended,) = stage.ended
    assert [(leg.side, leg.agent) for leg in ended.legs] == [(Side.CALLER, "1001"), (Side.AGENT, "1002")]


async def test_an_agent_calls_an_agent_who_is_away(stage: Stage) -> None:
    async with stage.agent("1001") as first, stage.agent("1002", refuse="486 Busy Here"):
        async with stage.scene("internal-busy"):
            call = await first.dial("1002")
            await asyncio.wait_for(call.ended.wait(), 5)
    (ended,) = stage.ended
    assert (ended.direction, ended.end_reason) == (Direction.INTERNAL, EndReason.FAILED)
    assert [fact.agent for fact in stage.facts if isinstance(fact, AgentMissed)] == ["1002"]


@pytest.mark.parametrize("channel", ["PJSIP/1001", "Local/1001@hotline-agents"])
async def test_click_to_call_rings_the_agent_first(stage: Stage, channel: str) -> None:
    async with stage.agent("1001") as agent, stage.outside() as unit:
        await stage.dialable(unit)
        async with stage.scene("click-to-call" + ("-local" if channel.startswith("Local") else "")):
            await stage.ami.send(
                Action="Originate",
                Channel=channel,
                Context="hotline-agents",
                Exten="9" + UNIT,
                Priority="1",
                Async="true",
            )
            await agent.incoming()
            await stage.talking("1001")
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            await stage.same_picture()
            await (await unit.incoming()).hang_up()
    (ended,) = stage.ended
    assert (ended.direction, ended.called) == (Direction.OUTBOUND, "9" + UNIT)
    assert sorted(leg.agent or "" for leg in ended.legs) == ["", "1001"]
    assert [talk.agent for talk in ended.conversations] == ["1001"]


async def test_our_own_listening_is_invisible(stage: Stage) -> None:
    async with stage.agent("1001"), stage.outside() as out:
        async with stage.scene("own-listeners"):
            call = await out.dial("12345", "13962875016")
            began = await stage.talking("1001")
            await stage.ami.send(
                f"__HOTLINE_SPY={began.conversations[0].channel}",
                "__HOTLINE_FEED=6f1d2a30-0000-4000-8000-000000000001",
                Action="Originate",
                Channel="Local/spy@hotline-listen/n",
                Context="hotline-listen",
                Exten="idle",
                Priority="1",
                Async="true",
            )
            await asyncio.wait_for(stage.ami.until("ChanSpyStart"), 5)
            await stage.same_picture()
            assert set(stage.tracker.calls) == {began.id}
            assert len(stage.tracker.channels) == 2
            await call.hang_up()
    assert sum(isinstance(fact, CallStarted) for fact in stage.facts) == 1
