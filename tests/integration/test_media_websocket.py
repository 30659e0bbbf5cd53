"""Live audio by chan_websocket from a real Asterisk: each leg apart, asked for as the gateway asks."""

import asyncio
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from asr.mediasocket import MediaSocketServer
from domain.calls import Side
from gateway.asterisk.actions import originate_media_socket
from gateway.asterisk.link import PbxLink
from gateway.asterisk.private import PrivateAsterisk
from gateway.settings import Settings
from recordings.pcm import RATE
from tests.support.pbx import ami, private
from tests.support.sip.phones import SipAgent, SipCaller
from tests.support.sound import TONES, beeps, seconds_of

pytestmark = pytest.mark.asterisk
SAID_S = 6


class Ear:
    """A `FrameSink` that keeps what it hears."""

    def __init__(self) -> None:
        self.sound = bytearray()
        self.rates: set[int] = set()
        self.ended_as: list[str] = []

    def feed(self, pcm: bytes, rate: int) -> None:
        self.sound += pcm
        self.rates.add(rate)

    def dtmf(self, digit: str) -> None: ...

    async def ended(self, reason: str) -> None:
        self.ended_as.append(reason)


async def quiet(*_: object) -> None:
    """The link's own events are not what is looked at here."""


async def test_each_leg_comes_apart_by_websocket(example: Settings, tmp_path: Path) -> None:
    ears = {uuid.uuid4(): Ear() for _ in Side}
    feeds = dict(zip(Side, ears, strict=True))
    async with (
        MediaSocketServer("127.0.0.1", 0, ears.get) as server,
        private(
            PrivateAsterisk,
            example,
            tmp_path / "asterisk",
            mediasocket=f"127.0.0.1:{server.port}",
        ) as asterisk,
    ):
        if "chan_websocket" not in await asterisk.cli("module show like chan_websocket"):
            pytest.skip("SKIPPED: this Asterisk has no chan_websocket")
        link = PbxLink(asterisk.pbx, quiet, quiet, quiet)
        linked = asyncio.create_task(link.run())
        ports = asterisk.options
        async with (
            ami(asterisk) as events,
            SipAgent(tmp_path, ports.sip_port, "1001", ports.phone_passwords["1001"]) as agent,
            SipCaller(tmp_path, ports.sip_port, "12345", "13962875016") as caller,
        ):
            connected = await events.until("AgentConnect")
            for side, channel in (
                (Side.CALLER, connected["Channel"]),
                (Side.AGENT, connected["DestChannel"]),
            ):
                await originate_media_socket(link, channel, feeds[side])
            async with asyncio.timeout(5):
                while not all(ear.sound for ear in ears.values()):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            caller.voice.say(beeps(TONES["caller"]), repeat=True)
            agent.voice.say(beeps(TONES["1001"]), repeat=True)
            began = time.monotonic()
            await asyncio.sleep(SAID_S)
            spoken = time.monotonic() - began
            await caller.hang_up()
            await events.until("AgentComplete")
            async with asyncio.timeout(5):
                while not all(ear.ended_as for ear in ears.values()):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        linked.cancel()
    for side, own, other in ((Side.CALLER, "caller", "1001"), (Side.AGENT, "1001", "caller")):
        ear = ears[feeds[side]]
        assert ear.ended_as == ["hangup"]
        assert ear.rates == {RATE}
        samples = np.frombuffer(bytes(ear.sound), "<i2")
        # Silence keeps time too: it is half of what is said.
        assert len(samples) / RATE > 0.75 * spoken, side
        assert seconds_of(samples, own) > SAID_S / 4, side
        assert seconds_of(samples, other) < 0.2, side
