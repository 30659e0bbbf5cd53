"""Decide which stretch of speech is next. Pure; the current time is an argument.

Finals go before partials, calls whose agent has the desk open before others, then the oldest first. A partial
may be dropped: when its final is there, when a newer one is, or when it has waited too long. A stretch
requested when silence began is most likely a final, so it goes before everything but finals.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

from domain.recogniser import Load

T = TypeVar("T")

STALE_S = 1.5
"""A partial that has waited longer would show what was said too long ago."""
SHEDDING_S = 3.0
"""How long after a partial was dropped for lack of time the load is reported as dropping partials."""
DELAYED_S, RELIEVED_S = 2.0, 1.0
"""Finals that wait longer than the first are late; below the second they are in time again."""


class Urgency(IntEnum):
    """What kind of stretch it is; lower goes first."""

    FINAL = 0
    """A finished utterance of a call in progress."""
    LIKELY = 1
    """An utterance followed by silence so far: the final, unless the speaker goes on."""
    RECORDING = 2
    """From a recording, after the call."""
    PARTIAL = 3
    """An utterance still being spoken."""


@dataclass(eq=False)
class Job(Generic[T]):
    """A waiting stretch; `item` belongs to the caller."""

    item: T
    urgency: Urgency
    call_id: str
    put_at: float
    number: int = 0
    alone: bool = False
    """Must not be computed together with others: it may be what made a batch fail."""


@dataclass
class Schedule(Generic[T]):
    """The queue. `focus` holds the ids of the calls whose agent has the desk open."""

    focus: frozenset[str] = frozenset()
    partials_dropped: int = 0
    """Dropped for lack of time since the start."""
    _jobs: list[Job[T]] = field(default_factory=list)
    _numbers: int = 0
    _shed_at: float = float("-inf")
    _delayed: bool = False

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job[T]) -> None:
        """Add a job; one that is put back keeps its place."""
        if not job.number:
            self._numbers += 1
            job.number = self._numbers
        self._jobs.append(job)

    def withdraw(self, job: Job[T]) -> bool:
        """Remove a job nobody wants any more; return whether it was still waiting."""
        if job not in self._jobs:
            return False
        self._jobs.remove(job)
        return True

    def promote(self, job: Job[T], now: float) -> None:
        """Make the job a final from now on: it proved to be the whole utterance."""
        if job.urgency is not Urgency.FINAL:
            job.urgency, job.put_at = Urgency.FINAL, now

    def take(self, now: float, limit: int, *, partials: bool = True) -> tuple[list[Job[T]], list[Job[T]]]:
        """Return up to `limit` jobs that are next, and the partials that are dropped instead.

        `partials` says whether partials may be among them.
        """
        dropped = [job for job in self._jobs if job.urgency is Urgency.PARTIAL and now - job.put_at > STALE_S]
        if dropped:
            self.partials_dropped += len(dropped)
            self._shed_at = now
            self._jobs = [job for job in self._jobs if job not in dropped]
        ready = [job for job in self._jobs if partials or job.urgency is not Urgency.PARTIAL]
        waiting = sorted(ready, key=self._rank)[: max(1, limit)]
        if waiting and waiting[0].alone:
            waiting = waiting[:1]
        batch = [job for job in waiting if not job.alone or job is waiting[0]]
        self._jobs = [job for job in self._jobs if job not in batch]
        return batch, dropped

    def _rank(self, job: Job[T]) -> tuple[int, bool, int]:
        return job.urgency, job.call_id not in self.focus, job.number

    def drain(self) -> list[Job[T]]:
        """Remove and return all waiting jobs."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def waiting(self, urgency: Urgency) -> int:
        """Count the waiting jobs of that urgency."""
        return sum(job.urgency is urgency for job in self._jobs)

    def lag(self, now: float) -> float:
        """How many seconds the oldest final of a live call has waited; 0 if none waits."""
        return max((now - job.put_at for job in self._jobs if job.urgency is Urgency.FINAL), default=0.0)

    def load(self, now: float) -> Load:
        """Return the current load; late finals weigh more than dropped partials."""
        lag = self.lag(now)
        self._delayed = lag > (RELIEVED_S if self._delayed else DELAYED_S)
        if self._delayed:
            return Load.DELAYED
        return Load.NO_PARTIALS if now - self._shed_at < SHEDDING_S else Load.NORMAL
