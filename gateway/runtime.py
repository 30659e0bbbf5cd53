"""A gateway that is up: its parts, for those that look after it."""

from dataclasses import dataclass, field

from agents.accounts.service import AccountService
from agents.figures.service import Reporting
from agents.timers import Desks
from asr.pool import EnginePool
from gateway.asterisk.link import PbxLink
from gateway.facts.bus import LocalBus
from gateway.pbx_state import Picture
from gateway.post_call import Finishing
from gateway.settings import PbxSettings, Settings
from gateway.storage.calls import CallRepository
from gateway.storage.orders import SqlOutbox
from workorders.service import Orders


@dataclass
class Running:
    """A gateway that is up: what others may use of it."""

    settings: Settings
    bus: LocalBus
    accounts: AccountService
    calls: CallRepository
    orders: Orders
    links: dict[str, PbxLink]
    pictures: dict[str, Picture]
    desks: dict[str, Desks]
    finishing: Finishing
    outbox: SqlOutbox
    reporting: Reporting
    pool: EnginePool | None
    web_port: int = 0
    stream_port: int = 0
    agi: str = ""
    audiosocket: str = ""
    pbxs: dict[str, PbxSettings] = field(default_factory=dict)
