"""From AMI bytes to the screen-pop at the agent's client, against a bare relay, under the same load."""

import argparse
import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from panoramisk import Manager
from websockets.asyncio.server import ServerConnection, broadcast, serve

from agents.screen_pop.content import PopRules
from agents.screen_pop.service import ScreenPopService, load_places
from benchmarks.followers import run_crowd, run_followers
from benchmarks.harness import Helper, helper, median, percentile, pin, progress, report, stalls
from benchmarks.pbx import SECRET, USER, PbxPlan, run_pbx
from benchmarks.pipeline import Pipeline, authenticate, pipeline
from domain.calls import Call
from domain.visibility.policy import OPEN
from gateway.storage.callers import CallerRepository
from gateway.storage.database import Database
from gateway.web.access import Access
from gateway.web.app import create_app
from gateway.web.options import WebOptions
from gateway.web.routes import screen_pop
from gateway.web.serve import serve_web

BAR, ALONE_BAR = 5.0, 3.0
POP = rb'"linkedid":"([^"]+)","direction":"[^"]+","state":"ringing".*?"agent":"(\d+)"', b'"state":"ringing"'
RELAYED = rb'"Linkedid": "([^"]+)", "MemberName": "(\d+)"', b"Linkedid"


Load = tuple[int, float, float, int]
"""Number of the first call, calls a second, seconds, agents."""
RUNG = 10
"""Every tenth agent is rung. Their clients are a process of their own, which goes first: in one with all the
others, a screen-pop would wait until all had read their copy of a queue on one core, as no desk does."""


