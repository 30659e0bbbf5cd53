"""One leg of a call while it is spoken: sound in, utterances out, and an account of what was heard."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
import structlog

from asr.engine import EngineError, EngineRequest
from asr.listener import Listener, Sound
from asr.pool import EnginePool
from asr.spans import Spans, add
from asr.timeline import Placed, Timeline
from asr.transcript import utterance
from gateway.models.call import Side
from gateway.models.transcript import Source, Utterance

log = structlog.get_logger(__name__)

_GATHER_S = 0.1
"""Frames are judged in lots of this length: fewer hops to a thread."""
_LOT_BYTES = 1 << 20
"""At most this much sound at once, so that a backlog does not hold a thread for long."""


@dataclass(frozen=True)
class _Frame:
    pcm: bytes
    rate: int


@dataclass(frozen=True)
class _Passed:
    """Call time [start, end) has gone through voice activity; `sound` ends it, if there is any."""

    start: float
    end: float
    sound: Sound | None = None
    spoken_from: float = 0.0
    """Call time at which `sound` begins."""


class LiveLeg:
    """A `FrameSink` that transcribes. Sound waits for the engine as long as it must; none is dropped.

    What the engine could not transcribe, or the receiver not take, is not counted as heard: the recording
    gives it later.
    """

    def __init__(
        self,
        pool: EnginePool,
        call_id: str,
        side: Side,
        offset: Callable[[], float],
        on_utterance: Callable[[Utterance, Spans], Awaitable[None]],
        *,
        request: EngineRequest | None = None,
    ) -> None:
        """`offset` tells the call time now, in seconds. `on_utterance` gets each final, in order, with all
        stretches of call time heard up to its end."""
        self._pool, self._call_id, self._side, self._request = pool, call_id, side, request
        self._offset, self._on_utterance = offset, on_utterance
        self._timeline: Timeline[_Frame] = Timeline()
        self._inbox: deque[Placed[_Frame]] = deque()
        self._arrived = asyncio.Event()
        self._passed: asyncio.Queue[_Passed | None] = asyncio.Queue()
        self._closed = False
        self._heard: Spans = []
        self._work: asyncio.Task[None] | None = None

    def feed(self, pcm: bytes, rate: int) -> None:
        """See `FrameSink.feed`. Sound after the end is ignored."""
        pcm = pcm[: len(pcm) // 2 * 2]
        if self._closed or not pcm:
            return
        if self._work is None:
            self._work = asyncio.create_task(self._run(), name=f"live {self._call_id} {self._side}")
        self._inbox += self._timeline.place(_Frame(pcm, rate), len(pcm) / 2 / rate, self._offset())
        self._arrived.set()

    def dtmf(self, digit: str) -> None:
        """Keys are heard by the PBX; here they mean nothing."""

    async def ended(self, reason: str) -> Spans:
        """The stream is over; see `close`."""
        log.debug("live_leg_ended", call=self._call_id, side=self._side, reason=reason)
        return await self.close()

    async def close(self) -> Spans:
        """Finish what was said and return all call time heard; may be called again, and by several."""
        if not self._closed:
            self._closed = True
            self._inbox += self._timeline.flush()
            self._arrived.set()
        if self._work is not None:
            await asyncio.shield(self._work)
        return list(self._heard)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._transcribe())

    async def _listen(self) -> None:
        """Frames → utterances of sound, off the event loop."""
        stretch: _Stretch | None = None
        while self._inbox or not self._closed:
            await self._arrived.wait()
            self._arrived.clear()
            while self._inbox:
                start, rate, pcm = self._lot()
                if stretch is None or start is not None or rate != stretch.rate:
                    begin = start if start is not None else (stretch.position if stretch else 0.0)
                    if stretch is not None:
                        self._put(await asyncio.to_thread(stretch.flush))
                    stretch = _Stretch(begin, rate)
                self._put(await asyncio.to_thread(stretch.push, pcm))
            if not self._closed:
                await asyncio.sleep(_GATHER_S)
        if stretch is not None:
            self._put(await asyncio.to_thread(stretch.flush))
        self._passed.put_nowait(None)

    def _lot(self) -> tuple[float | None, int, bytes]:
        """The next frames that belong together: where they begin anew, their rate, their sound."""
        first = self._inbox.popleft()
        rate, parts, size = first.frame.rate, [first.frame.pcm], len(first.frame.pcm)
        while self._inbox and size < _LOT_BYTES:
            following = self._inbox[0]
            if following.start is not None or following.frame.rate != rate:
                break
            parts.append(self._inbox.popleft().frame.pcm)
            size += len(parts[-1])
        return first.start, rate, b"".join(parts)

    def _put(self, passed: list[_Passed]) -> None:
        for item in passed:
            self._passed.put_nowait(item)

    async def _transcribe(self) -> None:
        """Utterances of sound → text, in order."""
        while (item := await self._passed.get()) is not None:
            sound = item.sound
            if sound is None:
                add(self._heard, item.start, item.end)
                continue
            before = max(item.start, item.spoken_from)
            add(self._heard, item.start, before)
            try:
                phrases = await self._pool.transcribe(sound.samples, self._request)
            except EngineError as error:
                log.error(
                    "live_sound_left_to_recording", call=self._call_id, side=self._side, error=str(error)
                )
                continue
            said = utterance(self._call_id, self._side, before, item.end, phrases, Source.LIVE)
            heard = list(self._heard)
            add(heard, before, item.end)
            if said is not None:
                try:
                    await self._on_utterance(said, list(heard))
                except Exception:
                    log.exception("live_utterance_not_taken", call=self._call_id, utterance=said.id)
                    continue
            self._heard = heard


class _Stretch:
    """A seamless run of sound; lives in one thread at a time."""

    def __init__(self, start: float, rate: int) -> None:
        self.start, self.rate = start, rate
        self._listener = Listener(rate)
        self._samples = 0
        self._passed = start

    @property
    def position(self) -> float:
        """Call time of the end of the sound so far."""
        return self.start + self._samples / self.rate

    def push(self, pcm: bytes) -> list[_Passed]:
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.int16)
        self._samples += samples.size
        return self._account(self._listener.push(samples))

    def flush(self) -> list[_Passed]:
        passed = self._account(self._listener.flush())
        if self._passed < self.position:
            passed.append(_Passed(self._passed, self.position))
        return passed

    def _account(self, sounds: list[Sound]) -> list[_Passed]:
        result = []
        for sound in sounds:
            end = min(self.start + sound.end, self.position)  # the last window may be filled up
            result.append(_Passed(self._passed, end, sound, self.start + sound.start))
            self._passed = end
        return result
