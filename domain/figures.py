"""Figures of queues and agents over time; docs/metrics.md gives the formula and source of each."""

from msgspec import Struct


class QueueCounts(Struct):
    """What is counted for one queue in one span. Mutable while counting; published figures are frozen."""

    offered: int = 0
    answered: int = 0
    answered_in_time: int = 0
    abandoned: int = 0
    short_abandoned: int = 0
    timeout: int = 0
    other: int = 0
    """Released by the queue for another reason: empty, full, or a key press."""
    withdrawn: int = 0
    """Picked up from the queue by an agent."""
    unseen: int = 0
    transferred: int = 0
    missed: int = 0
    """How often an agent's phone rang for a caller of this span without being answered."""
    served: int = 0
    """Conversations that have ended with a known length."""
    longest_wait_s: float = 0.0
    talk_s: float = 0.0
    wrap_up_s: float = 0.0


class QueueFigures(QueueCounts, frozen=True, kw_only=True):  # type: ignore[misc]  # msgspec allows it
    """One queue over one span: a day of its line, or an interval of that day.

    A queue entry counts in the span in which the caller entered, so that the sums always agree:
    offered = answered + abandoned + short_abandoned + timeout + other + withdrawn + unseen + still waiting.
    Ratios are 0..1 and averages are seconds; `None` if there is nothing to divide by.
    """

    pbx: str
    queue: str
    line: str | None
    start: float
    """The span is [start, end), POSIX seconds."""
    end: float
    interval: int | None
    """Index of the interval within its day, from 0; `None` for the whole day since midnight."""
    service_level: float | None = None
    connection_rate: float | None = None
    abandon_rate: float | None = None
    average_speed_of_answer_s: float | None = None
    average_time_to_abandon_s: float | None = None
    average_handling_time_s: float | None = None
    occupancy: float | None = None


class AgentFigures(Struct, frozen=True):
    """One agent's day so far, with the seconds spent in each state."""

    agent: str
    start: float
    """Midnight, POSIX seconds."""
    taken: int = 0
    """Queue calls answered."""
    missed: int = 0
    available_s: float = 0.0
    ringing_s: float = 0.0
    talk_s: float = 0.0
    """All conversations (inbound, outbound and internal), without holds."""
    hold_s: float = 0.0
    wrap_up_s: float = 0.0
    paused_s: float = 0.0
    paused_by_reason: dict[str, float] = {}
    unreachable_s: float = 0.0
    logged_in_s: float = 0.0
    occupancy: float | None = None
