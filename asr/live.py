"""One leg of a call while it is spoken: sound in, utterances out, and an account of what was heard.

While an utterance is spoken its text so far is asked for about once a second, as a partial. When silence
begins it is asked for once more: if the speaker is done, that answer is the final one, and it is there when
endpointing says so. Partials are the pool's to drop; finals are not.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import numpy as np
import structlog

from asr.engine import EngineError, EngineRequest, EngineSegment
from asr.listener import Listener, Preview, Sound
from asr.pool import EnginePool, Ticket
from asr.schedule import Urgency
from asr.segmenter import Endpointing
from asr.spans import Spans, add
from asr.timeline import Placed, Timeline
from asr.transcript import utterance
from domain.calls import Side
from domain.transcripts import Source, Utterance, utterance_id

log = structlog.get_logger(__name__)

GATHER_S = 0.06
"""Frames are judged in lots of this length: fewer hops to a thread."""
PAUSE_GATHER_S = 0.02
"""In a pause the final text waits for each of them."""
_PARTIAL_S = 1.0
"""New speech that is worth another partial."""
_PACE = 3.0
"""And at least so many times what the last one took: partials leave most of a busy machine to finals."""
_POST_ROLL_S = Endpointing().post_roll
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

    @property
    def begin(self) -> float:
        """Call time at which the utterance begins."""
        return max(self.start, self.spoken_from)


@dataclass(frozen=True)
class _Asked:
    """A partial the pool was asked for."""

    begin: float
    end: float
    size: int
    """Samples: the same begin and size are the same sound."""
    ticket: Ticket


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
        on_partial: Callable[[Utterance], None] | None = None,
        request: Callable[[float], EngineRequest] | None = None,
    ) -> None:
        """`offset` tells the call time now, in seconds. `request` tells what is wanted of an utterance that
        begins at a call time. `on_utterance` gets each final, in order, with all
        stretches of call time heard up to its end. `on_partial` gets what is being said, under the id that
        the final will have; empty text takes it back. Without it no partials are asked for.
        """
        self._pool, self._call_id, self._side = pool, call_id, side
        self._request = request or (lambda _: EngineRequest())
        self._offset, self._on_utterance, self._on_partial = offset, on_utterance, on_partial
        self._timeline: Timeline[_Frame] = Timeline()
        self._inbox: deque[Placed[_Frame]] = deque()
        self._arrived = asyncio.Event()
        self._passed: asyncio.Queue[tuple[_Passed, Ticket | None] | None] = asyncio.Queue()
        self._asked: _Asked | None = None
        self._pace = _PARTIAL_S
        self._shown: str | None = None
        """Id of the utterance whose partial is shown."""
        self._muted: list[list[float]] = []
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
        now, duration = self._offset(), len(pcm) / 2 / rate
        if self._mute_at(now - duration / 2):
            pcm = bytes(len(pcm))
        self._inbox += self._timeline.place(_Frame(pcm, rate), duration, now)
        self._arrived.set()

    def mute(self, since: float) -> None:
        """From call time `since` on nothing is heard: the call is on hold, and what sounds is music."""
        if not self._muted or self._muted[-1][1] != float("inf"):
            self._muted.append([since, float("inf")])

    def unmute(self, since: float) -> None:
        """The conversation goes on at call time `since`."""
        if self._muted and self._muted[-1][1] == float("inf"):
            self._muted[-1][1] = since

    def _mute_at(self, at: float) -> bool:
        return any(start <= at < end for start, end in self._muted)

    def dtmf(self, digit: str) -> None:
        """Keys are the PBX's to tell; they are never part of what was said."""

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

    # -- sound → utterances of sound, off the event loop -----------------------------------------------------
    async def _listen(self) -> None:
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
                    # Its network is loaded with the first one: a tenth of a second that is not the loop's.
                    stretch = await asyncio.to_thread(_Stretch, begin, rate)
                self._put(await asyncio.to_thread(stretch.push, pcm))
                if self._on_partial is not None and not self._inbox:
                    self._ask(stretch)
            if not self._closed:
                pausing = stretch is not None and stretch.pausing
                await asyncio.sleep(PAUSE_GATHER_S if pausing else GATHER_S)
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
            self._passed.put_nowait((item, None if item.sound is None else self._final(item, item.sound)))

    # -- what the pool is asked ------------------------------------------------------------------------------
    def _ask(self, stretch: "_Stretch") -> None:
        """Ask for what is being said, if it is time to; one question at a time."""
        asked = self._asked
        found = stretch.preview(asked.end if asked is not None else 0.0, self._pace)
        if found is None or (not found.settled and asked is not None and not asked.ticket.done):
            return
        if asked is not None:
            asked.ticket.withdraw()
        sound = found.sound
        begin = max(stretch.passed, stretch.start + sound.start)
        try:
            # What will be replaced in a second need not be searched for; what may be final must be as good.
            urgency = Urgency.LIKELY if found.settled else Urgency.PARTIAL
            ticket = self._submit(begin, sound, urgency, quick=not found.settled)
        except EngineError:
            return
        new = _Asked(begin, stretch.start + sound.end, sound.samples.size, ticket)
        self._asked = new
        self._pool.stats.ahead += found.settled
        began = time.monotonic()

        def done(phrases: list[EngineSegment]) -> None:
            self._pace = max(_PARTIAL_S, _PACE * (time.monotonic() - began))
            self._partial(new, phrases)

        ticket.on_done(done)

    def _partial(self, asked: _Asked, phrases: list[EngineSegment]) -> None:
        """The text so far is there; it is shown unless the utterance is over or has grown since."""
        if asked is not self._asked or self._on_partial is None:
            return
        said = utterance(self._call_id, self._side, asked.begin, asked.end, phrases, Source.LIVE, final=False)
        if said is not None:
            self._shown = said.id
            self._on_partial(said)

    def _submit(self, begin: float, sound: Sound, urgency: Urgency, *, quick: bool = False) -> Ticket:
        request = self._request(begin)
        if quick:
            request = replace(request, beam_size=1, expected=None)
        return self._pool.submit(sound.samples, request, urgency=urgency, call_id=self._call_id)

    def _final(self, item: _Passed, sound: Sound) -> Ticket | None:
        """The question whose answer is the final text: the last partial's, if it was about the same sound."""
        asked, self._asked = self._asked, None
        if asked is not None:
            if asked.begin == item.begin and asked.size == sound.samples.size and not asked.ticket.dropped:
                asked.ticket.promote()
                self._pool.stats.ahead_kept += 1
                return asked.ticket
            asked.ticket.withdraw()
        try:
            return self._submit(item.begin, sound, Urgency.FINAL)
        except EngineError as error:
            self._left(error)
            return None

    def _left(self, error: EngineError) -> None:
        log.error("live_sound_left_to_recording", call=self._call_id, side=self._side, error=str(error))

    # -- utterances of sound → text, in order ----------------------------------------------------------------
    async def _transcribe(self) -> None:
        while (entry := await self._passed.get()) is not None:
            item, ticket = entry
            if item.sound is None:
                add(self._heard, item.start, item.end)
                continue
            add(self._heard, item.start, item.begin)
            if ticket is None:
                continue
            try:
                phrases = await ticket.result()
            except EngineError as error:
                self._left(error)
                continue
            said = utterance(self._call_id, self._side, item.begin, item.end, phrases, Source.LIVE)
            heard = list(self._heard)
            add(heard, item.begin, item.end)
            if said is None:
                self._take_back(item)
            else:
                try:
                    await self._on_utterance(said, list(heard))
                except Exception:
                    log.exception("live_utterance_not_taken", call=self._call_id, utterance=said.id)
                    continue
                self._pool.stats.latency.observe(max(0.0, self._offset() - (said.end - _POST_ROLL_S)))
            self._heard = heard

    def _take_back(self, item: _Passed) -> None:
        """Nothing was said after all: the partial that is shown goes."""
        identity = utterance_id(self._call_id, self._side, item.begin)
        if self._on_partial is not None and self._shown == identity:
            self._on_partial(
                Utterance(identity, self._call_id, self._side, item.begin, item.end, "", final=False)
            )


class _Stretch:
    """A seamless run of sound; lives in one thread at a time."""

    def __init__(self, start: float, rate: int) -> None:
        self.start, self.rate = start, rate
        self._listener = Listener(rate)
        self._samples = 0
        self.passed = start
        """Call time that has been accounted for."""

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
        if self.passed < self.position:
            passed.append(_Passed(self.passed, self.position))
        return passed

    @property
    def pausing(self) -> bool:
        """Whether an utterance may just have ended."""
        return self._listener.pausing

    def preview(self, after: float, step: float) -> Preview | None:
        """What is being said; `after`: call time of the end of the last preview; `step`: see `Listener`."""
        return self._listener.preview(max(0.0, after - self.start), step)

    def _account(self, sounds: list[Sound]) -> list[_Passed]:
        result = []
        for sound in sounds:
            end = min(self.start + sound.end, self.position)  # the last window may be filled up
            result.append(_Passed(self.passed, end, sound, self.start + sound.start))
            self.passed = end
        return result
