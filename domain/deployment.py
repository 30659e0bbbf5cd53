"""What an administrator is shown of the deployment, and where each part is configured."""

from msgspec import Struct

from domain.alarms import AlarmRule
from domain.lines import Line
from domain.messages import Message


class EndpointState(Struct, frozen=True, kw_only=True):
    """A work-order system and how deliveries to it fare. Instants are POSIX seconds."""

    id: str
    host: str
    """Where it is, without path and query: these may hold secrets."""
    lines: tuple[str, ...] = ()
    """Empty: all."""
    pending: int = 0
    delivered: int = 0
    dead: int = 0
    last_error: Message | None = None
    """Of the deliveries not yet delivered, the newest."""
    last_success_at: float | None = None
    configured: bool = True
    """False: deliveries wait for an endpoint that the configuration no longer has."""


class AgentView(Struct, frozen=True, kw_only=True):
    """An agent as configured."""

    id: str
    name: str
    phone: str
    desk_phone: str
    """Beside the browser phone; empty: none."""
    pbx: str
    lines: dict[str, int]
    """Line id → penalty; 0 is rung first."""


class PbxView(Struct, frozen=True, kw_only=True):
    """A PBX and the link to it."""

    name: str
    host: str
    up: bool
    reason: str
    """Why it is down."""
    live_audio: str = ""


class Place(Struct, frozen=True, kw_only=True):
    """How many orders are about one place."""

    town: str
    village: str | None = None
    count: int
    categories: dict[str, int]


class Overview(Struct, frozen=True, kw_only=True):
    """The deployment. `where` names the table of the configuration file for each part."""

    source: str
    """The configuration file; empty: defaults and environment only."""
    lines: list[Line]
    agents: list[AgentView]
    pause_reasons: list[str]
    alarms: list[AlarmRule]
    pbxs: list[PbxView]
    endpoints: list[EndpointState]
    where: dict[str, str]


WHERE = {
    "lines": "[[lines]]",
    "agents": "[[agents]]",
    "skills": "agents.lines",
    "pause_reasons": "desk.pause_reasons",
    "alarms": "[[alarms]]",
    "pbxs": "[[pbx]]",
    "endpoints": "[[workorders]]",
}
