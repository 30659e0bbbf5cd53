"""Queues and the agents who serve them, as the PBX sees them."""

from enum import StrEnum

from msgspec import Struct


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


class AgentStatus(Struct, frozen=True):
    """One agent, whatever number of queues they serve."""

    id: str
    name: str
    phone: str
    """The PBX's name of the agent's phone, e.g. `PJSIP/1001`."""
    state: AgentState
    since: float
    reason: str = ""
    """Why paused (小休, 培训, 会议 …)."""
    call_id: str | None = None
    queues: tuple[str, ...] = ()


class Waiting(Struct, frozen=True):
    """A caller who waits."""

    call_id: str
    uniqueid: str
    position: int
    since: float
    caller: str = ""


class Queue(Struct, frozen=True):
    """A queue now. Figures over time (service level …) come with later work."""

    name: str
    pbx: str
    line: str | None
    waiting: tuple[Waiting, ...] = ()
    members: tuple[str, ...] = ()
    """Ids of the agents logged in to it."""
