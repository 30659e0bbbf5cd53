"""Sound that was heard: whose it is, how like the original."""

import asyncio

import numpy as np
import numpy.typing as npt

from recordings.pcm import RATE
from tests.support.sip.rtp import RtpVoice

Envelope = npt.NDArray[np.float64]


def decode(alaw: bytes) -> npt.NDArray[np.int16]:
    """A-law to 16-bit samples (ITU-T G.711)."""
    code = np.frombuffer(alaw, np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, (code & 15).astype(np.int32)
    value = np.where(
        exponent > 0, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0), (mantissa << 4) + 8
    )
    return np.where(code & 0x80, value, -value).astype(np.int16)


def envelope(samples: npt.NDArray[np.int16]) -> Envelope:
    """Loudness in steps of 50 ms."""
    step = RATE // 20
    whole = samples[: len(samples) // step * step].astype(np.float64).reshape(-1, step)
    return np.asarray(np.sqrt((whole**2).mean(axis=1)))


def likeness(samples: npt.NDArray[np.int16], original: npt.NDArray[np.int16]) -> tuple[float, float]:
    """(best correlation of the loudness envelopes, where in `samples` the original begins, seconds)."""
    heard, wanted = envelope(samples), envelope(original)
    best, where = -1.0, 0
    for start in range(max(1, len(heard) - len(wanted) + 1)):
        window = heard[start : start + len(wanted)]
        if len(window) < len(wanted) * 0.9 or window.std() == 0:
            continue
        correlation = float(np.corrcoef(window, wanted[: len(window)])[0, 1])
        if correlation > best:
            best, where = correlation, start
    return best, where / 20


TONES = {"music": 300, "caller": 500, "1001": 700, "1002": 900, "1003": 1100, "1004": 1300, "outside": 1700}

LOUD = 1500.0
"""Each hums at 6,000; what is heard through two mixes is still above this, leaks are far below."""


def tone(pitch: int, seconds: float = 1.0) -> bytes:
    """A tone as A-law (ITU-T G.711), whole periods, so that it repeats without a click."""
    at = np.arange(int(RATE * seconds)) / RATE
    wanted = np.sin(2 * np.pi * pitch * at) * 6000
    codes = np.frombuffer(bytes(range(256)), np.uint8)
    values = decode(codes.tobytes()).astype(np.int32)
    order = np.argsort(values)
    nearest = np.clip(np.searchsorted(values[order], wanted), 0, 255)
    return bytes(codes[order][nearest])


def loudness(samples: npt.NDArray[np.int16], pitch: int) -> float:
    """The amplitude of one tone in `samples`."""
    at = np.arange(len(samples)) / RATE
    return float(
        abs(np.exp(-2j * np.pi * pitch * at) @ samples.astype(np.float64)) * 2 / max(1, len(samples))
    )


async def hears(voice: RtpVoice, name: str) -> bool:
    """Whether that one's tone is heard within the next 0.6 s."""
    before = len(voice.heard)
    await asyncio.sleep(0.6)
    samples = decode(bytes(voice.heard[before:]))
    return len(samples) > RATE // 5 and loudness(samples, TONES[name]) > LOUD


async def until_hears(voice: RtpVoice, name: str, wanted: bool = True) -> None:
    """Wait until that one's tone is heard, or no longer."""
    async with asyncio.timeout(15):
        while await hears(voice, name) is not wanted:
            pass
