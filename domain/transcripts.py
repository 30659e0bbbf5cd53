"""What was said on a call: utterances in call time."""

from enum import StrEnum

from msgspec import Struct

from domain.calls import Side


class Source(StrEnum):
    """Where an utterance was heard."""

    LIVE = "live"
    RECORDING = "recording"


class Alternative(Struct, frozen=True):
    """What else may have been said: an expected beginning and the character after it, with a probability."""

    text: str
    """Simplified Chinese."""
    probability: float
    """Of the whole text, including its beginning, 0..1; a thousandth or less if it begins differently."""


class Utterance(Struct, frozen=True):
    """A stretch of speech by one side, as text.

    Times are seconds since the call's first ring (`Call.started_at`). A final utterance never changes; a
    partial one (`final=False`) is replaced by the next with the same `id`, or withdrawn by an empty one.
    """

    id: str
    """`<call>/<side>/<start in milliseconds>`, zero-padded: stable, sortable, unique within the call."""
    call_id: str
    side: Side
    start: float
    end: float
    text: str
    """Simplified Chinese with punctuation. Untrusted input: only ever shown as text."""
    final: bool = True
    confidence: float = 0.0
    """Mean token probability, 0..1."""
    source: Source = Source.LIVE
    alternatives: tuple[Alternative, ...] = ()
    """For answers to questions such as 您贵姓: how they may have begun. Only used to fill in the order."""


def utterance_id(call_id: str, side: Side, start: float) -> str:
    """Return the stable id of the utterance that begins at `start` seconds of call time."""
    return f"{call_id}/{side}/{max(0, round(start * 1000)):09d}"
