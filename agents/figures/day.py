"""Figures of queues and agents, folded from facts: from the bus, or after a restart from the journal. Pure.

docs/metrics.md defines what is counted. Queues are counted in intervals of their line's day; the day is the
sum of its intervals. Time while the gateway was away counts towards no agent state.
"""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from agents.figures.state import (
    INTERVAL_S,
    Bucket,
    Clock,
    EntryKey,
    FiguresState,
    QueueDays,
    QueueKey,
    day_of,
    restore_queue,
    restored_clock,
    state_of_clock,
    state_of_queue,
)
from domain.facts import (
    AgentChanged,
    AgentFiguresChanged,
    AnyFact,
    QueueEntryChanged,
    QueueFiguresChanged,
)
from domain.figures import AgentFigures, QueueCounts, QueueFigures
from domain.lines import Line
from domain.queues import AgentState, AgentStatus, QueueEntry, QueueOutcome
from domain.spans import LAST_INSTANT, LONGEST_S, elapsed

AHEAD_S = 3600.0
"""What is dated further ahead of us is a wrong clock's."""
FRESH_S = 30.0
"""Seconds between updates of figures that change with time alone (occupancy)."""

BUSY = frozenset({AgentState.TALKING, AgentState.ON_HOLD, AgentState.WRAP_UP})
READY = BUSY | {AgentState.AVAILABLE, AgentState.RINGING}


