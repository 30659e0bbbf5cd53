"""Calls with truth for the measurements: `NAME-caller.wav`, `NAME-agent.wav`, `NAME.json`."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.audio import read_audio
from domain.calls import Side

SHIPPED = Path(__file__).resolve().parents[1] / "gateway" / "demo" / "calls"
MODEL = Path(__file__).resolve().parents[1] / ".cache" / "models" / "whisper-base"
RATE = 8_000


@dataclass(frozen=True)
class TrueCall:
    """One call: each leg's sound (8 kHz) and true text."""

    name: str
    duration: float
    sound: dict[Side, NDArray[np.int16]]
    text: dict[Side, str]


def directory_of(given: Path | None) -> Path:
    """The directory asked for, else $HOTLINE_EVAL_CALLS, else the shipped calls."""
    return given or Path(os.environ.get("HOTLINE_EVAL_CALLS") or SHIPPED)


def load_calls(directory: Path) -> list[TrueCall]:
    """All calls of a directory, by name. Raises SystemExit where there is none."""
    calls = []
    for path in sorted(directory.glob("*.json")):
        turns = json.loads(path.read_text(encoding="utf-8"))["turns"]
        sound = {}
        for side in Side:
            audio = read_audio(directory / f"{path.stem}-{side.value}.wav")
            if audio.rate != RATE:
                raise SystemExit(f"{path.stem}: {audio.rate} samples/s; calls are {RATE}")
            sound[side] = audio.channels[0]
        text = {side: "".join(turn["text"] for turn in turns if turn["speaker"] == side) for side in Side}
        duration = max(one.size for one in sound.values()) / RATE
        calls.append(TrueCall(path.stem, duration, sound, text))
    if not calls:
        raise SystemExit(f"no calls in {directory}")
    return calls


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
