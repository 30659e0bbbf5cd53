"""The gateway's pipeline, whole: PBX link, tracker, journal on SQLite, hub, websocket server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from agents.accounts.identity import Identity, Role
from benchmarks.pbx import SECRET, USER
from domain.facts import AnyFact, CallEnded
from domain.lines import Line
from domain.phones import AgentProfile
from gateway.asterisk.link import LinkState, PbxLink
from gateway.calls.tracker import CallTracker
from gateway.facts.bus import LocalBus
from gateway.facts.recorder import FactRecorder
from gateway.memory import keep_settled
from gateway.pbx_state import PbxState
from gateway.settings import PbxSettings
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.stream.hub import Hub
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView

LINES = [Line("12345", "政务服务便民热线", ("12345",), "q12345")]


async def authenticate(token: str) -> Identity | None:
    """`agent-<id>` is that agent, anything else a supervisor."""
    kind, _, agent = token.partition("-")
    role = Role.AGENT if kind == "agent" else Role.SUPERVISOR
    return Identity(token, role, agent or None, token, time.time() + 86400, "")


@dataclass
class Pipeline:
    """What is running."""

    picture: PbxState
    tracker: CallTracker
    link: PbxLink
    journal: JournalWriter
    hub: Hub
    stream: StreamServer
    bus: LocalBus
    ended: int = 0
    """Calls that ended; set it to 0 before counting."""

    async def connect(self) -> "asyncio.Task[None]":
        """Run the link; returns when it is up."""
        self.picture.link = LinkState(pbx="main", phase="disconnected")
        task = asyncio.create_task(self.link.run())
        while self.picture.link.phase != "up":
            await asyncio.sleep(0.002)
        return task

    def on_fact(self, fact: AnyFact) -> None:
        """Count."""
        self.ended += isinstance(fact, CallEnded)


@asynccontextmanager
async def pipeline(
    directory: Path, ami_port: int, *, agents: int = 50, max_clients: int = 2000, deflate: bool = False
) -> AsyncIterator[Pipeline]:
    """Everything up but the link, which the benchmark runs itself."""
    database = Database(f"sqlite+aiosqlite:///{directory}/hotline.db")
    await database.upgrade()
    bus = LocalBus()
    hub = Hub(LiveView(linger_s=1.0))
    bus.listen(hub.publish)
    profiles = [AgentProfile(str(2000 + n), f"坐席{n}", f"PJSIP/{2000 + n}") for n in range(agents)]
    tracker = CallTracker("main", LINES, profiles)
    settings = PbxSettings(
        name="main",
        host="127.0.0.1",
        port=ami_port,
        username=USER,
        secret=SecretStr(SECRET),
        reconnect_max_s=1.0,
    )
    async with (
        JournalWriter(database) as journal,
        StreamServer(hub, authenticate=authenticate, max_clients=max_clients, deflate=deflate) as stream,
    ):
        picture = PbxState(tracker, FactRecorder(journal, bus), CallRepository(database))
        link = PbxLink(settings, picture.on_event, picture.on_state, picture.on_snapshot)
        made = Pipeline(picture, tracker, link, journal, hub, stream, bus)
        bus.listen(made.on_fact)
        settling = asyncio.create_task(keep_settled())  # as in `hotline run`
        yield made
        settling.cancel()
    await database.close()
