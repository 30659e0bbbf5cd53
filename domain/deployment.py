"""What administrators see of the deployment, and where each part is configured."""

from msgspec import Struct

from domain.alarms import AlarmRule
from domain.leases import Lease
from domain.lines import Line
from domain.messages import Message


class EndpointState(Struct, frozen=True, kw_only=True):
    """A work-order system and the state of deliveries to it. Times are POSIX seconds."""

    id: str
    host: str
    """Host only, without path and query, which may contain secrets."""
    lines: tuple[str, ...] = ()
    """Line ids; empty means all."""
    pending: int = 0
    delivered: int = 0
    dead: int = 0
    last_error: Message | None = None
    """The most recent error among pending and dead deliveries."""
    last_success_at: float | None = None
    configured: bool = True
    """False if deliveries are waiting for an endpoint that is no longer in the configuration."""


class AgentView(Struct, frozen=True, kw_only=True):
    """An agent as configured."""

    id: str
    name: str
    phone: str
    desk_phone: str
    """The desk phone used alongside the browser phone; empty if there is none."""
    pbx: str
    lines: dict[str, int]
    """Line id → penalty; agents with penalty 0 are rung first."""


class PbxView(Struct, frozen=True, kw_only=True):
    """A PBX and the link to it."""

    name: str
    host: str
    up: bool
    reason: str
    """Why the link is down."""
    live_audio: str = ""


class Place(Struct, frozen=True, kw_only=True):
    """The number of orders about one place."""

    town: str
    village: str | None = None
    count: int
    categories: dict[str, int]


class Overview(Struct, frozen=True, kw_only=True):
    """The deployment. `where` maps each part to its table in the configuration file."""

    source: str
    """Path of the configuration file; empty if only defaults and environment variables are used."""
    lines: list[Line]
    agents: list[AgentView]
    pause_reasons: list[str]
    alarms: list[AlarmRule]
    pbxs: list[PbxView]
    endpoints: list[EndpointState]
    leases: list[Lease]
    """Which process serves what, and which ones stand by; empty where only one process can serve."""
    where: dict[str, str]


WHERE = {
    "lines": "[[lines]]",
    "agents": "[[agents]]",
    "skills": "agents.lines",
    "pause_reasons": "desk.pause_reasons",
    "alarms": "[[alarms]]",
    "pbxs": "[[pbx]]",
    "endpoints": "[[workorders]]",
    "leases": "database.url",
}
