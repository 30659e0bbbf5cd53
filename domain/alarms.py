"""Alarms: a measured value beyond the threshold of a configured rule. Life safety has its own `Alert`."""

from enum import StrEnum

from msgspec import Struct


class Measure(StrEnum):
    """What a rule may watch; docs/metrics.md defines the figures."""

    WAITING = "waiting"
    """Callers who wait in the queue now."""
    LONGEST_WAIT = "longest_wait"
    """Seconds the first of them has waited."""
    AVAILABLE = "available"
    """Agents of the queue who could take a call now."""
    SERVICE_LEVEL = "service_level"
    """Of the line's day, 0..1."""
    CONNECTION_RATE = "connection_rate"
    ABANDON_RATE = "abandon_rate"
    PAUSED = "paused"
    """Seconds an agent has been paused; likewise the next three."""
    WRAP_UP = "wrap_up"
    TALKING = "talking"
    ON_HOLD = "on_hold"
    UNREACHABLE = "unreachable"
    """Seconds an agent's phone has not been registered."""
    UNSUBMITTED = "unsubmitted"
    """Seconds since the end of a call whose order is still a draft."""
    PBX_DOWN = "pbx_down"
    """Seconds without a link to the PBX."""


QUEUE_MEASURES = frozenset({Measure.WAITING, Measure.LONGEST_WAIT, Measure.AVAILABLE})
DAY_MEASURES = frozenset({Measure.SERVICE_LEVEL, Measure.CONNECTION_RATE, Measure.ABANDON_RATE})
AGENT_MEASURES = frozenset(
    {Measure.PAUSED, Measure.WRAP_UP, Measure.TALKING, Measure.ON_HOLD, Measure.UNREACHABLE}
)


LINE_MEASURES = QUEUE_MEASURES | DAY_MEASURES | {Measure.UNSUBMITTED}
COUNTS = frozenset({Measure.WAITING, Measure.AVAILABLE})
DURATIONS = frozenset(Measure) - COUNTS - DAY_MEASURES
"""Seconds, which grow by themselves: from `latest` at `latest_at` on, one a second."""


class Level(StrEnum):
    WARNING = "warning"
    CRITICAL = "critical"


class AlarmRule(Struct, frozen=True, kw_only=True):
    """One rule: alarm when `measure` has been above (or below) a threshold for `for_s` seconds."""

    id: str
    name: str
    """As people call it."""
    measure: Measure
    above: float | None = None
    below: float | None = None
    """Exactly one of the two; the threshold itself does not alarm."""
    for_s: float = 0.0
    level: Level = Level.WARNING
    lines: frozenset[str] = frozenset()
    """Line ids; empty: all. Of queues, days and orders."""
    reasons: frozenset[str] = frozenset()
    """Pause reasons; empty: all. Only for `paused`."""
    min_offered: int = 0
    """Rates of the day: only from so many calls on, since one call of two says nothing."""

    @property
    def threshold(self) -> float:
        return self.above if self.above is not None else self.below or 0.0

    def broken_by(self, value: float) -> bool:
        """Whether `value` is beyond the threshold."""
        return value > self.above if self.above is not None else value < self.threshold


class Alarm(Struct, frozen=True, kw_only=True):
    """A rule broken by one queue, agent, order or PBX."""

    id: str
    """`<rule>/<what it is about>`: the same trouble keeps its id."""
    rule: str
    name: str
    measure: Measure
    level: Level
    value: float
    """When it was raised."""
    latest: float = 0.0
    """As last told while it is raised."""
    latest_at: float = 0.0
    """When that was, POSIX seconds."""
    threshold: float
    since: float
    """When the threshold was crossed, POSIX seconds; it is raised `for_s` later."""
    pbx: str
    queue: str | None = None
    line: str | None = None
    agent: str | None = None
    """Of an order: whose call it was."""
    call_id: str | None = None
    """Of an order: the call it is of."""

    def expected(self, now: float) -> float:
        """What whoever was told `latest` takes the value to be now."""
        return self.latest + (now - self.latest_at) if self.measure in DURATIONS else self.latest
