"""The engines shared by all calls: worker processes that can crash or hang without losing audio."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

from asr.config import AsrConfig
from asr.engine import LONGEST_S, RATE, Engine, EngineError, EngineJob, EngineRequest, EngineSegment, Samples
from asr.process import Worker, WorkerLost
from asr.schedule import Job, Schedule, Urgency
from asr.stats import Stats
from domain.recogniser import Recogniser

log = structlog.get_logger(__name__)

ENGINES = {
    "faster-whisper": "asr.faster_whisper_engine:FasterWhisperEngine",
    "http": "asr.http_engine:HttpEngine",
}
_AWAITED = frozenset({Urgency.FINAL, Urgency.LIKELY})
"""What a live call waits for."""
_DROPPABLE = frozenset({Urgency.LIKELY, Urgency.PARTIAL})
"""These will be followed by another of their kind, or by a final."""
_ATTEMPTS = 2
_STARTS_BEFORE_GIVING_UP = 3
_FIRST_PAUSE_S = 1.0
_MAX_PAUSE_S = 30.0


class DroppedError(EngineError):
    """Raised for a partial that was dropped for lack of time, or is no longer wanted."""


@dataclass(eq=False)
class _Item:
    work: EngineJob
    future: "asyncio.Future[list[EngineSegment]]"
    asked_at: float
    failures: int = 0


class Ticket:
    """A handle on a stretch submitted to the pool."""

    def __init__(self, pool: "EnginePool", job: Job[_Item]) -> None:
        self._pool, self._job = pool, job

    @property
    def done(self) -> bool:
        """Whether `result` returns or raises at once."""
        return self._job.item.future.done()

    @property
    def dropped(self) -> bool:
        """Whether the stretch was dropped or failed, so that `result` raises."""
        future = self._job.item.future
        return future.done() and (future.cancelled() or future.exception() is not None)

    async def result(self) -> list[EngineSegment]:
        """Wait for the text. Raises EngineError; DroppedError for a partial that was dropped."""
        return await asyncio.shield(self._job.item.future)

    def on_done(self, callback: Callable[[list[EngineSegment]], None]) -> None:
        """Call `callback` with the text when it is ready; never if the stretch failed or was dropped."""

        def call(future: "asyncio.Future[list[EngineSegment]]") -> None:
            if not future.cancelled() and future.exception() is None:
                callback(future.result())

        self._job.item.future.add_done_callback(call)

    def promote(self) -> None:
        """Turn the stretch into a final: it proved to be the whole utterance."""
        self._pool.promote(self._job)

    def withdraw(self) -> None:
        """Give up the stretch: nobody wants it any more."""
        self._pool.withdraw(self._job)


class EnginePool:
    """Runs the workers inside `async with EnginePool(config) as pool:`; each loads its own model.

    Stretches wait without limit; `asr.schedule` decides which is next. A worker that crashes or hangs is
    replaced, and its stretches are retried once on a fresh one, each by itself.
    """

    def __init__(
        self,
        config: AsrConfig,
        factory: Callable[[AsrConfig], Engine] | str | None = None,
        *,
        start_timeout: float = 300.0,
        hang_timeout: float = 60.0,
    ) -> None:
        """Set up the pool. Raises EngineError for an unknown engine.

        `factory` makes the engine in the worker; it is an importable callable or `module:name`, by default
        the one for `config.engine`. `start_timeout` is the seconds allowed for loading a model,
        `hang_timeout` the seconds a batch may take on top of four times the length of its audio.
        """
        cores = os.cpu_count() or 1
        self._config = replace(config, threads=config.threads or max(1, cores // config.workers))
        if factory is None:
            if config.engine not in ENGINES:
                known = ", ".join(ENGINES)
                raise EngineError(f"asr.engine {config.engine!r} is unknown; choose one of: {known}")
            factory = ENGINES[config.engine]
        self._factory = (
            factory if isinstance(factory, str) else f"{factory.__module__}:{factory.__qualname__}"
        )
        self._start_timeout, self._hang_timeout = start_timeout, hang_timeout
        self._schedule: Schedule[_Item] = Schedule()
        self._arrived = asyncio.Event()
        self._pending: set[asyncio.Future[list[EngineSegment]]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._warm = 0
        self._on_partials = 0
        """Workers currently computing partials."""
        self._changed = asyncio.Condition()
        self._fault: str | None = None
        self._open = False
        self.stats = Stats()
        self.failures: dict[str, str] = {}
        """Slots that failed and have not worked since → why."""

    @property
    def ready(self) -> bool:
        """Whether a worker with a loaded model is available now."""
        return self._warm > 0

    @property
    def fault(self) -> str | None:
        """Why no worker can be started, as long as that is the case."""
        return self._fault

    def waiting(self, urgency: Urgency | None = None) -> int:
        """Count the stretches not yet started, of one urgency or all."""
        return len(self._schedule) if urgency is None else self._schedule.waiting(urgency)

    def state(self) -> Recogniser:
        """Return how the recogniser is keeping up."""
        now = time.monotonic()
        return Recogniser(
            load=self._schedule.load(now),
            ready=self.ready,
            waiting=self._schedule.waiting(Urgency.FINAL),
            lag=round(self._schedule.lag(now), 1),
            partials_dropped=self._schedule.partials_dropped,
            fault=self._fault,
        )

    def focus(self, call_ids: Iterable[str]) -> None:
        """Put these calls before others of the same urgency: their agents have the desk open."""
        self._schedule.focus = frozenset(call_ids)

    async def __aenter__(self) -> Self:
        self._open = True
        self._tasks = [
            asyncio.create_task(self._slot(f"asr-{n}"), name=f"asr-{n}") for n in range(self._config.workers)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for future in list(self._pending):
            _fail(future, EngineError("the gateway is stopping; the recording still holds this sound"))
        async with self._changed:
            self._changed.notify_all()

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until a worker is ready. Raises EngineError if none can start or after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self.ready or self._fault or not self._open)
        except TimeoutError:
            raise EngineError(
                f"the recogniser was not ready after {timeout:g} s; a slow disk, or a model too large for"
                " this machine (asr.model, asr.compute_type)"
            ) from None
        if not self.ready:
            raise EngineError(self._fault or "the recogniser is stopped")

    def submit(
        self,
        samples: Samples,
        request: EngineRequest | None = None,
        *,
        urgency: Urgency = Urgency.FINAL,
        call_id: str = "",
    ) -> Ticket:
        """Submit `samples` (float32, 16 kHz mono, at most `LONGEST_S`).

        Raises EngineError if the pool is closed, no worker can be started, or the audio is too long. The
        ticket's result raises it if two workers failed on it.
        """
        if not self._open:
            raise EngineError("the recogniser is stopped")
        if self._fault:
            raise EngineError(self._fault)
        if samples.size > LONGEST_S * RATE:
            raise EngineError(f"{samples.size / RATE:.0f} s of sound are too much at once; segment it")
        future: asyncio.Future[list[EngineSegment]] = asyncio.get_running_loop().create_future()
        self._pending.add(future)
        future.add_done_callback(self._settled)
        now = time.monotonic()
        item = _Item(EngineJob(samples, request or EngineRequest()), future, now)
        job = Job(item, urgency, call_id, now)
        self._schedule.put(job)
        self._arrived.set()
        return Ticket(self, job)

    def _settled(self, future: "asyncio.Future[list[EngineSegment]]") -> None:
        self._pending.discard(future)
        if not future.cancelled():
            future.exception()  # whoever still wants it has it; a withdrawn one is nobody's error

    async def transcribe(
        self,
        samples: Samples,
        request: EngineRequest | None = None,
        *,
        urgency: Urgency = Urgency.FINAL,
        call_id: str = "",
    ) -> list[EngineSegment]:
        """Transcribe `samples`; see `submit`."""
        ticket = self.submit(samples, request, urgency=urgency, call_id=call_id)
        try:
            return await ticket.result()
        except asyncio.CancelledError:
            ticket.withdraw()
            raise

    def promote(self, job: Job[_Item]) -> None:
        """See `Ticket.promote`."""
        self._schedule.promote(job, time.monotonic())

    def withdraw(self, job: Job[_Item]) -> None:
        """See `Ticket.withdraw`."""
        self._schedule.withdraw(job)
        _fail(job.item.future, DroppedError("not wanted any more"))

    async def _slot(self, name: str) -> None:
        """Serve one slot until the end: what fails for a reason nobody thought of is begun again."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                await self._serve(name)
            except Exception as error:
                log.exception("asr_slot_failed", slot=name, again_in_s=pause)
                self.failures[name] = f"{type(error).__name__}: {error}"[:200]
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_S)

    async def _serve(self, name: str) -> None:
        """Keep one worker slot filled with a process and supply it with work."""
        while True:
            worker = await self._hire()
            try:
                await self._count(+1)
                await self._employ(worker, name)
            except WorkerLost as loss:
                self.stats.workers_lost += 1
                log.warning("asr_worker_lost", pid=worker.pid, reason=str(loss))
            finally:
                await worker.kill()
                await asyncio.shield(self._count(-1))

    async def _hire(self) -> Worker:
        """A worker with a warm engine; tries until there is one."""
        hiring = AsyncRetrying(
            retry=retry_if_exception_type((WorkerLost, EngineError, OSError)),
            wait=wait_exponential(max=_MAX_PAUSE_S),
            before_sleep=self._not_hired,
        )
        worker: Worker = await hiring(Worker.start, self._config, self._factory, self._start_timeout)
        return worker

    async def _not_hired(self, state: RetryCallState) -> None:
        assert state.outcome is not None
        error, tries = state.outcome.exception(), state.attempt_number
        log.error("asr_worker_start_failed", error=str(error), tries=tries)
        # The engine's own refusal (no model …) will not change by itself; a crash may.
        if isinstance(error, EngineError) or tries >= _STARTS_BEFORE_GIVING_UP:
            await self._give_up(str(error))

    async def _give_up(self, fault: str) -> None:
        """Fail all waiting stretches because no worker can be started, unless another slot still has one."""
        if self.ready:
            return
        async with self._changed:
            self._fault = fault
            self._changed.notify_all()
        for job in self._schedule.drain():
            _fail(job.item.future, EngineError(fault))

    async def _count(self, change: int) -> None:
        async with self._changed:
            self._warm += change
            if change > 0:
                self._fault = None
            self._changed.notify_all()

    async def _take(self) -> list[Job[_Item]]:
        """Return the next batch as soon as there is one.

        If there are several workers, one is kept free of partials, so that an utterance that ends finds it
        idle.
        """
        while True:
            partials = self._on_partials < max(1, self._config.workers - 1)
            taken, dropped = self._schedule.take(time.monotonic(), self._config.batch_size, partials=partials)
            for job in dropped:
                _fail(job.item.future, DroppedError("dropped: there was more speech than time"))
            batch = [job for job in taken if not job.item.future.done()]
            if batch:
                return batch
            if not taken:
                self._arrived.clear()
                await self._arrived.wait()

    async def _employ(self, worker: Worker, slot: str) -> None:
        """Give the worker batches until it is lost. Raises WorkerLost."""
        while True:
            batch = await self._take()
            if not worker.alive:
                for job in batch:  # the worker died of something else: not counted against these
                    self._schedule.put(job)
                self._arrived.set()
                raise WorkerLost("died while idle")
            seconds = sum(job.item.work.samples.size for job in batch) / RATE
            began = time.monotonic()
            partials = any(job.urgency is Urgency.PARTIAL for job in batch)
            self._on_partials += partials
            try:
                texts = await worker.ask([job.item.work for job in batch], self._hang_timeout + 4 * seconds)
            except Exception as error:
                for job in batch:
                    self._failed(job, error)
                if not isinstance(error, EngineError):
                    raise
                continue
            finally:
                self._on_partials -= partials
                if partials:
                    self._arrived.set()  # another may take one now
            self.failures.pop(slot, None)
            took = time.monotonic() - began
            self.stats.busy_s += took
            self.stats.batches += 1
            self.stats.stretches += len(batch)
            self.stats.audio_s += seconds
            for job in batch:
                if job.urgency in _AWAITED:
                    self.stats.wait.observe(began - job.item.asked_at)
                    self.stats.compute.observe(took)
            for job, segments in zip(batch, texts, strict=True):
                if not job.item.future.done():
                    job.item.future.set_result(segments)

    def _failed(self, job: Job[_Item], error: Exception) -> None:
        job.item.failures += 1
        if job.item.future.done():
            return
        if job.urgency in _DROPPABLE:
            _fail(job.item.future, DroppedError(f"the engine failed on a partial ({error})"))
        elif job.item.failures < _ATTEMPTS:
            job.alone = True
            self._schedule.put(job)  # keeps its number, so it is next of its kind
            self._arrived.set()
        else:
            length = job.item.work.samples.size / RATE
            _fail(
                job.item.future,
                EngineError(
                    f"the engine failed twice on {length:.1f} s of sound ({error}); see the log before this"
                ),
            )


def _fail(future: "asyncio.Future[list[EngineSegment]]", error: EngineError) -> None:
    if not future.done():
        future.set_exception(error)