class DayFigures:
    """Computes figures from facts. The cost of a fact does not grow with the number of agents and queues."""

    def __init__(self, lines: Sequence[Line], timezone: str = "Asia/Shanghai") -> None:
        """`timezone` applies to agents and to queues without a line."""
        self._lines = {line.queue: line for line in lines}
        self._zone = ZoneInfo(timezone)
        self._queues: dict[QueueKey, QueueDays] = {}
        self._clocks: dict[str, Clock] = {}
        self._changed_agents: set[str] = set()
        self._agents_of: dict[QueueKey, set[str]] = {}
        self.open_entries: dict[EntryKey, QueueEntry] = {}
        """Queue entries whose wait or conversation is not over."""
        self.served: dict[str, QueueEntry] = {}
        """The last entry each agent served, whose wrap-up may be in progress."""
        self.last_at = 0.0
        self.now: float | None = None
        """The time now, where it is told: what a wrong clock dated far ahead of it is not counted."""

    @property
    def statuses(self) -> dict[str, AgentStatus]:
        """The last known status of each agent."""
        return {agent: clock.status for agent, clock in self._clocks.items()}

    # -- facts in ------------------------------------------------------------------------------------------
    def apply(self, fact: AnyFact) -> None:
        """Count one fact; facts that affect no figure are ignored."""
        if isinstance(fact, QueueEntryChanged):
            if not self._is_plausible(fact.at, fact.entry.entered_at):
                return
            self._entry(fact)
        elif isinstance(fact, AgentChanged):
            if not self._is_plausible(fact.at):
                return
            self._agent(fact)
        else:
            return
        self.last_at = max(self.last_at, fact.at)

    def _is_plausible(self, *instants: float) -> bool:
        last = LAST_INSTANT if self.now is None else self.now + AHEAD_S
        return all(0.0 <= at <= last for at in instants)

    def moved(self, before: float, now: float) -> None:
        """Our clock was set from `before` to `now`: no time passed between the two."""
        for clock in self._clocks.values():
            self._count(clock, before)
            clock.counted = now
            if not clock.day.start <= now < clock.day.end:
                clock.begin(day_of(now, self._zone))

    def resume(self, now: float) -> None:
        """Continue after replaying an earlier run's facts; the time since its last fact is not counted."""
        for clock in self._clocks.values():
            self._count(clock, self.last_at)
            clock.counted = max(clock.counted, now)
        for key, entry in list(self.open_entries.items()):
            if now - entry.entered_at > 86400:
                del self.open_entries[key]

    def _entry(self, fact: QueueEntryChanged) -> None:
        entry = fact.entry
        queue = self._queue((entry.pbx, entry.queue))
        bucket = queue.bucket(entry.entered_at)
        key = _entry_key(entry)
        if fact.stage == "entered":
            bucket.offered += 1
            self.open_entries[key] = entry
        elif fact.stage == "moved":
            if key in self.open_entries:
                self.open_entries[key] = entry
        elif fact.stage == "left":
            self._left(queue.line, bucket, entry)
            if entry.outcome is QueueOutcome.ANSWERED:
                self.open_entries[key] = entry
                if entry.agent in self._clocks:
                    self._count(self._clocks[entry.agent], fact.at)
                    self._clocks[entry.agent].taken += 1
                    self._changed_agents.add(entry.agent)
            else:
                self.open_entries.pop(key, None)
        elif fact.stage == "served":
            self.open_entries.pop(key, None)
            if entry.agent is not None:
                self.served[entry.agent] = entry
            bucket.transferred += entry.transferred
            if entry.talked is not None:
                bucket.served += 1
                bucket.talk_s += elapsed(0.0, entry.talked)
        else:
            bucket.wrap_up_s += elapsed(0.0, entry.wrapped_up or 0.0)

    @staticmethod
    def _left(line: Line | None, bucket: Bucket, entry: QueueEntry) -> None:
        waited = elapsed(0.0, entry.waited or 0.0)
        bucket.missed += entry.missed
        match entry.outcome:
            case QueueOutcome.ANSWERED:
                bucket.answered += 1
                bucket.wait_answered_s += waited
                bucket.answered_in_time += waited <= (line.service_level_s if line else 15.0)
            case QueueOutcome.ABANDONED if waited < (line.abandon_after_s if line else 5.0):
                bucket.short_abandoned += 1
            case QueueOutcome.ABANDONED:
                bucket.abandoned += 1
                bucket.wait_abandoned_s += waited
            case QueueOutcome.TIMEOUT:
                bucket.timeout += 1
            case QueueOutcome.WITHDRAWN:
                bucket.withdrawn += 1
            case QueueOutcome.UNSEEN:
                bucket.unseen += 1
            case _:
                bucket.other += 1
        bucket.longest_wait_s = max(bucket.longest_wait_s, waited)

    def _agent(self, fact: AgentChanged) -> None:
        status = fact.agent
        queues = frozenset((status.pbx, name) for name in status.queues)
        clock = self._clocks.get(status.id)
        if clock is None:
            clock = Clock(status, fact.at, day_of(fact.at, self._zone))
            self._clocks[status.id] = clock
        self._count(clock, fact.at)
        clock.missed += status.missed > clock.status.missed
        for key in clock.queues - queues:
            self._agents_of[key].discard(status.id)
        for key in queues - clock.queues:
            self._agents_of.setdefault(key, set()).add(status.id)
        clock.status, clock.queues, clock.told_at = status, queues, fact.at
        self._changed_agents.add(status.id)

    def _count(self, clock: Clock, until: float) -> None:
        """Count the time up to `until` towards the agent's current state."""
        if until - clock.counted > LONGEST_S:
            # No state lasts so long: there is nothing to count, and nothing to walk through.
            clock.counted = until
            clock.begin(day_of(until, self._zone))
        while clock.counted < until:
            if clock.counted >= clock.day.end:
                clock.begin(day_of(clock.counted, self._zone))
            upto = min(until, clock.day.end)
            state = clock.status.state
            clock.seconds[state] = clock.seconds.get(state, 0.0) + upto - clock.counted
            if state is AgentState.PAUSED:
                reason = clock.status.reason
                clock.paused[reason] = clock.paused.get(reason, 0.0) + upto - clock.counted
            if state in READY:
                # In one order, so that whoever folds the same facts says the same in the same order.
                for key in sorted(clock.queues):
                    self._occupy(self._queue(key), clock.counted, upto, state in BUSY)
            clock.counted = upto

    @staticmethod
    def _occupy(queue: QueueDays, since: float, until: float, busy: bool) -> None:
        while since < until:
            _, end = queue.interval(since)
            upto = min(until, end)
            bucket = queue.bucket(since)
            bucket.ready_s += upto - since
            bucket.busy_s += upto - since if busy else 0.0
            since = upto

    def _queue(self, key: QueueKey) -> QueueDays:
        queue = self._queues.get(key)
        if queue is None:
            line = self._lines.get(key[1])
            queue = self._queues[key] = QueueDays(line, ZoneInfo(line.timezone) if line else self._zone)
        return queue

    # -- all of it, as a value -----------------------------------------------------------------------------
    def state(self) -> FiguresState:
        """What was counted, to go on with elsewhere. Shares what is in it: encode it at once."""
        return FiguresState(
            [state_of_queue(key, queue) for key, queue in self._queues.items()],
            [state_of_clock(clock) for clock in self._clocks.values()],
            list(self.open_entries.values()),
            self.served,
            self.last_at,
        )

    def restore(self, state: FiguresState) -> None:
        """Go on from there; nothing must have been counted yet."""
        for one in state.queues:
            restore_queue(self._queue(one.key), one)
        for kept in state.clocks:
            clock = restored_clock(kept)
            self._clocks[clock.status.id] = clock
            for key in clock.queues:
                self._agents_of.setdefault(key, set()).add(clock.status.id)
        self._changed_agents.update(self._clocks)
        self.open_entries = {_entry_key(entry): entry for entry in state.open_entries}
        self.served = dict(state.served)
        self.last_at = state.last_at

    def forget(self, before: float) -> None:
        """Drop agents of whom nothing was heard since then, and entries that were never closed."""
        for agent, clock in list(self._clocks.items()):
            if clock.told_at < before:
                for key in clock.queues:
                    self._agents_of[key].discard(agent)
                del self._clocks[agent]
                self.served.pop(agent, None)
                self._changed_agents.discard(agent)
        entries = self.open_entries.items()
        self.open_entries = {key: entry for key, entry in entries if entry.entered_at >= before}

    # -- figures out ---------------------------------------------------------------------------------------
    def take(self, now: float) -> list[AnyFact]:
        """Return figures that changed since the last call, each once; to be called about once a second."""
        facts: list[AnyFact] = [
            AgentFiguresChanged(at=now, figures=self.agent(agent, now))
            for agent in sorted(self._changed_agents)
        ]
        self._changed_agents.clear()
        for key, queue in self._queues.items():
            stale = not 0.0 <= now - queue.told_at < FRESH_S
            if not queue.changed and not stale:
                continue
            facts.append(QueueFiguresChanged(at=now, figures=self.day(key, now)))
            day = queue.day_at(now)
            facts += [
                QueueFiguresChanged(at=now, figures=self._interval(key, queue, start))
                for start in sorted(queue.changed)
                if start >= day.start
            ]
            queue.changed.clear()
            queue.told_at = now
        return facts

    def day(self, key: QueueKey, now: float) -> QueueFigures:
        """Return the queue's day so far."""
        queue = self._queue(key)
        for agent in self._agents_of.get(key, ()):
            self._count(self._clocks[agent], now)
        day = queue.day_at(now)
        total = Bucket()
        for start, bucket in queue.buckets.items():
            if day.start <= start < day.end:
                total.add(bucket)
        return _figures(key, queue, total, day.start, day.end, None)

    def intervals(self, key: QueueKey, now: float) -> list[QueueFigures]:
        """Return the intervals of the queue's day that have counts, oldest first."""
        queue = self._queue(key)
        day = queue.day_at(now)
        return [self._interval(key, queue, start) for start in sorted(queue.buckets) if start >= day.start]

    def _interval(self, key: QueueKey, queue: QueueDays, start: float) -> QueueFigures:
        start, end = queue.interval(start)
        number = int((start - queue.day_at(start).start) // INTERVAL_S)
        return _figures(key, queue, queue.buckets.get(start) or Bucket(), start, end, number)

    def agent(self, agent: str, now: float) -> AgentFigures:
        """Return the agent's day so far. Raises KeyError for an unknown agent."""
        clock = self._clocks[agent]
        self._count(clock, now)
        spent = clock.seconds.get
        busy = sum(spent(state, 0.0) for state in BUSY)
        ready = sum(spent(state, 0.0) for state in READY)
        return AgentFigures(
            agent=agent,
            start=clock.day.start,
            taken=clock.taken,
            missed=clock.missed,
            available_s=spent(AgentState.AVAILABLE, 0.0),
            ringing_s=spent(AgentState.RINGING, 0.0),
            talk_s=spent(AgentState.TALKING, 0.0),
            hold_s=spent(AgentState.ON_HOLD, 0.0),
            wrap_up_s=spent(AgentState.WRAP_UP, 0.0),
            paused_s=spent(AgentState.PAUSED, 0.0),
            paused_by_reason=dict(clock.paused),
            unreachable_s=spent(AgentState.UNREACHABLE, 0.0),
            logged_in_s=sum(clock.seconds.values()) - spent(AgentState.LOGGED_OUT, 0.0),
            occupancy=_ratio(busy, ready),
        )


def _entry_key(entry: QueueEntry) -> EntryKey:
    return entry.pbx, entry.uniqueid, entry.queue, entry.entered_at


def _figures(
    key: QueueKey, queue: QueueDays, counted: Bucket, start: float, end: float, interval: int | None
) -> QueueFigures:
    # Entries that ended in a known way after waiting long enough to be served.
    due = counted.answered + counted.abandoned + counted.timeout + counted.other
    plain: dict[str, Any] = {name: getattr(counted, name) for name in QueueCounts.__struct_fields__}
    return QueueFigures(
        pbx=key[0],
        queue=key[1],
        line=queue.line.id if queue.line else None,
        start=start,
        end=end,
        interval=interval,
        **plain,
        service_level=_ratio(counted.answered_in_time, due),
        connection_rate=_ratio(counted.answered, due),
        abandon_rate=_ratio(counted.abandoned, due),
        average_speed_of_answer_s=_ratio(counted.wait_answered_s, counted.answered),
        average_time_to_abandon_s=_ratio(counted.wait_abandoned_s, counted.abandoned),
        average_handling_time_s=_ratio(counted.talk_s + counted.wrap_up_s, counted.served),
        occupancy=_ratio(counted.busy_s, counted.ready_s),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
