"""A gateway that is up: its parts, for those that look after it."""

from dataclasses import dataclass, field

from agents.accounts import AccountService
from asr.pool import EnginePool
from gateway.bus import LocalBus
from gateway.conduct.desks import Desks
from gateway.conduct.drafting import Orders
from gateway.conduct.finishing import Finishing
from gateway.conduct.picture import Picture
from gateway.conduct.reporting import Reporting
from gateway.pbx.link import PbxLink
from gateway.settings import PbxSettings, Settings
from gateway.storage.calls import CallRepository
from gateway.storage.orders import SqlOutbox


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
