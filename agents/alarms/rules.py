"""Threshold rules on queues, agents, orders and PBXs: take facts, return alarms raised and cleared. Pure."""

from collections.abc import Iterator, Sequence
from functools import singledispatchmethod

from msgspec import Struct, structs

from agents.alarms.deadlines import OrderDeadlines
from agents.alarms.unsubmitted import UnsubmittedOrders
from domain.alarms import (
    AGENT_MEASURES,
    DAY_MEASURES,
    DURATIONS,
    QUEUE_MEASURES,
    Alarm,
    AlarmRule,
    Level,
    Measure,
)
from domain.facts import (
    AgentChanged,
    AlarmChanged,
    AnyFact,
    CallFact,
    FactRejected,
    OrderChanged,
    OrderStatusTold,
    PbxLinkChanged,
    PostCallChanged,
    QueueChanged,
    QueueFiguresChanged,
)
from domain.figures import QueueFigures
from domain.queues import AgentState, AgentStatus, Queue

TOLD_EVERY_S = 2.0
GROWS_S = 1.5
"""Tolerance for a duration against its expected growth, since rules are evaluated once a second."""


class _Subject(Struct, frozen=True):
    """What a rule is applied to."""

    pbx: str
    queue: str | None = None
    line: str | None = None
    agent: str | None = None
    call_id: str | None = None

    @property
    def key(self) -> str:
        return (
            f"{self.pbx}/{self.queue}" if self.queue else self.call_id or self.agent or self.pbx or "gateway"
        )


ALWAYS = (
    AlarmRule(
        id="rejected-facts",
        name="有记录未能入库",
        measure=Measure.REJECTED_FACTS,
        above=0,
        level=Level.CRITICAL,
    ),
    AlarmRule(
        id="unfinished-calls",
        name="通话后处理失败",
        measure=Measure.UNFINISHED,
        above=60,
        level=Level.CRITICAL,
    ),
)
"""Rules that hold where none is configured for their measure."""


