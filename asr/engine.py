"""The interface all recognisers share: stretches of speech in, timed text out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domain.transcripts import Alternative

Samples = NDArray[np.float32]
"""Mono speech, 16 kHz, -1..1, shape (n,)."""

RATE = 16_000
"""Sample rate of all audio given to an engine."""

LONGEST_S = 29.0
"""The most an engine is given at once: Whisper's 30 s window, less the silence added around the speech."""


class EngineError(Exception):
    """Raised when the engine could not transcribe; the message names the cause and the fix."""


@dataclass(frozen=True)
class Expected:
    """An answer expected of this stretch, to a question whose answers begin in known ways (我姓…, 免贵姓…).

    The engine then also reports what it hears after each beginning (`EngineSegment.alternatives`). Engines
    that cannot do so ignore it.
    """

    question: str
    """The question, in its usual wording."""
    beginnings: tuple[str, ...]
    longest_s: float = 10.0
    """A longer stretch is not such an answer and is not examined."""


@dataclass(frozen=True)
class EngineRequest:
    """Per-call overrides of the configuration; `None` or empty means as configured."""

    initial_prompt: str | None = None
    hotwords: str = ""
    """Names to expect, separated by spaces, in addition to the configured ones."""
    beam_size: int | None = None
    expected: Expected | None = None


@dataclass(frozen=True)
class EngineJob:
    """One stretch of speech, at most `LONGEST_S` long."""

    samples: Samples
    request: EngineRequest = EngineRequest()


@dataclass(frozen=True)
class EngineSegment:
    """A phrase; `start` and `end` are seconds from the first sample."""

    start: float
    end: float
    text: str
    """Simplified Chinese."""
    confidence: float
    """Mean token probability, 0..1."""
    alternatives: tuple[Alternative, ...] = ()
    """If the request expected an answer: its candidates, likeliest first."""


class Engine(Protocol):
    """A recogniser. It is created, warmed up and used in one worker process, one batch at a time."""

    def transcribe(self, batch: Sequence[EngineJob]) -> list[list[EngineSegment]]:
        """Return the text of each stretch, in the order given; empty where nobody speaks.

        The stretches may come from different calls; an engine that can computes them together.
        """
        ...