async def load(
    pbx: Helper, followers: Helper, mark: tuple[bytes, bytes], how: Load, pops: list[float] | None = None
) -> list[float]:
    """Seconds from the AgentCalled event to each agent's ring; `pops` gets those to the pop over HTTP."""
    await followers.ask("mark", *mark)
    popped = await pbx.ask("pace", *how[:3], how[3] // RUNG)
    for _ in range(240):  # a relay that cannot keep up is given the time it takes
        await asyncio.sleep(0.25)
        seen = {linkedid: when for (_, linkedid), when in (await followers.ask("seen")).items()}
        missing = len(popped.keys() - seen.keys())
        if not missing:
            break
    else:
        raise RuntimeError(f"{missing} of {len(popped)} screen-pops did not arrive")
    fetched = {linkedid: when for (_, linkedid), when in (await followers.ask("fetched")).items()}
    if pops is not None:
        pops += [fetched[linkedid] - when for linkedid, when in popped.items()]
    return [seen[linkedid] - when for linkedid, when in popped.items()]


async def connect(followers: Helper, crowd: Helper, port: int, agents: int) -> None:
    """All agents connect, those who will be rung first."""
    tokens = [f"agent-{2000 + number}" for number in range(agents)]
    await followers.ask("connect", port, tokens[: agents // RUNG])
    await crowd.ask("connect", port, tokens[agents // RUNG :])


@asynccontextmanager
async def plain_pops(directory: Path) -> AsyncIterator[int]:
    """Screen-pops as one would build them: a route that asks for earlier calls of the number."""
    database = Database(f"sqlite+aiosqlite:///{directory}/plain.db")
    await database.upgrade()
    callers, app = CallerRepository(database), FastAPI()

    @app.get("/api/v1/calls/{call_id}/pop")
    async def pop(call_id: str) -> dict[str, Any]:
        return {"call_id": call_id, "calls": await callers.earlier(["13900000000"], call_id)}

    async with serve_web(app, "127.0.0.1", 0) as port:
        yield port
    await database.close()


@asynccontextmanager
async def our_pops(directory: Path, pipe: Pipeline) -> AsyncIterator[int]:
    """Screen-pops as the gateway has them."""
    database = Database(f"sqlite+aiosqlite:///{directory}/hotline.db")
    load_places()
    pops = ScreenPopService(PopRules(), {}, {}, CallerRepository(database), OPEN)

    async def get_call(call_id: str) -> Call | None:
        return pipe.tracker.calls.get(call_id)

    async def get_order(_: str) -> None:
        return None

    routes = screen_pop.router(Access(authenticate, get_call, get_order), pops)
    async with serve_web(create_app([routes], WebOptions()), "127.0.0.1", 0) as port:
        yield port
    await database.close()


async def relay(
    pbx: Helper, port: int, how: Load, *, everybody: bool, pops: list[float] | None = None
) -> list[float]:
    """The bare relay: panoramisk's callback, `websockets.broadcast` to everybody, or to the agent alone."""
    connections: list[ServerConnection] = []

    async def hold(connection: ServerConnection) -> None:
        connections.append(connection)
        await connection.wait_closed()

    manager = Manager(
        loop=asyncio.get_running_loop(),
        host="127.0.0.1",
        port=port,
        username=USER,
        secret=SECRET,
        encoding="utf8",
    )

    def pop(_manager: Any, event: Any) -> None:
        told = connections if everybody else [connections[int(event.membername) - 2000]]
        broadcast(told, json.dumps({"Linkedid": event.linkedid, "MemberName": event.membername}))

    manager.register_event("AgentCalled", pop)
    with (
        tempfile.TemporaryDirectory() as directory,
        helper(run_followers) as followers,
        helper(run_crowd) as crowd,
    ):
        async with (
            serve(hold, "127.0.0.1", 0, compression=None) as server,
            plain_pops(Path(directory)) as pop_port,
        ):
            await followers.ask("pops", pop_port if pops is not None else 0)
            await connect(followers, crowd, next(iter(server.sockets)).getsockname()[1], how[3])
            await manager.connect()
            while not manager.authenticated:
                await asyncio.sleep(0.01)
            took = await load(pbx, followers, RELAYED, how, pops)
            manager.connect = lambda *_: None
            manager.close()
    return took


async def ours(
    pbx: Helper, port: int, how: Load, late: list[float], pops: list[float] | None = None
) -> list[float]:
    """The gateway. `late` gets how late its event loop was."""
    with (
        tempfile.TemporaryDirectory() as directory,
        helper(run_followers) as followers,
        helper(run_crowd) as crowd,
    ):
        async with (
            pipeline(Path(directory), port, agents=how[3]) as pipe,
            our_pops(Path(directory), pipe) as pop_port,
        ):
            await followers.ask("pops", pop_port if pops is not None else 0)
            await connect(followers, crowd, pipe.stream.port, how[3])
            link = await pipe.connect()
            await asyncio.sleep(1.0)
            async with stalls() as some:
                took = await load(pbx, followers, POP, how, pops)
            late += some
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)
    return took


async def measure(agents: int, rate: float, seconds: float, repetitions: int) -> bool:
    """Run it; whether the bars are met."""
    pin(0)
    mine: list[float] = []
    theirs: list[float] = []
    alone: list[float] = []
    late: list[float] = []
    my_pops: list[float] = []
    their_pops: list[float] = []
    with helper(run_pbx, PbxPlan(members=agents)) as pbx:
        port = await pbx.answer()
        for number in range(repetitions):
            first = number * 10_000
            how = [(first + 1500 * turn, rate, seconds, agents) for turn in range(5)]
            progress(f"latency, {number + 1} of {repetitions}: a relay that tells everybody")
            theirs += await relay(pbx, port, how[0], everybody=True)
            progress(f"latency, {number + 1} of {repetitions}: a relay that tells the agent alone")
            alone += await relay(pbx, port, how[1], everybody=False)
            progress(f"latency, {number + 1} of {repetitions}: the gateway")
            mine += await ours(pbx, port, how[2], late)
            progress(f"latency, {number + 1} of {repetitions}: both, with the pop fetched over HTTP")
            await relay(pbx, port, how[3], everybody=False, pops=their_pops)
            await ours(pbx, port, how[4], [], my_pops)
    p99 = percentile(mine, 0.99)
    figures = {
        "agents": agents,
        "calls_per_s": rate,
        "calls": len(mine),
        "median_ms": median(mine) * 1000,
        "p99_ms": p99 * 1000,
        "bare_relay_p99_ms": percentile(theirs, 0.99) * 1000,
        "bare_relay_to_the_agent_alone_p99_ms": percentile(alone, 0.99) * 1000,
        "ratio": p99 / percentile(theirs, 0.99),
        "ratio_to_the_agent_alone": p99 / percentile(alone, 0.99),
        "median_to_the_agent_alone_ms": median(alone) * 1000,
        "with_pop_over_http_median_ms": median(my_pops) * 1000,
        "with_pop_over_http_p99_ms": percentile(my_pops, 0.99) * 1000,
        "relay_with_pop_over_http_p99_ms": percentile(their_pops, 0.99) * 1000,
        "ratio_with_pop_over_http": percentile(my_pops, 0.99) / percentile(their_pops, 0.99),
        "event_loop_late_p99_ms": percentile(late, 0.99) * 1000,
        "event_loop_late_most_ms": max(late) * 1000,
        "event_loop_late_over_20_ms": sum(one > 0.02 for one in late),
    }
    # The one tells everybody; the other is what one would build for screen-pops alone.
    bar = f"p99 <= {BAR} x a relay that tells everybody, <= {ALONE_BAR} x one that tells the agent alone"
    met = figures["ratio"] <= BAR and figures["ratio_to_the_agent_alone"] <= ALONE_BAR
    return report("latency", bar, met, figures)


def main(arguments: list[str] | None = None) -> bool:
    """`--agents`, `--rate`, `--seconds`, `--repetitions`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args(arguments)
    return asyncio.run(measure(options.agents, options.rate, options.seconds, options.repetitions))


if __name__ == "__main__":
    raise SystemExit(not main())
