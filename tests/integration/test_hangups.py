"""Who hung up, by the PBX's own word; and the queues' members after a reload."""

import asyncio
import re

import pytest

from domain.calls import EndedBy
from domain.facts import AgentMissed, AgentRinging
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER = "13962875016"


@pytest.mark.parametrize("who", list(EndedBy))
async def test_who_ended_a_conversation(stage: Stage, who: EndedBy) -> None:
    async with stage.agent("1001") as agent, stage.outside() as out:
        async with stage.scene():
            call = await out.dial("12345", CALLER)
            talk = await stage.talking("1001")
            if who is EndedBy.CALLER:
                await call.hang_up()
            elif who is EndedBy.AGENT:
                await (await agent.incoming()).hang_up()
            else:
                leg = talk.caller_leg
                assert leg is not None
                await stage.ami.send(Action="Hangup", Channel=leg.channel)
    (ended,) = stage.ended
    assert (ended.ended_by, ended.hangup_cause) == (who, 16)


async def test_busy_at_once_rings_nobody(stage: Stage) -> None:
    async with stage.agent("1001") as first, stage.agent("1002", refuse="486 Busy Here"), stage.scene():
        call = await first.dial("1002")
        await asyncio.wait_for(call.ended.wait(), 5)
    (missed,) = [fact for fact in stage.facts if isinstance(fact, AgentMissed)]
    assert (str(missed.reason), missed.agent, missed.rang) == ("busy", "1002", 0.0)
    assert not [fact for fact in stage.facts if isinstance(fact, AgentRinging)]
    (ended,) = stage.ended
    assert (ended.ended_by, ended.hangup_cause) == (EndedBy.SYSTEM, 17)


async def test_a_recording_paused_and_resumed(stage: Stage) -> None:
    async with stage.agent("1001"), stage.outside() as out, stage.scene():
        call = await out.dial("12345", CALLER)
        talk = await stage.talking("1001")
        leg = talk.caller_leg
        assert leg is not None
        mute = {"Action": "MixMonitorMute", "Channel": leg.channel, "Direction": "both"}
        await stage.ami.send(**mute, State="1")
        await stage.until(lambda: len(stage.call().incidents) == 1)
        await stage.ami.send(**mute, State="0")
        await stage.until(lambda: len(stage.call().incidents) == 2)
        await call.hang_up()
    (ended,) = stage.ended
    assert [str(one.kind) for one in ended.incidents] == ["recording_paused", "recording_resumed"]


async def test_members_after_a_reload_of_the_queues(stage: Stage) -> None:
    queues = stage.asterisk.directory / "etc" / "queues.conf"
    before = queues.read_text()
    agents = stage.tracker.queue_state.agents
    assert "q12345" in agents["1002"].queues
    try:
        queues.write_text(re.sub(r"^member => PJSIP/1002,5,.*\n", "", before, count=1, flags=re.MULTILINE))
        await stage.asterisk.cli("module reload app_queue")
        await stage.until(lambda: "q12345" not in agents["1002"].queues)
    finally:
        queues.write_text(before)
        await stage.asterisk.cli("module reload app_queue")
    await stage.until(lambda: "q12345" in agents["1002"].queues)
    await stage.asterisk.cli("queue set penalty 3 on PJSIP/1002 in q12345")
    await stage.until(lambda: agents["1002"].penalties.get("q12345") == 3)
    await stage.asterisk.cli("queue set penalty 5 on PJSIP/1002 in q12345")
