"""Background work, watched: what dies is logged and started again, and readiness fails meanwhile."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from gateway.health import Check

log = structlog.get_logger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
STOP_S = 3.0
STEADY_S = 5.0
"""Work that runs for so long after a failure is well again."""


@dataclass(frozen=True)
class Job:
    """Work beside everything else, from the start of the gateway to its end."""

    name: str
    run: Callable[[], Coroutine[Any, Any, object]]
    """Returns when there is nothing left to do, or never. Called again after a failure."""
    restart: bool = True
    """Whether it may be started again where it failed."""


class Supervisor:
    """Runs jobs. One that fails is reported, and started again with growing pauses."""

    def __init__(self, first_pause_s: float = FIRST_PAUSE_S, steady_s: float = STEADY_S) -> None:
        self._first_pause_s = first_pause_s
        self._steady_s = steady_s
        self._tasks: set[asyncio.Task[Any]] = set()
        self.failures: dict[str, str] = {}
        """Name of each job that is down, or was until moments ago → why."""
        self.restarts = 0

    def start(self, job: Job) -> None:
        """Run the job until it is done or the supervisor is stopped."""
        self._keep(asyncio.create_task(self._run(job), name=job.name))

    def tend(self, name: str, run: Callable[[], Coroutine[Any, Any, object]]) -> asyncio.Task[Any]:
        """Run it like a job; whoever asked for it ends it, by cancelling the task."""
        return asyncio.create_task(self._run(Job(name, run)), name=name)

    def watch(self, task: asyncio.Task[Any]) -> None:
        """Watch a task that somebody else runs: where it fails, it cannot be started again from here."""
        task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Cancel all jobs and wait for them, but not long."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            # One that waits for a database that does not answer keeps nobody from leaving.
            await asyncio.wait(tasks, timeout=STOP_S)

    async def check(self) -> Check:
        """Readiness: every job is running."""
        down = "; ".join(f"{name}: {why}" for name, why in sorted(self.failures.items()))
        return Check("tasks", not down, f"{down} (the log says more)" if down else "")

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job) -> None:
        pause = self._first_pause_s
        while True:
            began = time.monotonic()
            steady = asyncio.get_running_loop().call_later(self._steady_s, self.failures.pop, job.name, None)
            try:
                await job.run()
            except Exception as error:
                self._failed(job.name, error)
            else:
                self.failures.pop(job.name, None)
                return
            finally:
                steady.cancel()
            if not job.restart:
                return
            if time.monotonic() - began > LONGEST_PAUSE_S:
                pause = self._first_pause_s
            # Jittered, lest what failed together starts together.
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311
            pause = min(2 * pause, LONGEST_PAUSE_S)
            self.restarts += 1
            log.warning("task_restarted", task=job.name)

    def _failed(self, name: str, error: BaseException) -> None:
        self.failures[name] = f"{type(error).__name__}: {error}"[:200]
        log.error("task_failed", task=name, exc_info=error)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(task.get_name(), error)
