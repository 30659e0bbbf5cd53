"""Recordings made of numbers."""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recordings.pcm import RATE


def ramp(seconds: float) -> npt.NDArray[np.int16]:
    """Each frame tells its own number: caller n, agent -n, both modulo 10,000."""
    number = np.arange(int(seconds * RATE)) % 10_000
    return np.stack([number, -number], axis=1).astype("<i2")


def write_wav(path: Path, frames: npt.NDArray[np.int16]) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(frames.astype("<i2").tobytes())
    return path


def write_legs(path: Path, frames: npt.NDArray[np.int16]) -> Path:
    """As MixMonitor does; the name of the pair."""
    path.with_name(f"{path.stem}-rx.raw").write_bytes(frames[:, 0].astype("<i2").tobytes())
    path.with_name(f"{path.stem}-tx.raw").write_bytes(frames[:, 1].astype("<i2").tobytes())
    return path
