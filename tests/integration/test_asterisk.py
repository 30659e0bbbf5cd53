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
from recordings.pcm import RATE, read_wav
from recordings.takeover import Archive
from tests.support.feeds import AudioSocketEar
from tests.support.pbx import agent_of, ami, private
from tests.support.sip.phones import SipCaller
from tests.support.sound import TONES, beeps, seconds_of

pytestmark = pytest.mark.asterisk

NAME = "季先生<script>"
SAID_S = 6


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
    ports = lonely_asterisk.options
    async with (
        ami(lonely_asterisk) as events,
        agent_of(lonely_asterisk, tmp_path, "1001") as agent,
        SipCaller(tmp_path, ports.sip_port, "12345", "13962875016", NAME) as caller,
    ):
        connected = await events.until("AgentConnect")
        assert connected["MemberName"] == "1001"
        assert connected["CallerIDName"] == NAME
        caller.voice.say(beeps(TONES["caller"]), repeat=True)
        agent.voice.say(beeps(TONES["1001"]), repeat=True)
        await asyncio.sleep(SAID_S)
        await caller.hang_up()
        await events.until("AgentComplete")
        started = events.messages("MixMonitorStart")[0]
        # The caller's own: of the agent's phone there may be several, on a busy machine.
        ended = await events.until("Hangup", Uniqueid=started["Uniqueid"])
        paths = [event for event in events.messages("VarSet") if event["Variable"] == "HOTLINE_RECORDING"]
    assert float(started["Timestamp"]) < float(connected["Timestamp"])
    path = paths[0]["Value"]
    assert path == f"{lonely_asterisk.pbx.recordings_prefix}/{started['Uniqueid']}.raw"
    lasted = float(ended["Timestamp"]) - float(started["Timestamp"])
    archive = Archive(tmp_path / "archive")
    source = lonely_asterisk.pbx.recordings_dir / Path(path).name
    taken = await archive.take(source, "call", 0, 0.0, expected_s=lasted)
    assert await archive.keep(taken.path, taken.sha256)
    legs = read_wav(archive.locate(taken.path))
    for side, own, other in ((Side.CALLER, "caller", "1001"), (Side.AGENT, "1001", "caller")):
        # Silence is kept too, which is half of what is said; a busy machine may lose a little.
        assert 0.75 * lasted < len(legs[side]) / RATE < 1.05 * lasted, side
        assert seconds_of(legs[side], own) > SAID_S / 4, side
        assert seconds_of(legs[side], other) < 0.2, side


async def test_each_leg_can_be_heard_apart_while_the_call_runs(example: Settings, tmp_path: Path) -> None:
    ear = AudioSocketEar()
    server = await asyncio.start_server(ear.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        private(
            PrivateAsterisk,
            example,
            tmp_path / "asterisk",
            audiosocket=f"127.0.0.1:{port}",
        ) as asterisk,
        ami(asterisk) as events,
        agent_of(asterisk, tmp_path, "1001") as agent,
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
        caller.voice.say(beeps(TONES["caller"]), repeat=True)
        agent.voice.say(beeps(TONES["1001"]), repeat=True)
        began = time.monotonic()
        await asyncio.sleep(SAID_S)
        spoken = time.monotonic() - began
        await caller.hang_up()
        await events.until("AgentComplete")
        async with asyncio.timeout(15):
            while ear.ended != set(feeds.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    for side, own, other in ((Side.CALLER, "caller", "1001"), (Side.AGENT, "1001", "caller")):
        samples = np.frombuffer(bytes(ear.streams[feeds[side]]), "<i2")
        # The stream keeps time through silence, which is half of what is said: without it half would be left.
        assert len(samples) / RATE > 0.75 * spoken, side
        assert seconds_of(samples, own) > SAID_S / 4, side
        assert seconds_of(samples, other) < 0.2, side
