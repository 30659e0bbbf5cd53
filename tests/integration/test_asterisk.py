"""The rendered configuration on a real Asterisk, with real SIP phones, while the gateway is away."""

import asyncio
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from domain.calls import Side
from gateway.asterisk.private import PrivateAsterisk
from gateway.settings import Settings
from recordings.pcm import RATE, read_wav, rms_dbfs
from recordings.takeover import Archive
from tests.support.feeds import AudioSocketEar
from tests.support.machine import CALLS
from tests.support.pbx import ami, private
from tests.support.sip.phones import SipAgent, SipCaller
from tests.support.sip.rtp import alaw_of_wav
from tests.support.sound import decode, likeness

pytestmark = pytest.mark.asterisk

NAME = "季先生<script>"


async def test_the_configuration_loads_without_a_complaint(lonely_asterisk: PrivateAsterisk) -> None:
    log = (lonely_asterisk.directory / "var/log/messages.log").read_text()
    complaints = [line for line in log.splitlines() if "WARNING" in line or "ERROR" in line]
    assert complaints == []
    queues = await lonely_asterisk.cli("queue show")
    for queue in ("q12345", "yiqilai", "shangxian"):
        assert queue in queues
    assert "1002 (PJSIP/1002) with penalty 5" in queues
    listening = await lonely_asterisk.cli("manager show user hotline")
    assert "command" not in listening.split("write perm")[1]


async def test_a_caller_reaches_an_agent_and_both_are_recorded_though_the_gateway_is_away(
    lonely_asterisk: PrivateAsterisk, tmp_path: Path
) -> None:
    caller_says = alaw_of_wav(CALLS / "d10-caller.wav")[: 15 * RATE]
    agent_says = alaw_of_wav(CALLS / "d10-agent.wav")[: 15 * RATE]
    ports = lonely_asterisk.options
    async with (
        ami(lonely_asterisk) as events,
        SipAgent(tmp_path, ports.sip_port, "1001", ports.phone_passwords["1001"]) as agent,
        SipCaller(tmp_path, ports.sip_port, "12345", "13962875016", NAME) as caller,
    ):
        connected = await events.until("AgentConnect")
        assert connected["MemberName"] == "1001"
        assert connected["CallerIDName"] == NAME
        caller.voice.say(caller_says)
        agent.voice.say(agent_says)
        await asyncio.to_thread(caller.voice.said.wait, 20)
        await asyncio.sleep(0.5)
        await caller.hang_up()
        await events.until("AgentComplete")
        ended = await events.until("Hangup")
        started = events.messages("MixMonitorStart")[0]
        paths = [event for event in events.messages("VarSet") if event["Variable"] == "HOTLINE_RECORDING"]
    assert float(started["Timestamp"]) < float(connected["Timestamp"])
    path = paths[0]["Value"]
    assert path == f"{lonely_asterisk.pbx.recordings_prefix}/{started['Uniqueid']}.raw"
    await asyncio.sleep(0.5)
    archive = Archive(tmp_path / "archive")
    taken = await archive.take(lonely_asterisk.pbx.recordings_dir / Path(path).name, "call", 0, 0.0)
    legs = read_wav(archive.locate(taken.path))
    lasted = float(ended["Timestamp"]) - float(started["Timestamp"])
    for side, said in ((Side.CALLER, caller_says), (Side.AGENT, agent_says)):
        samples = legs[side]
        assert len(samples) / RATE == pytest.approx(lasted, rel=0.02), side
        assert rms_dbfs(samples) > -45, side
        alike, where = likeness(samples, decode(said))
        assert alike > 0.9, side
        assert where > 0
    # The right leg on the right channel: each is far less like the other's words.
    assert likeness(legs[Side.CALLER], decode(agent_says))[0] < 0.7
    assert likeness(legs[Side.AGENT], decode(caller_says))[0] < 0.7


async def test_each_leg_can_be_heard_apart_while_the_call_runs(example: Settings, tmp_path: Path) -> None:
    ear = AudioSocketEar()
    server = await asyncio.start_server(ear.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    caller_says = alaw_of_wav(CALLS / "d10-caller.wav")[: 15 * RATE]
    agent_says = alaw_of_wav(CALLS / "d10-agent.wav")[: 15 * RATE]
    async with (
        server,
        private(
            PrivateAsterisk,
            example,
            tmp_path / "asterisk",
            audiosocket=f"127.0.0.1:{port}",
        ) as asterisk,
        ami(asterisk) as events,
        SipAgent(
            tmp_path, asterisk.options.sip_port, "1001", asterisk.options.phone_passwords["1001"]
        ) as agent,
        SipCaller(tmp_path, asterisk.options.sip_port, "12345", "13962875016") as caller,
    ):
        connected = await events.until("AgentConnect")
        feeds = {side: uuid.uuid4() for side in Side}
        asked = time.monotonic()
        for side, channel in (
            (Side.CALLER, connected["Channel"]),
            (Side.AGENT, connected["DestChannel"]),
        ):
            await events.send(
                f"__HOTLINE_SPY={channel}",
                f"__HOTLINE_FEED={feeds[side]}",
                Action="Originate",
                Channel="Local/spy@hotline-listen/n",
                Context="hotline-listen",
                Exten="feed",
                Priority="1",
                Async="true",
            )
        while len(ear.first) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert max(ear.first.values()) - asked < 1.0
        caller.voice.say(caller_says)
        agent.voice.say(agent_says)
        began = time.monotonic()
        await asyncio.to_thread(caller.voice.said.wait, 20)
        await asyncio.sleep(0.5)
        spoken = time.monotonic() - began
        await caller.hang_up()
        await events.until("AgentComplete")
        await asyncio.sleep(1)
        assert ear.ended == set(feeds.values())
    for side, said, other in (
        (Side.CALLER, caller_says, agent_says),
        (Side.AGENT, agent_says, caller_says),
    ):
        samples = np.frombuffer(bytes(ear.streams[feeds[side]]), "<i2")
        # The stream keeps time through silence: no frame is left out.
        assert len(samples) / RATE == pytest.approx(spoken, abs=1.0), side
        assert likeness(samples, decode(said))[0] > 0.9, side
        assert likeness(samples, decode(other))[0] < 0.7, side
