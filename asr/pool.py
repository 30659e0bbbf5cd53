"""The engines of all calls: worker processes that may crash or hang without losing sound or blocking us."""

import asyncio
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

import structlog

from asr.config import AsrConfig
from asr.engine import RATE, Engine, EngineError, EngineRequest, EngineSegment, Samples
from asr.process import Worker, WorkerLost
from asr.wire import MAX_MESSAGE

log = structlog.get_logger(__name__)

_FACTORIES = {"faster-whisper": "asr.faster_whisper_engine:FasterWhisperEngine"}
_ATTEMPTS = 2
_STARTS_BEFORE_GIVING_UP = 3
_MAX_PAUSE_S = 30.0


@dataclass(order=True)
class _Job:
    priority: int
    number: int
    samples: Samples = field(compare=False)
    request: EngineRequest = field(compare=False)
    future: "asyncio.Future[list[EngineSegment]]" = field(compare=False)
    failures: int = field(default=0, compare=False)


class EnginePool:
    """`async with EnginePool(config) as pool:` starts the workers; they load the model by themselves.

    Jobs wait without limit and are done by priority, then by age. A worker that crashes or hangs is replaced
    and its job tried once more on a fresh one.
    """

    def __init__(
        self,
        config: AsrConfig,
        factory: Callable[[AsrConfig], Engine] | str | None = None,
        *,
        start_timeout: float = 300.0,
        hang_timeout: float = 60.0,
    ) -> None:
        """`factory` makes the engine in the worker: an importable callable or `module:name`; default: by
        `config.engine`. `start_timeout`: seconds for loading a model. `hang_timeout`: seconds a request may
        take, besides four times the sound's own length. Raises EngineError for an unknown engine.
        """
        cores = os.cpu_count() or 1
        self._config = replace(config, threads=config.threads or max(1, cores // config.workers))
        if factory is None:
            if config.engine not in _FACTORIES:
                known = ", ".join(_FACTORIES)
                raise EngineError(f"asr.engine {config.engine!r} is unknown; choose one of: {known}")
            factory = _FACTORIES[config.engine]
        self._factory = (
            factory if isinstance(factory, str) else f"{factory.__module__}:{factory.__qualname__}"
        )
        self._start_timeout, self._hang_timeout = start_timeout, hang_timeout
        self._jobs: asyncio.PriorityQueue[_Job] = asyncio.PriorityQueue()
        self._numbers = itertools.count()
        self._pending: set[asyncio.Future[list[EngineSegment]]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._warm = 0
        self._changed = asyncio.Condition()
        self._fault: str | None = None
        self._open = False

    @property
    def ready(self) -> bool:
        """Whether a worker with a loaded model is there now."""
        return self._warm > 0

    @property
    def waiting(self) -> int:
        """Jobs not yet begun."""
        return self._jobs.qsize()

    @property
    def fault(self) -> str | None:
        """Why no worker can be started, while that is so."""
        return self._fault

    async def __aenter__(self) -> Self:
        self._open = True
        self._tasks = [
            asyncio.create_task(self._serve(), name=f"asr-{n}") for n in range(self._config.workers)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for future in self._pending:
            if not future.done():
                future.set_exception(
                    EngineError("the gateway is stopping; the recording still holds this sound")
                )
        async with self._changed:
            self._changed.notify_all()

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Return when a worker is ready. Raises EngineError: none can start, or `timeout` (s) is over."""
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

    async def transcribe(
        self, samples: Samples, request: EngineRequest | None = None, *, priority: int = 0
    ) -> list[EngineSegment]:
        """The text of `samples` (float32, 16 kHz mono, at most 15 minutes). Lower `priority` goes first.

        Raises EngineError: two workers failed on it, none can be started, or the pool is closed.
        """
        if not self._open:
            raise EngineError("the recogniser is stopped")
        if self._fault:
            raise EngineError(self._fault)
        if samples.nbytes >= MAX_MESSAGE:
            raise EngineError(f"{samples.size / RATE:.0f} s of sound are too much at once; segment it")
        future: asyncio.Future[list[EngineSegment]] = asyncio.get_running_loop().create_future()
        self._pending.add(future)
        try:
            self._jobs.put_nowait(
                _Job(priority, next(self._numbers), samples, request or EngineRequest(), future)
            )
            return await future
        finally:
            self._pending.discard(future)

    async def _serve(self) -> None:
        """One worker's place: keeps a process in it and gives it jobs."""
        while True:
            worker = await self._hire()
            try:
                await self._count(+1)
                await self._employ(worker)
            except WorkerLost as loss:
                log.warning("asr_worker_lost", pid=worker.pid, reason=str(loss))
            finally:
                await worker.kill()
                await asyncio.shield(self._count(-1))

    async def _hire(self) -> Worker:
        """A worker with a warm engine; tries until there is one."""
        for tries in itertools.count(1):
            try:
                worker = await Worker.start(self._config, self._factory, self._start_timeout)
            except (WorkerLost, EngineError, OSError) as error:
                log.error("asr_worker_start_failed", error=str(error), tries=tries)
                # The engine's own refusal (no model …) will not change by itself; a crash may.
                if isinstance(error, EngineError) or tries >= _STARTS_BEFORE_GIVING_UP:
                    await self._give_up(str(error))
                await asyncio.sleep(min(_MAX_PAUSE_S, 0.5 * 2 ** min(tries, 10)))
            else:
                return worker
        raise AssertionError  # count() has no end

    async def _give_up(self, fault: str) -> None:
        """No worker can be had for now: say so to all who wait, unless another place still has one."""
        if self.ready:
            return
        async with self._changed:
            self._fault = fault
            self._changed.notify_all()
        while not self._jobs.empty():
            job = self._jobs.get_nowait()
            if not job.future.done():
                job.future.set_exception(EngineError(fault))

    async def _count(self, change: int) -> None:
        async with self._changed:
            self._warm += change
            if change > 0:
                self._fault = None
            self._changed.notify_all()

    async def _employ(self, worker: Worker) -> None:
        """Give it jobs until it is lost. Raises WorkerLost."""
        while True:
            job = await self._jobs.get()
            if job.future.done():
                continue
            if not worker.alive:
                self._jobs.put_nowait(job)  # it died of something else: no mark against this job
                raise WorkerLost("died while idle")
            limit = self._hang_timeout + 4 * job.samples.size / RATE
            try:
                segments = await worker.ask(job.samples, job.request, limit)
            except (WorkerLost, EngineError) as error:
                self._failed(job, error)
                if isinstance(error, WorkerLost):
                    raise
            else:
                if not job.future.done():
                    job.future.set_result(segments)

    def _failed(self, job: _Job, error: Exception) -> None:
        job.failures += 1
        if job.future.done():
            return
        if job.failures < _ATTEMPTS:
            self._jobs.put_nowait(job)  # keeps its number, so it is next of its priority
            return
        seconds = job.samples.size / RATE
        job.future.set_exception(
            EngineError(
                f"the engine failed twice on {seconds:.1f} s of sound ({error}); see the log before this"
            )
        )
