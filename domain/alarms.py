"""Alarms: a measured value beyond the threshold of a configured rule.

Danger to life is not an alarm; it has its own `domain.orders.Alert`.
"""

from enum import StrEnum

from msgspec import Struct


class Measure(StrEnum):
    """What a rule can watch; docs/metrics.md defines the figures."""

    WAITING = "waiting"
    """Callers waiting in the queue now."""
    LONGEST_WAIT = "longest_wait"
    """Seconds the caller who has waited longest has been waiting."""
    AVAILABLE = "available"
    """Agents in the queue who could take a call now."""
    SERVICE_LEVEL = "service_level"
    """Over the line's day, 0..1; likewise the next two."""
    CONNECTION_RATE = "connection_rate"
    ABANDON_RATE = "abandon_rate"
    PAUSED = "paused"
    """Seconds an agent has been paused; likewise the next three."""
    WRAP_UP = "wrap_up"
    TALKING = "talking"
    ON_HOLD = "on_hold"
    UNREACHABLE = "unreachable"
    """Seconds an agent's phone has been unregistered."""
    UNSUBMITTED = "unsubmitted"
    """Seconds since the end of a call whose work order is still a draft."""
    OVERDUE = "overdue"
    """Seconds since the deadline of an order that is not closed; negative before it."""
    UNFINISHED = "unfinished"
    """Seconds for which recording, transcript or order of a call that is over have failed."""
    REJECTED_FACTS = "rejected_facts"
    """Facts since the start that could not be stored and were set aside."""
    PBX_DOWN = "pbx_down"
    """Seconds without a link to the PBX."""


QUEUE_MEASURES = frozenset({Measure.WAITING, Measure.LONGEST_WAIT, Measure.AVAILABLE})
DAY_MEASURES = frozenset({Measure.SERVICE_LEVEL, Measure.CONNECTION_RATE, Measure.ABANDON_RATE})
AGENT_MEASURES = frozenset(
    {Measure.PAUSED, Measure.WRAP_UP, Measure.TALKING, Measure.ON_HOLD, Measure.UNREACHABLE}
)


LINE_MEASURES = QUEUE_MEASURES | DAY_MEASURES | {Measure.UNSUBMITTED, Measure.OVERDUE}
COUNTS = frozenset({Measure.WAITING, Measure.AVAILABLE, Measure.REJECTED_FACTS})
DURATIONS = frozenset(Measure) - COUNTS - DAY_MEASURES
"""Measures in seconds, which grow by themselves: one per second, starting from `latest` at `latest_at`."""


class Level(StrEnum):
    WARNING = "warning"
    CRITICAL = "critical"


class AlarmRule(Struct, frozen=True, kw_only=True):
    """One rule: raise an alarm once `measure` has been above (or below) a threshold for `for_s` seconds."""

    id: str
    name: str
    """Display name."""
    measure: Measure
    above: float | None = None
    below: float | None = None
    """Exactly one of `above` and `below` is set; a value equal to the threshold does not break the rule."""
    for_s: float = 0.0
    level: Level = Level.WARNING
    lines: frozenset[str] = frozenset()
    """Line ids; empty means all. Applies to measures of queues, days and orders."""
    reasons: frozenset[str] = frozenset()
    """Pause reasons; empty means all. Only for `paused`."""
    min_offered: int = 0
    """Minimum number of calls before a rate of the day is judged: one call out of two says nothing."""

    @property
    def threshold(self) -> float:
        return self.above if self.above is not None else self.below or 0.0

    def broken_by(self, value: float) -> bool:
        """Whether `value` is beyond the threshold."""
        return value > self.above if self.above is not None else value < self.threshold


class Alarm(Struct, frozen=True, kw_only=True):
    """A rule that one queue, agent, order or PBX has broken."""

    id: str
    """`<rule>/<subject>`: the same problem keeps its id."""
    rule: str
    name: str
    measure: Measure
    level: Level
    value: float
    """The value when the alarm was raised."""
    latest: float = 0.0
    """The most recently published value."""
    latest_at: float = 0.0
    """When `latest` was published, POSIX seconds."""
    threshold: float
    since: float
    """When the threshold was crossed, POSIX seconds; the alarm is raised `for_s` later."""
    pbx: str
    queue: str | None = None
    line: str | None = None
    agent: str | None = None
    """The agent; for an order, the agent who took its call."""
    call_id: str | None = None
    """For an order, its call."""

    def expected(self, now: float) -> float:
        """Return the value a client extrapolates from `latest`: durations grow, other measures stay."""
        return self.latest + max(0.0, now - self.latest_at) if self.measure in DURATIONS else self.latest
