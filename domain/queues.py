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
"""The pause reason after too many calls that rang and were not answered."""
WRAP_UP_REASON = "wrap-up"
"""How the pause reason of a wrap-up begins; its end follows (`agents.state_machine`)."""


def reserved_reason(reason: str) -> bool:
    """Whether a pause reason is the gateway's own: people may not choose it."""
    return reason == MISSED_REASON or reason.startswith(WRAP_UP_REASON)


class AgentStatus(Struct, frozen=True):
    """One agent, whatever number of queues they serve."""

    id: str
    name: str
    phone: str
    """The PBX's name of the agent's phone, e.g. `PJSIP/1001`; of two, the one chosen."""
    state: AgentState
    since: float
    reason: str = ""
    """Why paused (小休, 培训, 会议 …)."""
    call_id: str | None = None
    queues: tuple[str, ...] = ()
    direction: Direction | None = None
    """Of the call that rings or is talked on; `None` also where the phone is in a call unknown to us."""
    wrap_up_until: float | None = None
    """Wrap-up (话后处理) ends then, unless extended or done before."""
    missed: int = 0
    """Queue calls in a row that rang and were not answered."""
    pbx: str = ""
    phones: tuple[str, ...] = ()
    """The interfaces by which the agent is logged in: more than one only where the PBX was told so."""
    kind: PhoneKind = PhoneKind.DESK
    """What the agent telephones with: calls ring there."""
    desk_reachable: bool | None = None
    """Whether the phone on the desk, chosen or not, is registered and answers; `None`: not known, or none."""


SHOWN_TO_AGENTS = 20
"""Callers who wait: as many of each queue are shown to every agent, often; supervisors see all."""


class Waiting(Struct, frozen=True):
    """A caller who waits."""

    call_id: str
    uniqueid: str
    position: int
    since: float
    caller: str = ""


class Queue(Struct, frozen=True):
    """A queue now; its figures over time are `domain.figures`."""

    name: str
    pbx: str
    line: str | None
    waiting: tuple[Waiting, ...] = ()
    """In order of position. Agents are shown the head of the line only (`SHOWN_TO_AGENTS`)."""
    waiting_total: int = 0
    agents: int = 0
    """How many are logged in to it; who, their own status tells (`AgentStatus.queues`)."""


class QueueOutcome(StrEnum):
    """How a caller's wait in a queue ended; the values follow queue_log and QUEUESTATUS."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    """The caller hung up while waiting."""
    TIMEOUT = "timeout"
    EMPTY = "empty"
    """Let go since no agent was there (JOINEMPTY, LEAVEEMPTY and the like)."""
    FULL = "full"
    WITHDRAWN = "withdrawn"
    """Picked up from the queue by an agent."""
    LEFT = "left"
    """Left by a key, or by a dialplan that went on for a reason it did not say."""
    UNSEEN = "unseen"
    """The wait ended while the gateway was not watching."""


class QueueEntry(Struct, frozen=True):
    """One stay of one caller in one queue, with the conversation it led to. A call may make several.

    Seconds are app_queue's own (HoldTime, TalkTime), so that figures equal its queue_log.
    """

    pbx: str
    queue: str
    line: str | None
    call_id: str
    uniqueid: str
    """The caller's channel."""
    entered_at: float
    outcome: QueueOutcome | None = None
    """`None`: still waiting."""
    left_at: float | None = None
    waited: float | None = None
    agent: str | None = None
    """Who answered."""
    talked: float | None = None
    """Seconds with that agent, holds included; `None`: not yet over, or its end was not seen."""
    transferred: bool = False
    """The agent passed the caller on (转接)."""
    missed: int = 0
    """Times an agent's phone rang for this caller and was not answered."""
    wrapped_up: float | None = None
    """Seconds of wrap-up after it."""
