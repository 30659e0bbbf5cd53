"""Telephone audio as arrays: split and join 16-bit stereo, measure levels. Pure."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.calls import Side

RATE = 8000
"""Samples per second and channel, as MixMonitor writes them."""

Samples = npt.NDArray[np.int16]
"""One channel: shape (n,), 16-bit signed."""

CHANNEL = {Side.CALLER: 0, Side.AGENT: 1}
"""Left is audio from the caller, right is audio to the caller."""


def split(interleaved: bytes) -> dict[Side, Samples]:
    """Split interleaved 16-bit little-endian stereo into its legs; an incomplete last frame is dropped."""
    whole = len(interleaved) - len(interleaved) % 4
    frames = np.frombuffer(interleaved[:whole], dtype="<i2").reshape(-1, 2)
    return {side: np.ascontiguousarray(frames[:, channel]) for side, channel in CHANNEL.items()}


def together(caller: bytes, agent: bytes) -> bytes:
    """Interleave two mono legs; the shorter is padded with silence, half a sample is dropped."""
    legs = [np.frombuffer(leg[: len(leg) // 2 * 2], dtype="<i2") for leg in (caller, agent)]
    frames = np.zeros((max(leg.size for leg in legs), 2), dtype="<i2")
    for channel, leg in enumerate(legs):
        frames[: leg.size, channel] = leg
    return frames.tobytes()


def rms_dbfs(samples: npt.NDArray[Any]) -> float:
    """Return the RMS level in dB relative to full scale; -inf for digital silence or no samples."""
    if samples.size == 0:
        return float("-inf")
    level = float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))
    return float("-inf") if level == 0 else float(20 * np.log10(level / 32768))


def read_wav(path: Path) -> dict[Side, Samples]:
    """Read the two legs of an archived recording (16-bit stereo WAV at 8 kHz).

    Raises:
        ValueError: the file is not in that format.
    """
    with wave.open(str(path), "rb") as file:
        form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if form != (2, 2, RATE):
            raise ValueError(f"{path}: expected 16-bit stereo at {RATE} Hz, found {form}")
        return split(file.readframes(file.getnframes()))
