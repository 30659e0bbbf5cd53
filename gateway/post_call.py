"""After the hang-up: recording taken over, the unheard rest transcribed, the order completed.

What is to be done stands in the database (`calls.finish`); each step can be repeated. After a crash the work
begins again where the database says it is open.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog

from asr.answer_hints import AnswerHints
from asr.engine import EngineRequest
from asr.files import subtract, transcribe_span
from asr.live_transcription import LiveTranscription
from asr.pool import EnginePool
from domain.calls import Call, CallState, Side
from domain.facts import AnyFact, CallHeld, PostCallChanged, Recorder, UtteranceHeard
from domain.recordings import Span, StoredRecording
from gateway import clock
from gateway.settings import PbxSettings
from gateway.storage.calls import CallRepository
from recordings.pcm import read_wav
from recordings.takeover import Archive, TakeoverError, local_path
from workorders.service import OrderService
from workorders.submission import references

log = structlog.get_logger(__name__)

AT_ONCE = 32
"""Calls finished at once. What computes (the recogniser) has a queue of its own."""
RECORDING_WAIT_S = 30.0
"""For so long each try waits for the PBX to finish the file."""
RECORDING_TRIES = 2
"""After that, about a minute, the order leaves without the recording."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
STOP_S = 3.0
CLAIM_S = 60.0
"""A claim on the work after a call is renewed three times in this time; whoever died loses it."""


class RecordingMissingError(Exception):
    """The PBX's recording cannot be taken over, yet or for good; the text says why."""


