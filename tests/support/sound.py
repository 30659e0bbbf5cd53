"""Sound that was heard: whose it is, how like the original.

A busy machine loses time: packets come late, are dropped, are made up for. So whose sound it is, is told from
its pitch in whatever arrived, and speech is compared with its original piece by piece.
"""

import asyncio

import numpy as np
import numpy.typing as npt

from recordings.pcm import RATE
from tests.support.sip.rtp import RtpVoice

Envelope = npt.NDArray[np.float64]
PIECE = 80
"""Steps of an envelope: four seconds."""
WINDOW = RATE // 20
"""50 ms: whole periods of every tone, so that none is seen in another's place."""


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
    return np.asarray(np.sqrt((_windows(samples) ** 2).mean(axis=1)))


def _windows(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    whole = samples[: len(samples) // WINDOW * WINDOW]
    return whole.astype(np.float64).reshape(-1, WINDOW)


def likeness(samples: npt.NDArray[np.int16], original: npt.NDArray[np.int16]) -> float:
    """How well the loudness follows the original's: the mean over pieces of it, each where it fits best.

    Time that is lost between two pieces, or in one of them, leaves the others alike.
    """
    heard, wanted = envelope(samples), envelope(original)
    pieces = [wanted[at : at + PIECE] for at in range(0, len(wanted) - PIECE // 2, PIECE)]
    return float(np.mean([_best_fit(heard, piece) for piece in pieces if piece.std() > 0]))


def _best_fit(heard: Envelope, piece: Envelope) -> float:
    best = -1.0
    for start in range(len(heard) - len(piece) + 1):
        window = heard[start : start + len(piece)]
        if window.std() > 0:
            best = max(best, float(np.corrcoef(window, piece)[0, 1]))
    return best


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


def beeps(pitch: int) -> bytes:
    """A second of a tone, a second of silence; to be repeated."""
    return tone(pitch) + b"\xd5" * RATE


def seconds_of(samples: npt.NDArray[np.int16], name: str) -> float:
    """For how long that one's tone, and little else, is in `samples`, wherever it is."""
    windows = _windows(samples)
    probe = np.exp(-2j * np.pi * TONES[name] * np.arange(WINDOW) / RATE)
    amplitude = np.abs(windows @ probe) * 2 / WINDOW
    alone = amplitude**2 / 2 > 0.8 * (windows**2).mean(axis=1)
    return float(np.count_nonzero((amplitude > LOUD) & alone) * WINDOW / RATE)


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
