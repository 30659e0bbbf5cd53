"""What figures are counted in: days, intervals of queues, agents' clocks; and all of it as a value. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from domain.figures import QueueCounts
from domain.lines import Line
from domain.queues import AgentState, AgentStatus, QueueEntry

QueueKey = tuple[str, str]
"""(PBX, queue)"""
EntryKey = tuple[str, str, str, float]
"""(PBX, caller's unique id, queue, entered at)"""
INTERVAL_S = 1800


class Day(Struct, frozen=True):
    """A calendar day in one time zone, [start, end) in POSIX seconds; 23 or 25 hours when clocks change."""

    start: float
    end: float


def day_of(at: float, zone: ZoneInfo) -> Day:
    """Return the day that contains `at`."""
    midnight = datetime.fromtimestamp(at, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return Day(midnight.timestamp(), (midnight + timedelta(days=1)).timestamp())


class Bucket(QueueCounts):
    """One queue's counts in one interval, with the sums that ratios are computed from."""

    wait_answered_s: float = 0.0
    wait_abandoned_s: float = 0.0
    busy_s: float = 0.0
    ready_s: float = 0.0

    def add(self, other: "Bucket") -> None:
        """Add the other bucket's counts."""
        for name in self.__struct_fields__:
            mine, its = getattr(self, name), getattr(other, name)
            setattr(self, name, max(mine, its) if name == "longest_wait_s" else mine + its)


class QueueDays:
    """One queue's intervals of today and yesterday."""

    def __init__(self, line: Line | None, zone: ZoneInfo) -> None:
        self.line = line
        self.zone = zone
        self.day = Day(0.0, 0.0)
        self.buckets: dict[float, Bucket] = {}
        """Buckets by start of the interval."""
        self.changed: set[float] = set()
        self.told_at = 0.0

    def day_at(self, at: float) -> Day:
        """Return the day that contains `at`; a new one leaves only the one before."""
        if self.day.start <= at < self.day.end:
            return self.day
        day = day_of(at, self.zone)
        if day.start > self.day.start:
            self.day = day
            kept = day_of(day.start - 1, self.zone).start
            self.buckets = {start: one for start, one in self.buckets.items() if start >= kept}
        return day

    def interval(self, at: float) -> tuple[float, float]:
        """Return [start, end) of the interval that contains `at`."""
        day = self.day_at(at)
        start = day.start + (at - day.start) // INTERVAL_S * INTERVAL_S
        return start, min(start + INTERVAL_S, day.end)

    def bucket(self, at: float) -> Bucket:
        """Return the interval's counts, to be changed."""
        start, _ = self.interval(at)
        self.changed.add(start)
        found = self.buckets.get(start)
        if found is None:
            found = self.buckets[start] = Bucket()
        return found


class Clock:
    """One agent's day: seconds per state, counted up to `counted`."""

    def __init__(self, status: AgentStatus, at: float, day: Day) -> None:
        self.status = status
        self.queues: frozenset[QueueKey] = frozenset()
        self.counted = at
        self.told_at = at
        """When its status was last heard of."""
        self.begin(day)

    def begin(self, day: Day) -> None:
        """Count anew."""
        self.day = day
        self.taken = 0
        self.missed = 0
        self.seconds: dict[AgentState, float] = {}
        self.paused: dict[str, float] = {}


class QueueState(Struct, frozen=True):
    """A queue's counts."""

    key: QueueKey
    day: Day
    buckets: list[tuple[float, Bucket]]


class ClockState(Struct, frozen=True):
    """An agent's clock."""

    status: AgentStatus
    told_at: float
    queues: list[QueueKey]
    counted: float
    day: Day
    taken: int
    missed: int
    seconds: dict[AgentState, float]
    paused: dict[str, float]


class FiguresState(Struct, frozen=True):
    """All that was counted, and what was going on."""

    queues: list[QueueState]
    clocks: list[ClockState]
    open_entries: list[QueueEntry]
    served: dict[str, QueueEntry]
    last_at: float


encode: Callable[[FiguresState], bytes] = msgspec.msgpack.encode
decode: Callable[[bytes], FiguresState] = msgspec.msgpack.Decoder(FiguresState).decode


def state_of_queue(key: QueueKey, queue: QueueDays) -> QueueState:
    """A queue's counts as a value."""
    return QueueState(key, queue.day, list(queue.buckets.items()))


def restore_queue(queue: QueueDays, state: QueueState) -> None:
    """The counts again; all of them have yet to be told."""
    queue.day = state.day
    queue.buckets = dict(state.buckets)
    queue.changed = set(queue.buckets)


def state_of_clock(clock: Clock) -> ClockState:
    """An agent's clock as a value."""
    return ClockState(
        clock.status,
        clock.told_at,
        sorted(clock.queues),
        clock.counted,
        clock.day,
        clock.taken,
        clock.missed,
        clock.seconds,
        clock.paused,
    )


def restored_clock(state: ClockState) -> Clock:
    """The clock again."""
    clock = Clock(state.status, state.counted, state.day)
    clock.told_at = state.told_at
    clock.queues = frozenset(state.queues)
    clock.taken, clock.missed = state.taken, state.missed
    clock.seconds, clock.paused = state.seconds, state.paused
    return clock
