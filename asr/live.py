"""Transcribe one leg of a live call, and keep account of which call time was heard.

While an utterance is being spoken, its text so far is requested about once a second, as a partial. When
silence begins it is requested once more: if the speaker has finished, that answer becomes the final text and
is ready by the time endpointing confirms the end. The pool may drop partials, but never finals.
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
"""Frames are processed in batches of this length, to save thread hops."""
PAUSE_GATHER_S = 0.02
"""The same during a pause, where every batch delays the final text."""
_PARTIAL_S = 1.0
"""New speech needed for another partial."""
_PACE = 3.0
"""At least this many times as long as the last partial took: a busy machine is mostly left to finals."""
_POST_ROLL_S = Endpointing().post_roll
_LOT_BYTES = 1 << 20
"""Maximum audio per batch, so that a backlog does not occupy a thread for long."""


@dataclass(frozen=True)
class _Frame:
    pcm: bytes
    rate: int


@dataclass(frozen=True)
class _Passed:
    """Call time [start, end) that voice activity detection has processed; it ends with `sound`, if any."""

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
    """A partial requested from the pool."""

    begin: float
    end: float
    size: int
    """In samples; the same begin and size mean the same audio."""
    ticket: Ticket


class LiveLeg:
    """A `FrameSink` that transcribes. Audio waits for the engine as long as necessary; none is dropped.

    Audio that the engine could not transcribe, or the receiver not take, does not count as heard: it is taken
    from the recording later.
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
        """Set up transcription of one leg; nothing runs until the first frame.

        `offset` returns the current call time in seconds. `request` returns the engine request for an
        utterance that begins at a given call time. `on_utterance` gets each final in order, with all
        stretches of call time heard up to its end. `on_partial` gets the text so far, under the id the final
        will have; empty text withdraws it. Without it no partials are requested.
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
        """Receive audio; see `FrameSink.feed`. Ignored after the end."""
        pcm = pcm[: len(pcm) // 2 * 2]
        if self._closed or not pcm:
            return
        if self._work is None:
            self._work = asyncio.create_task(self._run(), name=f"live {self._call_id} {self._side}")
            self._work.add_done_callback(self._worked)
        now, duration = self._offset(), len(pcm) / 2 / rate
        if self._mute_at(now - duration / 2):
            pcm = bytes(len(pcm))
        self._inbox += self._timeline.place(_Frame(pcm, rate), duration, now)
        self._arrived.set()

    def mute(self, since: float) -> None:
        """Ignore audio from call time `since` on: the call is on hold, and what sounds is music."""
        if not self._muted or self._muted[-1][1] != float("inf"):
            self._muted.append([since, float("inf")])

    def unmute(self, since: float) -> None:
        """Resume listening at call time `since`."""
        if self._muted and self._muted[-1][1] == float("inf"):
            self._muted[-1][1] = since

    def _mute_at(self, at: float) -> bool:
        return any(start <= at < end for start, end in self._muted)

    def dtmf(self, digit: str) -> None:
        """Ignore keys: the PBX reports them, and they are never part of what was said."""

    async def ended(self, reason: str) -> Spans:
        """End the stream; see `close`."""
        log.debug("live_leg_ended", call=self._call_id, side=self._side, reason=reason)
        return await self.close()

    async def close(self) -> Spans:
        """Finish transcribing and return all call time heard. May be called again, and concurrently."""
        if not self._closed:
            self._closed = True
            self._inbox += self._timeline.flush()
            self._arrived.set()
        if self._work is not None:
            await asyncio.shield(self._work)
        return list(self._heard)

    def abandon(self) -> None:
        """Stop at once: what is not yet an utterance never becomes one."""
        self._closed = True
        if self._work is not None:
            self._work.cancel()

    def _worked(self, task: "asyncio.Task[None]") -> None:
        # Whoever closes the leg is told too, but that is at the end of the call.
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("live_leg_failed", call=self._call_id, side=self._side, exc_info=error)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._transcribe())

    # -- audio → untranscribed utterances, off the event loop ------------------------------------------------
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
                    # The first one loads the network: a tenth of a second that must not block the event loop.
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
        """Return the next frames that belong together: start (if a new stretch), rate and audio."""
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

    # -- requests to the pool --------------------------------------------------------------------------------
    def _ask(self, stretch: "_Stretch") -> None:
        """Request the current utterance if it is time to; only one request is open at once."""
        asked = self._asked
        found = stretch.preview(asked.end if asked is not None else 0.0, self._pace)
        if found is None or (not found.settled and asked is not None and not asked.ticket.done):
            return
        if asked is not None:
            asked.ticket.withdraw()
        sound = found.sound
        begin = max(stretch.passed, stretch.start + sound.start)
        try:
            # A partial lasts a second, so it needs no beam search; what may become final must be as good as
            # one.
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
        """Show the text so far, unless the utterance has ended or grown since."""
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
        """Return the ticket for the final text: the last partial's, if it covered the same audio."""
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

    # -- untranscribed utterances → text, in order -----------------------------------------------------------
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
        """Withdraw the partial that is shown: nothing was said after all."""
        identity = utterance_id(self._call_id, self._side, item.begin)
        if self._on_partial is not None and self._shown == identity:
            self._on_partial(
                Utterance(identity, self._call_id, self._side, item.begin, item.end, "", final=False)
            )


class _Stretch:
    """A run of audio without gaps; used by one thread at a time."""

    def __init__(self, start: float, rate: int) -> None:
        self.start, self.rate = start, rate
        self._listener = Listener(rate)
        self._samples = 0
        self.passed = start
        """Call time that has been accounted for."""

    @property
    def position(self) -> float:
        """Call time at the end of the audio so far."""
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
        """Return the current utterance; `after` is in call time, otherwise see `Listener.preview`."""
        return self._listener.preview(max(0.0, after - self.start), step)

    def _account(self, sounds: list[Sound]) -> list[_Passed]:
        result = []
        for sound in sounds:
            end = min(self.start + sound.end, self.position)  # the last window may be padded
            result.append(_Passed(self.passed, end, sound, self.start + sound.start))
            self.passed = end
        return result
