"""Which stretch of speech is next: pure bookkeeping, time comes in with each call.

Finals before partials, calls whose agent has the desk open before others, oldest first. What is only a
partial may be dropped: when the final is there, when a newer one is, and when it has waited too long. What
was asked for when silence began is most likely a final: it goes before all but finals.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

from domain.recogniser import Load

T = TypeVar("T")

STALE_S = 1.5
"""A partial that waited longer shows what was said too long ago."""
SHEDDING_S = 3.0
"""For so long after a partial was dropped for want of time we say that partials are being dropped."""
DELAYED_S, RELIEVED_S = 2.0, 1.0
"""Finals that wait longer are late; they are in time again when they wait less than the second."""


class Urgency(IntEnum):
    """What a stretch is; lower goes first."""

    FINAL = 0
    """An utterance of a call that is going on; it is over."""
    LIKELY = 1
    """An utterance after which silence has begun: the final, unless the speaker goes on."""
    RECORDING = 2
    """From a recording, after the call."""
    PARTIAL = 3
    """An utterance that is still being spoken."""


@dataclass(eq=False)
class Job(Generic[T]):
    """A stretch that waits; `item` is the caller's own."""

    item: T
    urgency: Urgency
    call_id: str
    put_at: float
    number: int = 0
    alone: bool = False
    """Not to be computed together with others: it may be what made a batch fail."""


@dataclass
class Schedule(Generic[T]):
    """The queue. `focus`: ids of the calls whose agent has the desk open."""

    focus: frozenset[str] = frozenset()
    partials_dropped: int = 0
    """Dropped for want of time, since the beginning."""
    _jobs: list[Job[T]] = field(default_factory=list)
    _numbers: int = 0
    _shed_at: float = float("-inf")
    _delayed: bool = False

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job[T]) -> None:
        """It waits from now; one that comes back keeps its place."""
        if not job.number:
            self._numbers += 1
            job.number = self._numbers
        self._jobs.append(job)

    def withdraw(self, job: Job[T]) -> bool:
        """Nobody wants it any more; whether it was still waiting."""
        if job not in self._jobs:
            return False
        self._jobs.remove(job)
        return True

    def promote(self, job: Job[T], now: float) -> None:
        """It turned out to be the whole utterance: it is a final from now on."""
        if job.urgency is not Urgency.FINAL:
            job.urgency, job.put_at = Urgency.FINAL, now

    def take(self, now: float, limit: int, *, partials: bool = True) -> tuple[list[Job[T]], list[Job[T]]]:
        """Up to `limit` jobs that are next, and the partials that are dropped instead.

        `partials`: whether partials may be among them.
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
        """All that wait, taken out."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def waiting(self, urgency: Urgency) -> int:
        """How many of that kind wait."""
        return sum(job.urgency is urgency for job in self._jobs)

    def lag(self, now: float) -> float:
        """For how many seconds the oldest final of a live call has waited; 0 when none waits."""
        return max((now - job.put_at for job in self._jobs if job.urgency is Urgency.FINAL), default=0.0)

    def load(self, now: float) -> Load:
        """How we keep up; late finals weigh more than dropped partials."""
        lag = self.lag(now)
        self._delayed = lag > (RELIEVED_S if self._delayed else DELAYED_S)
        if self._delayed:
            return Load.DELAYED
        return Load.NO_PARTIALS if now - self._shed_at < SHEDDING_S else Load.NORMAL