class PostCall:
    """Finishes calls, as many at once as there are slots, each until it is done."""

    def __init__(
        self,
        pbxs: Mapping[str, PbxSettings],
        archive: Archive,
        pool: EnginePool | None,
        live: LiveTranscription | None,
        orders: OrderService,
        facts: Recorder,
        calls: CallRepository,
        hints: AnswerHints,
        request: Callable[[Call], EngineRequest] = lambda _: EngineRequest(),
        *,
        first_pause_s: float = FIRST_PAUSE_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
        recording_wait_s: float = RECORDING_WAIT_S,
    ) -> None:
        """`hints` and `request`: as for `LiveTranscription`; the pauses are those between tries."""
        self._first_pause_s, self._longest_pause_s = first_pause_s, longest_pause_s
        self._recording_wait_s = recording_wait_s
        self._hints, self._request = hints, request
        self._pbxs = pbxs
        self._archive = archive
        self._pool = pool
        self._live = live
        self._orders = orders
        self._facts = facts
        self._calls = calls
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._running: dict[str, asyncio.Task[None]] = {}

    @property
    def backlog(self) -> int:
        """Calls being finished or waiting for it."""
        return len(self._running)

    async def resume(self) -> int:
        """Take up what is open in the database and not being finished already; how many calls."""
        left = [call for call in await self._calls.unfinished() if call.id not in self._running]
        for call in left:
            self.begin(call)
        return len(left)

    def begin(self, call: Call) -> None:
        """Finish this call in the background; a second request for the same call is no second work."""
        if call.id in self._running:
            return
        task = asyncio.create_task(self._finish_surely(call), name=f"finish {call.id}")
        self._running[call.id] = task
        task.add_done_callback(lambda _: self._running.pop(call.id, None))

    async def stop(self) -> None:
        """Stop where it stands; the rest is done after the next start."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            # One that waits for a database that does not answer keeps nobody from leaving.
            await asyncio.wait(tasks, timeout=STOP_S)

    async def _finish_surely(self, call: Call) -> None:
        """Try until it is done. A recording that cannot be had holds the order up only for a while."""
        failed = False
        for attempt in itertools.count():
            async with self._slots:
                trouble = await self._attempt(call, with_recording=attempt < RECORDING_TRIES)
            if trouble is None:
                break
            failed = True
            self._told(call, trouble)
            # Jittered, lest what failed together is tried again together.
            pause = min(self._longest_pause_s, self._first_pause_s * 2**attempt)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311
        self._hints.forget(call.id)
        if failed:
            self._told(call, "")

    async def _attempt(self, call: Call, *, with_recording: bool) -> str | None:
        """Do what is left to do, unless another process does; why it failed, or `None`: it is done."""
        try:
            # The call's own end may still be on its way into the database.
            await self._facts.flush()
            async with self._claimed(call.id) as ours:
                if ours:
                    await self._finish(call, with_recording=with_recording)
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"[:500]
            expected = isinstance(error, RecordingMissingError)
            log.error("call_not_finished", call=call.id, error=trouble, exc_info=None if expected else error)
            with contextlib.suppress(Exception):
                await self._calls.set_trouble(call.id, trouble)
            return trouble
        return None

    @contextlib.asynccontextmanager
    async def _claimed(self, call_id: str) -> AsyncIterator[bool]:
        """Keep the work on the call claimed while the block runs; whether it is ours to do."""
        if not await self._calls.claim_finish(call_id, CLAIM_S):
            yield False
            return
        keeper = asyncio.create_task(self._keep_claimed(call_id))
        try:
            yield True
        finally:
            keeper.cancel()

    async def _keep_claimed(self, call_id: str) -> None:
        while True:
            await asyncio.sleep(CLAIM_S / 3)
            try:
                await self._calls.claim_finish(call_id, CLAIM_S)
            except Exception as error:
                log.warning("call_not_claimed", call=call_id, error=f"{type(error).__name__}: {error}"[:300])

    async def _finish(self, call: Call, *, with_recording: bool) -> None:
        began = time.monotonic()
        problems: list[str] = []
        # The last words are transcribed while the PBX finishes the file.
        _, taken = await asyncio.gather(self._heard_live(call), self._take_over(call, problems))
        if problems and with_recording:
            raise RecordingMissingError("; ".join(problems))
        for recording in taken:
            await self._transcribe_rest(call, recording)
        await self._facts.flush()
        if call.has_work_order:
            await self._orders.complete(call, references(taken))
        await self._calls.set_finished(call.id, "; ".join(problems) or None)
        took = round(time.monotonic() - began, 2)
        log.info("call_finished", call=call.id, took_s=took, problems=problems)

    def _told(self, call: Call, trouble: str) -> None:
        fact = PostCallChanged(at=clock.now(), call_id=call.id, pbx=call.pbx, line=call.line, trouble=trouble)
        self._facts.record(fact)

    async def _heard_live(self, call: Call) -> None:
        """Return when what is being transcribed is stored, with the spans heard."""
        if self._live is not None:
            await self._live.finish(call.id)

    async def _take_over(self, call: Call, problems: list[str]) -> list[StoredRecording]:
        pbx = self._pbxs.get(call.pbx)
        done = {one.id: one for one in await self._calls.list_recordings(call.id)}
        for part, recording in enumerate(call.recordings):
            identity = f"{call.id}/{part}"
            row = done.pop(identity, None)
            if row is not None and await self._archive.keep(row.path, row.sha256):
                done[identity] = row
                continue
            if pbx is None:
                problems.append(f"PBX {call.pbx} is not configured any more; its recording stays there")
                continue
            try:
                source = local_path(recording.path, pbx.recordings_prefix, pbx.recordings_dir)
                taken = await self._archive.take(
                    source,
                    call.id,
                    part,
                    call.started_at,
                    deadline_s=self._recording_wait_s,
                    expected_s=(recording.ended_at or recording.started_at) - recording.started_at,
                )
            except TakeoverError as error:
                log.error("recording_not_taken", call=call.id, error=str(error))
                problems.append(str(error))
                continue
            done[identity] = StoredRecording(
                id=identity,
                call_id=call.id,
                path=taken.path,
                sha256=taken.sha256,
                bytes=taken.bytes,
                duration=taken.duration,
                offset=recording.started_at - call.started_at,
                taken_at=clock.now(),
            )
            await self._calls.add_recording(done[identity])
            await self._archive.keep(taken.path, taken.sha256)
        return sorted(done.values(), key=lambda one: one.offset)

    async def _transcribe_rest(self, call: Call, recording: StoredRecording) -> None:
        """What was said in conversation, is on this recording, and was not heard live."""
        if self._pool is None:
            return
        end = recording.offset + recording.duration
        conversations: list[Span] = [
            (
                max(talk.started_at - call.started_at, recording.offset),
                min((talk.ended_at or call.ended_at or clock.now()) - call.started_at, end),
            )
            for talk in call.conversations
            if talk.with_agent
        ]
        # On hold there is music on the recording, and nobody to be heard.
        conversations = subtract(conversations, holds(await self._calls.facts_of(call.id), call))
        legs = await asyncio.to_thread(read_wav, self._path(recording))
        for said in await self._calls.list_utterances(call.id):
            self._hints.heard(said)
        # The agent first: what they asked tells how the caller's answers may begin.
        for side in (Side.AGENT, Side.CALLER):
            heard = await self._calls.get_heard(call.id, side)
            spans = subtract([span for span in conversations if span[1] > span[0]], heard)
            if not spans:
                continue
            log.info(
                "transcribing_recording",
                call=call.id,
                side=side.value,
                seconds=round(sum(b - a for a, b in spans), 1),
            )
            found = await transcribe_span(
                self._pool,
                legs[side],
                call_id=call.id,
                side=side,
                offset=recording.offset,
                spans=spans,
                request=partial(self._wanted, call, side),
            )
            for utterance in found:
                self._hints.heard(utterance)
                self._facts.record(UtteranceHeard(at=clock.now(), utterance=utterance))
                await self._orders.drafting.heard(utterance)
            await self._facts.flush()
            await self._calls.add_heard(call.id, side, spans)

    def _wanted(self, call: Call, side: Side, begin: float) -> EngineRequest:
        return self._hints.request(call.id, side, begin, self._request(call))

    def _path(self, recording: StoredRecording) -> Path:
        return self._archive.locate(recording.path)


def holds(facts: Sequence[AnyFact], call: Call) -> list[Span]:
    """The spans of call time during which the call was on hold. Pure."""
    found: list[Span] = []
    since: float | None = None
    for fact in facts:
        if not isinstance(fact, CallHeld):
            continue
        at = fact.at - call.started_at
        if fact.call.state is CallState.HELD:
            since = at if since is None else since
        elif since is not None:
            found.append((since, at))
            since = None
    if since is not None and call.ended_at is not None:
        found.append((since, call.ended_at - call.started_at))
    return found
