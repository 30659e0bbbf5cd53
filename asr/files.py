"""Transcription of recordings: only the stretches that were not heard live."""

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
    """What one side said in `spans`.

    `samples`: one leg of the recording, `rate` per second; `offset`: call time of its first sample; `spans`:
    call time to cover, clipped to what was recorded; `request`: what is wanted of an utterance that begins at
    a call time. Raises EngineError.
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
    """The utterances of sound, each with the call time its stretch begins at."""
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
