"""Check live audio: have the PBX send a known tone the way it sends a caller's voice.

The tone goes PBX → `[hotline-listen]` in the dialplan → AudioSocket → network → here, and is measured.
"""

import asyncio
import errno
import math
from uuid import UUID, uuid4

import numpy as np

from asr.audiosocket import AudioSocketServer
from domain.pbx.errors import PbxError
from gateway.asterisk.actions import LISTEN_CONTEXT
from gateway.asterisk.link import PbxLink
from gateway.doctor.findings import Finding, detail, fix, what
from gateway.settings import Settings

TONE_HZ = 1004.0
"""The tone of Asterisk's Milliwatt application."""
WANTED_S = 1.0
DEADLINE_S = 8.0


class _Ear:
    """A `FrameSink` that keeps the first second and a half."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self.rate = 8000
        self.done = asyncio.Event()
        self.came = asyncio.Event()

    def feed(self, pcm: bytes, rate: int) -> None:
        self.came.set()
        self.rate = rate
        self.pcm += pcm
        if len(self.pcm) >= (WANTED_S + 0.5) * rate * 2:
            self.done.set()

    def dtmf(self, digit: str) -> None: ...

    async def ended(self, reason: str) -> None:
        self.done.set()


def tone_share(pcm: bytes, rate: int, hertz: float = TONE_HZ) -> float:
    """Return the share of the energy within 20 Hz of `hertz`, 0..1; 0 for silence."""
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float64)
    if samples.size < rate // 10 or math.sqrt(float(np.mean(samples**2))) < 50:
        return 0.0
    power = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2
    near = np.abs(np.fft.rfftfreq(samples.size, 1 / rate) - hertz) <= 20
    return float(power[near].sum() / power.sum())


async def examine_audio(pbx: str, settings: Settings, link: PbxLink) -> Finding:
    """Have the PBX send a tone and measure what arrives."""
    about = what("pbx_audio", pbx=pbx)
    address = settings.audiosocket
    held = f"{address.host}:{address.port}"
    ear, feed = _Ear(), uuid4()

    def accept(stream: UUID) -> _Ear | None:
        return ear if stream == feed else None

    # If the port is 0 (any), the gateway's own is unknown here: tell the PBX our port for this stream.
    server, own = AudioSocketServer(address.host, address.port, accept), address.port != 0
    try:
        await server.__aenter__()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            trouble = detail("audio_port", address=held, text=str(error))
            return Finding(about, False, trouble, fix("audio_address"))
        # A gateway is already running here: tell the PBX another port for this stream.
        server, own = AudioSocketServer(address.host, 0, accept), False
        await server.__aenter__()
    told = (address.advertise or held) if own else f"{address.host}:{server.port}"
    try:
        try:
            await _send_tone(link, feed, None if own else told)
        except PbxError as error:
            return Finding(about, False, detail("words", text=str(error)), fix("audio_originate"))
        try:
            await asyncio.wait_for(ear.done.wait(), DEADLINE_S)
        except TimeoutError:
            came = detail("audio_short") if ear.came.is_set() else detail("audio_none", address=told)
            return Finding(about, False, came, fix("audio_reach", address=told, context=LISTEN_CONTEXT))
    finally:
        await server.__aexit__(None, None, None)
    share = tone_share(bytes(ear.pcm[ear.rate :]), ear.rate)
    if share < 0.9:
        return Finding(about, False, detail("audio_share", percent=round(share * 100)), fix("audio_load"))
    if own or address.port == 0:
        return Finding(about, True, detail("audio_heard", address=told))
    return Finding(about, True, detail("audio_beside", held=held, address=told))


async def _send_tone(link: PbxLink, feed: UUID, elsewhere: str | None) -> None:
    variables = [f"__HOTLINE_FEED={feed}"]
    if elsewhere is not None:
        variables.append(f"__HOTLINE_AUDIO={elsewhere}")
    await link.action(
        "Originate",
        {
            "Channel": f"Local/feed@{LISTEN_CONTEXT}/n",
            "Application": "Milliwatt",
            "Async": "true",
            "Timeout": "5000",
            "Variable": variables,
        },
    )
