"""Queues and the agents who serve them, as the PBX sees them."""

from enum import StrEnum

from msgspec import Struct

from domain.calls import Direction
from domain.phones import PhoneKind


class AgentState(StrEnum):
    LOGGED_OUT = "logged_out"
    AVAILABLE = "available"
    RINGING = "ringing"
    TALKING = "talking"
    ON_HOLD = "on_hold"
    WRAP_UP = "wrap_up"
    PAUSED = "paused"
    UNREACHABLE = "unreachable"
    """The agent's phone is not registered."""


MISSED_REASON = "未接自动置忙"
"""The pause reason set after too many missed calls."""
WRAP_UP_REASON = "wrap-up"
"""Prefix of a wrap-up's pause reason; its end time follows (`agents.state_machine`)."""


def reserved_reason(reason: str) -> bool:
    """Whether a pause reason is reserved for the gateway, so that people may not choose it."""
    return reason == MISSED_REASON or reason.startswith(WRAP_UP_REASON)


class AgentStatus(Struct, frozen=True):
    """One agent, across all the queues they serve."""

    id: str
    name: str
    phone: str
    """The PBX's name for the agent's phone, e.g. `PJSIP/1001`; with two phones, the chosen one."""
    state: AgentState
    since: float
    reason: str = ""
    """Pause reason (小休, 培训, 会议 …)."""
    call_id: str | None = None
    queues: tuple[str, ...] = ()
    penalties: dict[str, int] = {}
    """The penalty in each of these queues: the lower, the earlier asked."""
    ring_in_use: tuple[str, ...] = ()
    """The queues that ring the agent also while talking, as far as the PBX has told."""
    direction: Direction | None = None
    """Direction of the call ringing or in progress; also `None` if the gateway does not know the call."""
    wrap_up_until: float | None = None
    """When wrap-up (话后处理) ends, unless it is extended or finished earlier."""
    missed: int = 0
    """Consecutive queue calls that rang but were not answered."""
    pbx: str = ""
    phones: tuple[str, ...] = ()
    """The interfaces by which the agent is logged in; more than one only if set up so on the PBX."""
    kind: PhoneKind = PhoneKind.DESK
    """The kind of phone the agent uses; calls ring there."""
    desk_reachable: bool | None = None
    """Whether the desk phone, chosen or not, is registered; `None` if unknown or there is none."""


SHOWN_TO_AGENTS = 20
"""How many waiting callers of each queue agents are shown, to keep frequent updates small; supervisors see
all."""


class Waiting(Struct, frozen=True):
    """A waiting caller."""

    call_id: str
    uniqueid: str
    position: int
    since: float
    caller: str = ""


class Queue(Struct, frozen=True):
    """The current state of a queue; for figures over time see `domain.figures`."""

    name: str
    pbx: str
    line: str | None
    waiting: tuple[Waiting, ...] = ()
    """Ordered by position. Agents are shown the first `SHOWN_TO_AGENTS` only."""
    waiting_total: int = 0
    agents: int = 0
    """How many agents are logged in; `AgentStatus.queues` tells which."""


class QueueOutcome(StrEnum):
    """How a caller's wait in a queue ended; the values follow queue_log and QUEUESTATUS."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    """The caller hung up while waiting."""
    TIMEOUT = "timeout"
    EMPTY = "empty"
    """Released because no agent was available (JOINEMPTY, LEAVEEMPTY and the like)."""
    FULL = "full"
    WITHDRAWN = "withdrawn"
    """Picked up from the queue by an agent."""
    LEFT = "left"
    """Left by a key press, or because the dialplan continued without giving a reason."""
    UNSEEN = "unseen"
    """The wait ended while the gateway was not watching."""


class QueueEntry(Struct, frozen=True):
    """One caller's wait in one queue and the conversation it led to. A call may have several entries.

    Durations are app_queue's own (HoldTime, TalkTime) in seconds, so that figures agree with its queue_log.
    """

    pbx: str
    queue: str
    line: str | None
    call_id: str
    uniqueid: str
    """The channel that entered: the caller's, or of an agent who consulted the queue."""
    entered_at: float
    outcome: QueueOutcome | None = None
    """`None` while the caller is waiting."""
    left_at: float | None = None
    waited: float | None = None
    agent: str | None = None
    """The agent who answered."""
    talked: float | None = None
    """Seconds with that agent, holds included; `None` if not over yet, or if the end was missed."""
    transferred: bool = False
    """Whether the agent transferred the caller (转接)."""
    missed: int = 0
    """How often an agent's phone rang for this caller without being answered."""
    wrapped_up: float | None = None
    """Seconds of wrap-up afterwards."""
    moved_to: str = ""
    """The channel that took its place since: the caller's, handed over into the queue."""

    @property
    def channel(self) -> str:
        """Unique id of the channel that waits or talks now."""
        return self.moved_to or self.uniqueid

    @property
    def talking(self) -> bool:
        """Whether an agent answered, and the end of the conversation is not known."""
        return self.outcome is QueueOutcome.ANSWERED and self.talked is None