class AlarmRules:
    """Evaluates the rules on the latest state. Time enters through `judge` only."""

    def __init__(self, rules: Sequence[AlarmRule]) -> None:
        # What is about to be lost is reported whether or not anybody thought of a rule.
        watched = {rule.measure for rule in rules}
        self._rules = (*rules, *(rule for rule in ALWAYS if rule.measure not in watched))
        self._queues: dict[tuple[str, str], Queue] = {}
        self._days: dict[tuple[str, str], QueueFigures] = {}
        self._agents: dict[str, AgentStatus] = {}
        self._down: dict[str, float] = {}
        self._rejected = 0
        self._unfinished: dict[str, tuple[_Subject, float]] = {}
        self.unsubmitted = UnsubmittedOrders()
        self.deadlines = OrderDeadlines()
        self._broken: dict[str, float] = {}
        """When each alarm's threshold was crossed, whether or not the alarm has been raised."""
        self.raised: dict[str, Alarm] = {}
        self._now: dict[str, float] = {}
        """Values beyond their threshold at the last `judge`, by alarm id."""

    @singledispatchmethod
    def apply(self, fact: AnyFact) -> None:
        """Process one fact; facts that no rule needs are ignored."""

    @apply.register
    def _(self, fact: QueueChanged) -> None:
        self._queues[fact.queue.pbx, fact.queue.name] = fact.queue

    @apply.register
    def _(self, fact: QueueFiguresChanged) -> None:
        if fact.figures.interval is None:
            self._days[fact.figures.pbx, fact.figures.queue] = fact.figures

    @apply.register
    def _(self, fact: AgentChanged) -> None:
        self._agents[fact.agent.id] = fact.agent

    @apply.register
    def _(self, fact: PbxLinkChanged) -> None:
        if fact.up:
            self._down.pop(fact.pbx, None)
        else:
            self._down.setdefault(fact.pbx, fact.at)

    @apply.register
    def _(self, fact: CallFact) -> None:
        self.unsubmitted.call(fact.call)

    @apply.register
    def _(self, fact: OrderChanged) -> None:
        self.unsubmitted.changed(fact.order)

    @apply.register
    def _(self, fact: OrderStatusTold) -> None:
        self.deadlines.told(fact.call_id, fact.line, fact.status)

    @apply.register
    def _(self, fact: PostCallChanged) -> None:
        if fact.trouble:
            about = _Subject(fact.pbx, line=fact.line, call_id=fact.call_id)
            self._unfinished.setdefault(fact.call_id, (about, fact.at))
        else:
            self._unfinished.pop(fact.call_id, None)

    @apply.register
    def _(self, fact: FactRejected) -> None:
        self._rejected += 1

    def judge(self, now: float) -> list[AlarmChanged]:
        """Evaluate all rules and return the alarms raised or cleared; `now` is POSIX seconds."""
        changed: list[AlarmChanged] = []
        self._now = {}
        still: set[str] = set()
        for rule in self._rules:
            for subject, value in self._measured(rule, now):
                if not rule.broken_by(value):
                    continue
                alarm_id = f"{rule.id}/{subject.key}"
                still.add(alarm_id)
                self._now[alarm_id] = value
                since = self._broken.setdefault(alarm_id, now)
                if alarm_id in self.raised or now - since < rule.for_s:
                    continue
                alarm = Alarm(
                    id=alarm_id,
                    rule=rule.id,
                    name=rule.name,
                    measure=rule.measure,
                    level=rule.level,
                    value=value,
                    latest=value,
                    latest_at=now,
                    threshold=rule.threshold,
                    since=since,
                    pbx=subject.pbx,
                    queue=subject.queue,
                    line=subject.line,
                    agent=subject.agent,
                    call_id=subject.call_id,
                )
                self.raised[alarm_id] = alarm
                changed.append(AlarmChanged(at=now, alarm=alarm, over=False))
        for alarm_id in self._broken.keys() - still:
            del self._broken[alarm_id]
            if (over := self.raised.pop(alarm_id, None)) is not None:
                changed.append(AlarmChanged(at=now, alarm=over, over=True))
        return changed

    def moved(self, now: float) -> list[AlarmChanged]:
        """Return raised alarms whose value changed since it was last published. Call right after `judge`.

        A duration that merely grows is not published again; nothing is published more often than every
        `TOLD_EVERY_S` seconds.
        """
        changed = []
        for alarm_id, alarm in self.raised.items():
            value = self._now.get(alarm_id, alarm.latest)
            slack = GROWS_S if alarm.measure in DURATIONS else 0.0
            if now - alarm.latest_at < TOLD_EVERY_S or abs(value - alarm.expected(now)) <= slack:
                continue
            self.raised[alarm_id] = told = structs.replace(alarm, latest=value, latest_at=now)
            changed.append(AlarmChanged(at=now, alarm=told, over=False, progress=True))
        return changed

    def _measured(self, rule: AlarmRule, now: float) -> Iterator[tuple[_Subject, float]]:
        measure = rule.measure
        if measure in QUEUE_MEASURES:
            for queue in self._queues.values():
                if queue.line is not None and (not rule.lines or queue.line in rule.lines):
                    yield _Subject(queue.pbx, queue.name, queue.line), self._of_queue(measure, queue, now)
        elif measure in DAY_MEASURES:
            for day in self._days.values():
                value = getattr(day, measure.value)
                wanted = not rule.lines or day.line in rule.lines
                # Figures of a past day raise no alarm.
                if wanted and value is not None and day.offered >= rule.min_offered and now < day.end:
                    yield _Subject(day.pbx, day.queue, day.line), value
        elif measure in AGENT_MEASURES:
            for agent in self._agents.values():
                wanted = not rule.reasons or agent.reason in rule.reasons
                if agent.state.value == measure.value and wanted:
                    yield _Subject(agent.pbx, agent=agent.id), max(0.0, now - agent.since)
        elif measure is Measure.UNSUBMITTED:
            for draft in self.unsubmitted.left():
                if not rule.lines or draft.line in rule.lines:
                    about = _Subject(draft.pbx, line=draft.line, agent=draft.agent, call_id=draft.call_id)
                    yield about, max(0.0, now - (draft.ended_at or now))
        elif measure is Measure.OVERDUE:
            for order in self.deadlines.open():
                if not rule.lines or order.line in rule.lines:
                    yield _Subject("", line=order.line, call_id=order.call_id), now - order.deadline
        elif measure is Measure.UNFINISHED:
            for about, since in self._unfinished.values():
                if not rule.lines or about.line in rule.lines:
                    yield about, max(0.0, now - since)
        elif measure is Measure.REJECTED_FACTS:
            yield _Subject(""), float(self._rejected)
        else:
            for pbx, since in self._down.items():
                yield _Subject(pbx), max(0.0, now - since)

    def _of_queue(self, measure: Measure, queue: Queue, now: float) -> float:
        if measure is Measure.WAITING:
            return len(queue.waiting)
        if measure is Measure.LONGEST_WAIT:
            return max((max(0.0, now - one.since) for one in queue.waiting), default=0.0)
        return sum(
            1
            for agent in self._agents.values()
            if agent.state is AgentState.AVAILABLE and agent.pbx == queue.pbx and queue.name in agent.queues
        )
