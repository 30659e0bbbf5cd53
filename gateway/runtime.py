"""A gateway that is up: its parts, for those that look after it."""

from dataclasses import dataclass, field

from agents.accounts.service import AccountService
from agents.figures.service import FiguresService
from agents.timers import AgentTimers
from asr.pool import EnginePool
from gateway.asterisk.link import PbxLink
from gateway.facts.bus import LocalBus
from gateway.pbx_state import PbxState
from gateway.post_call import PostCall
from gateway.settings import PbxSettings, Settings
from gateway.storage.calls import CallRepository
from gateway.storage.orders import SqlOutbox
from workorders.service import Orders


@dataclass
class Runtime:
    """A gateway that is up: what others may use of it."""

    settings: Settings
    bus: LocalBus
    accounts: AccountService
    calls: CallRepository
    orders: Orders
    links: dict[str, PbxLink]
    pbx_states: dict[str, PbxState]
    desks: dict[str, AgentTimers]
    finishing: PostCall
    outbox: SqlOutbox
    reporting: FiguresService
    pool: EnginePool | None
    web_port: int = 0
    stream_port: int = 0
    agi: str = ""
    audiosocket: str = ""
    pbxs: dict[str, PbxSettings] = field(default_factory=dict)
