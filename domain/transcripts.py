"""What was said on a call: utterances in call time."""

from enum import StrEnum

from msgspec import Struct

from domain.calls import Side


class Source(StrEnum):
    """Where an utterance was heard."""

    LIVE = "live"
    RECORDING = "recording"


class Alternative(Struct, frozen=True):
    """What else may have been said, as weighed: a beginning that was expected, and the character after it."""

    text: str
    """Simplified Chinese."""
    probability: float
    """Of the whole text, its beginning included, 0..1: of what begins otherwise, a thousandth and less."""


class Utterance(Struct, frozen=True):
    """A stretch of speech by one side, as text.

    Times are seconds since the call's first ring (`Call.started_at`). A final utterance never changes;
    a partial one (`final=False`) is replaced by the next of the same `id`, or taken back by an empty one.
    """

    id: str
    """`<call>/<side>/<milliseconds of start>`, zero-padded: stable, sortable, unique in the call."""
    call_id: str
    side: Side
    start: float
    end: float
    text: str
    """Simplified Chinese with punctuation. Hostile input: shown as text only."""
    final: bool = True
    confidence: float = 0.0
    """Mean token probability, 0..1."""
    source: Source = Source.LIVE
    alternatives: tuple[Alternative, ...] = ()
    """Of an answer to a question such as 您贵姓: how it may have begun. For filling the order alone."""


def utterance_id(call_id: str, side: Side, start: float) -> str:
    """The stable id of the utterance that begins at `start` seconds of call time."""
    return f"{call_id}/{side}/{max(0, round(start * 1000)):09d}"
