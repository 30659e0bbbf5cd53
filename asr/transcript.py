"""Join an engine's phrases into an utterance of the transcript; pure."""

from collections.abc import Sequence

from asr.engine import EngineSegment
from domain.calls import Side
from domain.transcripts import Source, Utterance, utterance_id


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
        said = phrase.text.strip()
        if not said:
            continue
        if text and text[-1].isalnum() and said[0].isalnum():
            text += "，"  # the engine paused here but wrote no punctuation
        text += said
        weight += len(said)
        total += phrase.confidence * len(said)
    if not text:
        return None
    start = max(0.0, start)
    return Utterance(
        id=utterance_id(call_id, side, start),
        call_id=call_id,
        side=side,
        start=start,
        end=max(start, end),
        text=text,
        final=final,
        confidence=round(total / weight, 3),
        source=source,
        alternatives=phrases[0].alternatives,
    )
