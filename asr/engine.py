"""The one interface of every recogniser: a stretch of speech in, text with times out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono speech, 16 kHz, -1..1, shape (n,)."""

RATE = 16_000
"""Samples per second of everything an engine is given."""


class EngineError(Exception):
    """The engine could not transcribe; the message names the cause and the mend."""


@dataclass(frozen=True)
class EngineRequest:
    """What one call wants otherwise than the configuration; `None` and empty: as configured."""

    initial_prompt: str | None = None
    hotwords: str = ""
    """Names the engine should expect, separated by spaces."""
    beam_size: int | None = None


@dataclass(frozen=True)
class EngineSegment:
    """A phrase; `start` and `end` are seconds from the first sample."""

    start: float
    end: float
    text: str
    """Simplified Chinese."""
    confidence: float
    """Mean token probability, 0..1."""


class Engine(Protocol):
    """A recogniser. It is made, warmed up and used in one worker process, one request at a time."""

    def transcribe(self, samples: Samples, request: EngineRequest) -> list[EngineSegment]:
        """The text of `samples` (16 kHz mono); empty when nobody speaks."""
        ...
