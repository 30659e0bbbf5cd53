"""Join an engine's phrases into an utterance of the transcript; pure."""

from collections.abc import Sequence

from asr.engine import EngineSegment
from domain.calls import Side
from domain.text import line
from domain.transcripts import Alternative, Source, Utterance, utterance_id

MAX_TEXT = 4000
"""Characters of an utterance: the rest of a longer one is an engine's nonsense."""


def utterance(
    call_id: str,
    side: Side,
    start: float,
    end: float,
    phrases: Sequence[EngineSegment],
    source: Source,
    *,
    final: bool = True,
) -> Utterance | None:
    """Return one utterance from `start` to `end` of call time, or `None` if nothing was said.

    Its confidence is the mean of the phrases', weighted by their length in characters.
    """
    text, weight, total = "", 0, 0.0
    for phrase in phrases:
        said = line(phrase.text.strip(), MAX_TEXT)
        if not said:
            continue
        if text and text[-1].isalnum() and said[0].isalnum():
            text += "，"  # the engine paused here but wrote no punctuation
        text += said
        weight += len(said)
        total += probability(phrase.confidence) * len(said)
    if not text:
        return None
    start = max(0.0, start)
    return Utterance(
        id=utterance_id(call_id, side, start),
        call_id=call_id,
        side=side,
        start=start,
        end=max(start, end),
        text=text[:MAX_TEXT],
        final=final,
        confidence=round(total / weight, 3),
        source=source,
        alternatives=tuple(
            Alternative(line(one.text), probability(one.probability)) for one in phrases[0].alternatives
        ),
    )


def probability(told: float) -> float:
    """What an engine calls a probability as one: 0..1, and 0 for no number."""
    return min(1.0, told) if told > 0.0 else 0.0
