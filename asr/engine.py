"""The one interface of every recogniser: stretches of speech in, text with times out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domain.transcripts import Alternative

Samples = NDArray[np.float32]
"""Mono speech, 16 kHz, -1..1, shape (n,)."""

RATE = 16_000
"""Samples per second of everything an engine is given."""

LONGEST_S = 29.0
"""What an engine is given at once: Whisper's window of 30 s, less the silence put around the speech."""


class EngineError(Exception):
    """The engine could not transcribe; the message names the cause and the fix."""


@dataclass(frozen=True)
class Expected:
    """The stretch answers a question whose answers begin in known ways: 我姓…, 免贵姓…

    Besides the text the engine then tells what it hears after each beginning (`EngineSegment.alternatives`).
    An engine that cannot leaves it out.
    """

    question: str
    """What was asked, as it is usually put."""
    beginnings: tuple[str, ...]
    longest_s: float = 10.0
    """A longer stretch is no such answer, and is not asked about."""


@dataclass(frozen=True)
class EngineRequest:
    """What one call wants otherwise than the configuration; `None` and empty: as configured."""

    initial_prompt: str | None = None
    hotwords: str = ""
    """Names the engine should expect, separated by spaces; besides the configured ones."""
    beam_size: int | None = None
    expected: Expected | None = None


@dataclass(frozen=True)
class EngineJob:
    """One stretch of speech, at most `LONGEST_S`."""

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
    """Where the request expected an answer: the likeliest first."""


class Engine(Protocol):
    """A recogniser. It is made, warmed up and used in one worker process, one batch at a time."""

    def transcribe(self, batch: Sequence[EngineJob]) -> list[list[EngineSegment]]:
        """The text of each stretch, in the order given; empty where nobody speaks.

        The stretches may come from different calls; an engine that can computes them together.
        """
        ...
