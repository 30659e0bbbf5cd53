"""Events a second of the whole gateway, with everything that follows from them, and 300 calls alive at once.

All modules run: figures, alarms, orders begun and changed, screen-pop, history, the stream. What is left out:
the work after the hang-up (its recordings are not there) and speech. The calls are interleaved: each event of
one is followed by the same event of the 299 others. Against stock panoramisk's dispatch to an empty callback,
as in `events`: same bytes, same core, CPU time of the process. Done is when everything is committed, each
call has its order in the database and all 50 clients have read it. On SQLite, and where there is one on
PostgreSQL, whose own server's time is not counted.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select

from agents.accounts.identity import Role
from benchmarks.databases import postgresql
from benchmarks.events import CLIENTS, stock
from benchmarks.followers import run_followers
from benchmarks.harness import Helper, helper, median, pin, progress, report
from benchmarks.pbx import SECRET, USER, PbxPlan, run_pbx
from domain.alarms import Measure
from domain.facts import AnyFact, CallEnded
from gateway.app import MODULES, run_gateway
from gateway.memory import settle
from gateway.modules.post_call import PostCallModule
from gateway.runtime import Runtime
from gateway.settings import (
    AgentSettings,
    AlarmSettings,
    AsrSettings,
    LineSettings,
    PbxSettings,
    Settings,
)
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.tables import orders
from gateway.stream.hub import Hub
from gateway.telephony import Telephony

BAR = 0.5
ALIVE = 300
AGENTS = 320


@dataclass
class Whole:
    """The gateway, and how many calls have ended."""

    runtime: Runtime
    ended: int = 0

    def on_fact(self, fact: AnyFact) -> None:
        """Count."""
        self.ended += isinstance(fact, CallEnded)

    async def orders(self) -> int:
        """Orders in the database."""
        async with self.runtime.get(Database).reading() as connection:
            return int(await connection.scalar(select(func.count()).select_from(orders)) or 0)


def settings_for(directory: Path, port: int, url: str | None) -> Settings:
    """One PBX, one line, and somebody for each call."""
    base = Settings()
    number = {"port": 0, "stream_port": 0}
    return Settings(
        data_dir=directory,
        http=base.http.model_copy(update=number),
        database=base.database.model_copy(update={"url": url}),
        agi=base.agi.model_copy(update={"port": 0}),
        asr=AsrSettings(engine="none"),
        pbx=[
            PbxSettings(name="main", port=port, username=USER, secret=SecretStr(SECRET), reconnect_max_s=1.0)
        ],
        lines=[LineSettings(id="12345", name="政务服务便民热线", numbers=["12345"], queue="q12345")],
        agents=[
            AgentSettings(id=str(2000 + n), name=f"坐席{n}", phone=f"PJSIP/{2000 + n}", lines={"12345": 0})
            for n in range(AGENTS)
        ],
        alarms=[
            AlarmSettings(id=measure.value.replace("_", "-"), name=measure.value, measure=measure, above=1e9)
            for measure in (Measure.WAITING, Measure.LONGEST_WAIT)
        ],
    )


@asynccontextmanager
async def gateway(directory: Path, port: int, url: str | None) -> AsyncIterator[Whole]:
    """Up, linked, with an account for the followers."""
    modules = [one for one in MODULES if one is not PostCallModule]
    async with run_gateway(settings_for(directory, port, url), modules=modules) as runtime:
        whole = Whole(runtime)
        runtime.bus.listen(whole.on_fact)
        while runtime.get(Telephony).links["main"].state.phase != "up":
            await asyncio.sleep(0.01)
        settle()
        yield whole


async def burst(whole: Whole, pbx: Helper, followers: Helper, first: int) -> float:
    """Events a second, all that follows included."""
    events = await pbx.ask("alive", first, ALIVE)
    whole.ended, before = 0, await whole.orders()
    pbx.tell("go")
    began = time.process_time()
    while whole.ended < ALIVE:
        await asyncio.sleep(0.001)
    journal, hub = whole.runtime.get(JournalWriter), whole.runtime.get(Hub)
    while await whole.orders() < before + ALIVE:
        await asyncio.sleep(0.01)
    await journal.flush()
    hub.tick(0.0)
    await followers.ask("at", hub.view.seq, 0)
    return float(events / (time.process_time() - began))


async def measured(repetitions: int, url: str | None) -> tuple[float, float]:
    """Events a second: (the gateway's, stock panoramisk's)."""
    ours: list[float] = []
    theirs: list[float] = []
    with (
        tempfile.TemporaryDirectory() as directory,
        helper(run_pbx, PbxPlan(members=AGENTS)) as pbx,
        helper(run_followers) as followers,
    ):
        port = await pbx.answer()
        async with gateway(Path(directory), port, url) as whole:
            await whole.runtime.accounts.create_account("ban", "a long enough password", Role.SUPERVISOR)
            signed_in = await whole.runtime.accounts.login("ban", "a long enough password", "127.0.0.1")
            await followers.ask("connect", whole.runtime.stream_port, [signed_in.token] * CLIENTS)
            for round_ in range(repetitions + 1):
                ours.append(await burst(whole, pbx, followers, round_ * ALIVE))
                progress(f"{ours[-1]:.0f} events/s")
    # Apart: the gateway's link would read what is meant for the other.
    with helper(run_pbx, PbxPlan(members=AGENTS)) as pbx:
        port = await pbx.answer()
        theirs.extend([await stock(pbx, port, round_ * ALIVE) for round_ in range(repetitions + 1)])
    return median(ours[1:]), median(theirs[1:])


async def measure(repetitions: int) -> bool:
    """Run it; whether the bars are met."""
    pin(0)
    figures: dict[str, Any] = {}
    ours, theirs = await measured(repetitions, None)
    figures |= {"sqlite_events_per_s": ours, "stock_panoramisk_events_per_s": theirs, "ratio": ours / theirs}
    async with postgresql() as url:
        if url is not None:
            ours, theirs = await measured(repetitions, url)
            figures |= {"postgresql_events_per_s": ours, "postgresql_ratio": ours / theirs}
    return report("whole", f"ratio >= {BAR}", figures["ratio"] >= BAR, figures)


def main(arguments: list[str] | None = None) -> bool:
    """`--repetitions 3`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    return asyncio.run(measure(parser.parse_args(arguments).repetitions))


if __name__ == "__main__":
    raise SystemExit(not main())
