"""Transcribe recordings: only the stretches that were not heard live."""

import asyncio
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from asr.engine import EngineRequest
from asr.listener import Listener, Sound
from asr.pool import EnginePool
from asr.schedule import Urgency
from asr.spans import Spans, subtract
from asr.transcript import utterance
from domain.calls import Side
from domain.transcripts import Source, Utterance

__all__ = ["subtract", "transcribe_span"]


async def transcribe_span(
    pool: EnginePool,
    samples: NDArray[np.int16],
    *,
    call_id: str,
    side: Side,
    offset: float,
    spans: Spans,
    rate: int = 8_000,
    request: Callable[[float], EngineRequest] | None = None,
) -> list[Utterance]:
    """Transcribe what one side said in `spans`. Raises EngineError.

    `samples` is one leg of the recording at `rate` samples per second, `offset` the call time of its first
    sample. `spans` is the call time to cover; it is clipped to what was recorded. `request` returns the
    engine request for an utterance that begins at a given call time.
    """
    found = await asyncio.to_thread(_sounds, samples, rate, offset, spans)
    tasks = [
        asyncio.create_task(
            pool.transcribe(
                sound.samples,
                request(start + sound.start) if request is not None else None,
                urgency=Urgency.RECORDING,
                call_id=call_id,
            )
        )
        for start, sound in found
    ]
    try:
        results = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    spoken = (
        utterance(call_id, side, start + sound.start, start + sound.end, phrases, Source.RECORDING)
        for (start, sound), phrases in zip(found, results, strict=True)
    )
    return [said for said in spoken if said is not None]


def _sounds(samples: NDArray[np.int16], rate: int, offset: float, spans: Spans) -> list[tuple[float, Sound]]:
    """Split the spans into untranscribed utterances, each with the call time at which its span begins."""
    found = []
    for start, end in sorted(spans):
        first = max(0, round((start - offset) * rate))
        last = min(samples.size, round((end - offset) * rate))
        if last <= first:
            continue
        listener = Listener(rate)
        sounds = listener.push(samples[first:last]) + listener.flush()
        found += [(offset + first / rate, sound) for sound in sounds]
    return found
