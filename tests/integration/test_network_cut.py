"""The network between gateway and PBX is cut in mid-call; a way of our own stands between the two."""

import asyncio

import pytest

from domain.calls import CallState, EndReason
from domain.facts import CallStarted
from domain.queues import AgentState
from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from tests.support.scenario import ScenarioAsterisk, Stage
from tests.support.wire import Wire

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(("silent", "seconds"), [(False, 1.0), (True, 4.0)])
async def test_what_happened_during_the_cut_is_found_afterwards(
    scenario_asterisk: ScenarioAsterisk, silent: bool, seconds: float
) -> None:
    async with Wire(scenario_asterisk.options.ami_port) as wire:
        quick = {"port": wire.port, "ping_interval_s": 0.5, "action_timeout_s": 1.0, "reconnect_max_s": 0.5}
        through = scenario_asterisk.pbx.model_copy(update=quick)
        async with (
            Stage(scenario_asterisk, load_settings(EXAMPLE), through) as stage,
            stage.agent("1001") as agent,
            stage.outside() as out,
        ):
            leaving = await out.dial("12345", "13962875016")
            first = (await stage.talking("1001")).id
            waiting = await out.dial("12347", "13962875017")
            await stage.until(lambda: len(stage.tracker.calls) == 2)
            await stage.until(lambda: stage.tracker.queue_state.queues["shangxian"].waiting)
            (second,) = set(stage.tracker.calls) - {first}

            wire.cut(silent=silent)
            await leaving.hang_up()
            coming = await out.dial("12345", "13962875018")
            await agent.incoming(2)
            await stage.until(lambda: stage.link.state.phase != "up")
            await asyncio.sleep(seconds)
            assert set(stage.tracker.calls) == {first, second}
            wire.fix()
            await stage.until(lambda: stage.link.state.phase == "up")
            await stage.until(lambda: first not in stage.tracker.calls)

            (third,) = set(stage.tracker.calls) - {second}
            await stage.until(lambda: stage.tracker.calls[third].state is CallState.TALKING)
            await stage.same_picture()
            assert stage.tracker.calls[second].state is CallState.QUEUED
            assert stage.tracker.calls[third].agent == "1001"
            assert [(call.id, call.end_reason) for call in stage.ended] == [(first, EndReason.UNSEEN)]
            await coming.hang_up()
            await waiting.hang_up()
            await stage.until(lambda: not stage.tracker.calls)
        reasons = {call.id: call.end_reason for call in stage.ended}
        assert reasons[second] is EndReason.ABANDONED_QUEUE
        assert reasons[third] is EndReason.COMPLETED


async def queue_pause(stage: Stage, agent: str, reason: str) -> None:
    """Somebody pauses that agent at the PBX, past the gateway."""
    await stage.ami.send(Action="QueuePause", Interface=f"PJSIP/{agent}", Paused="true", Reason=reason)


@pytest.mark.long
@pytest.mark.timeout(460)
@pytest.mark.parametrize("seconds", [30.0, 300.0])
async def test_a_long_silence_full_of_calls(scenario_asterisk: ScenarioAsterisk, seconds: float) -> None:
    """As operated: the settings are the shipped ones, the line is dead without a word."""
    loop = asyncio.get_running_loop()
    async with Wire(scenario_asterisk.options.ami_port) as wire:
        through = scenario_asterisk.pbx.model_copy(update={"port": wire.port})
        async with (
            Stage(scenario_asterisk, load_settings(EXAMPLE), through) as stage,
            stage.agent("1001") as agent,
            stage.agent("1002") as colleague,
            stage.agent("1003"),
            stage.outside() as out,
        ):
            before = await out.dial("12345", "13962875021")
            talk = await stage.until(lambda: next(iter(stage.tracker.calls.values()), None))
            await stage.until(lambda: stage.tracker.calls[talk.id].state is CallState.TALKING)
            (ending,) = stage.tracker.calls
            first_agent = stage.tracker.calls[ending].agent
            assert first_agent is not None

            wire.cut(silent=True)
            began = loop.time()
            await queue_pause(stage, "1003", "培训")
            await asyncio.sleep(0.3)
            await before.hang_up()
            # One call comes, is answered and transferred, and goes on; one comes and ends; one gives up.
            phones = {"1001": agent, "1002": colleague}
            counts = {name: len(phone.calls) for name, phone in phones.items()}
            staying = await out.dial("12345", "13962875022")

            def rung() -> list[str]:
                return [name for name, phone in phones.items() if len(phone.calls) > counts[name]]

            (taker,) = await stage.until(rung)
            target = "1002" if taker == "1001" else "1001"
            taken = phones[taker].calls[-1]
            await asyncio.wait_for(taken.answered.wait(), 10)
            await asyncio.sleep(1.0)  # in its bridge: before, no phone can transfer
            await taken.transfer(target)
            moved = await phones[target].incoming(counts[target] + 1)
            await asyncio.wait_for(moved.answered.wait(), 10)
            passing = await out.dial("12345", "13962875023")
            await phones[taker].incoming(counts[taker] + 2)
            await asyncio.wait_for(phones[taker].calls[-1].answered.wait(), 10)
            given_up = await out.dial("12345", "13962875024")
            await asyncio.sleep(1.0)
            await given_up.hang_up()
            await passing.hang_up()

            settings = scenario_asterisk.pbx
            noticed = 2 * settings.ping_interval_s + settings.action_timeout_s + 5
            await stage.until(lambda: stage.link.state.phase != "up", noticed)
            await asyncio.sleep(max(0.0, seconds - (loop.time() - began)))
            assert set(stage.tracker.calls) == {ending}, "while cut off the picture is what it was"
            wire.fix()
            back = settings.reconnect_max_s + settings.action_timeout_s + 5
            await stage.until(lambda: stage.link.state.phase == "up", back)

            await stage.until(lambda: ending not in stage.tracker.calls)
            (found,) = stage.tracker.calls
            await stage.same_picture()
            call = stage.tracker.calls[found]
            assert (call.state, call.agent) == (CallState.TALKING, target)
            assert call.caller.number == "13962875022"
            agents = stage.tracker.queue_state.agents
            assert (agents["1003"].state, agents["1003"].reason) == (AgentState.PAUSED, "培训")
            assert agents[taker].call_id is None
            assert [(one.id, one.end_reason) for one in stage.ended] == [(ending, EndReason.UNSEEN)]
            begun = {fact.call.id for fact in stage.facts if isinstance(fact, CallStarted)}
            assert begun == {ending, found}, "none is invented"

            # And it goes on as before.
            await staying.hang_up()
            await stage.until(lambda: not stage.tracker.calls)
            assert stage.ended[-1].end_reason is EndReason.COMPLETED
            await stage.ami.send(Action="QueuePause", Interface="PJSIP/1003", Paused="false")
            await stage.until(lambda: stage.tracker.queue_state.agents["1003"].state is AgentState.AVAILABLE)
