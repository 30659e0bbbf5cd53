"""Agents' phones: none, one, two of one account."""

import pytest

from domain.calls import CallState
from domain.queues import AgentState
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER = "13962875016"


async def test_an_agent_without_a_phone_is_unreachable_until_it_registers(stage: Stage) -> None:
    def state() -> AgentState:
        return stage.tracker.queue_state.agents["1001"].state

    await stage.until(lambda: state() is AgentState.UNREACHABLE)
    async with stage.agent("1001"):
        await stage.until(lambda: state() is AgentState.AVAILABLE)
    await stage.until(lambda: state() is AgentState.UNREACHABLE)


async def test_of_two_phones_the_last_to_register_rings(stage: Stage) -> None:
    async with stage.agent("1001") as first, stage.agent("1001") as last, stage.outside() as out:
        call = await out.dial("12345", CALLER)
        ringing = await last.incoming()
        await stage.until(lambda: stage.call().state is CallState.TALKING)
        assert first.calls == []
        assert len(last.calls) == 1
        agent = stage.tracker.queue_state.agents["1001"]
        assert (agent.state, agent.call_id) == (AgentState.TALKING, stage.call().id)
        await ringing.hang_up()
        call.end()
    (ended,) = stage.ended
    assert ended.agent == "1001"
