"""The satisfaction survey at the end of a call, on a real Asterisk: what the caller presses is kept."""

import asyncio
from pathlib import Path

import pytest

from gateway.demo.receiver import DemoReceiver
from gateway.settings import Settings
from tests.support.installation import SECRET, installed
from tests.support.pbx import NUMBER, ami, pressed
from tests.support.sip.phones import SipCaller
from tests.support.sip.softphone import Softphone

pytestmark = [pytest.mark.asterisk]


async def test_the_caller_is_asked_once_the_agent_has_hung_up(example: Settings, tmp_path: Path) -> None:
    lines = [line.model_copy(update={"survey": True}) for line in example.lines]
    surveyed = example.model_copy(update={"lines": lines})
    async with (
        DemoReceiver(SECRET) as receiver,
        installed(surveyed, tmp_path, receiver.url, asr='[asr]\nengine = "none"\n') as stage,
        ami(stage.asterisk) as events,
    ):
        ports = stage.asterisk.options
        async with (
            Softphone(ports.sip_port, "1001", ports.phone_passwords["1001"]) as agent,
            SipCaller(stage.directory, ports.sip_port, "12345", NUMBER, "村民") as caller,
        ):
            await pressed(events, caller, "0")
            await events.until("AgentConnect", 60)
            await asyncio.sleep(1.0)
            await (await agent.incoming()).hang_up()
            await events.until("AgentComplete")
            for key, answer in (("2", "SATISFIED"), ("1", "RESOLVED")):
                variable = f"HOTLINE_IVR_SURVEY_{answer}"
                async with asyncio.timeout(60):
                    while not [one for one in events.messages("VarSet") if one["Variable"] == variable]:
                        caller.voice.press(key)
                        await asyncio.sleep(2.0)
            await caller.wait_for_hang_up(60)
        async with receiver.arrived, asyncio.timeout(60):
            await receiver.arrived.wait_for(lambda: receiver.orders)
        (call,) = await stage.stored_calls()
        (order,) = receiver.orders
        answers = {"menu": "0", "survey_satisfied": "2", "survey_resolved": "1"}
        assert call.ivr == order["call"]["ivr"] == answers
        assert await stage.stored("SELECT survey FROM calls") == [("11",)]
        # The recording is of the conversation: what is asked afterwards is not on it.
        (talk,) = call.conversations
        (recording,) = order["recordings"]
        assert talk.ended_at is not None
        assert recording["duration_s"] < talk.ended_at - call.started_at + 3.0
