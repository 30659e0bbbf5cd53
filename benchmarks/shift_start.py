"""Every agent signs in at mid-day, after a restart: what the snapshots cost the event loop.

Measured against a server that keeps the same items in a dictionary and, as one would write it first, filters
and encodes them for each client that connects.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.followers import run_followers
from benchmarks.harness import Helper, helper, percentile, pin, progress, report, stalls
from benchmarks.midday import midday
from benchmarks.pipeline import authenticate
from gateway.memory import settle
from gateway.stream.audience import Audience
from gateway.stream.encoding import visible
from gateway.stream.hub import Hub
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView

SECONDS_BAR, RATIO_BAR = 3.0, 3.0
AT_ONCE = 100
"""Clients in the middle of signing in at any time."""

Storm = Callable[[], Awaitable[None]]


async def cost(storm: Storm) -> tuple[float, list[float]]:
    """CPU seconds of this thread, which runs the event loop, during the storm; and how late the loop was."""
    async with stalls() as late:
        began = time.thread_time()
        await storm()
        return time.thread_time() - began, late


def everyone(followers: Helper, port: int, agents: range) -> Storm:
    """All of them sign in."""

    async def storm() -> None:
        tokens = [f"agent-{2000 + number}" for number in agents]
        await followers.ask("storm", port, tokens, AT_ONCE, timeout_s=300)

    return storm


async def ours(view: LiveView, agents: int) -> tuple[float, list[float], float]:
    """(CPU seconds, lateness of the loop, bytes to each) of everybody's sign-in."""
    with helper(run_followers) as followers:
        async with StreamServer(Hub(view), authenticate=authenticate, max_clients=agents) as stream:
            spent, late = await cost(everyone(followers, stream.port, range(agents)))
            _, sent = await followers.ask("counts")
    return spent, late, sent / agents


async def filtering(view: LiveView, agents: int) -> float:
    """CPU seconds of each sign-in where everything is filtered for each."""
    encode = msgspec.json.encode
    items = dict(view.items.all())

    async def show(connection: ServerConnection) -> None:
        assert connection.request is not None
        token = connection.request.headers["Cookie"].partition("=")[2]
        identity = await authenticate(token)
        assert identity is not None
        audience = Audience(sees_all=False, agent=identity.agent_id)
        shown = [
            {"topic": key[0], "key": key[1], "value": item.value}
            for key, item in items.items()
            if visible(key, item, audience)
        ]
        await connection.send(encode({"type": "snapshot", "seq": view.seq, "items": shown}), text=True)
        await connection.wait_closed()

    with helper(run_followers) as followers:
        async with serve(show, "127.0.0.1", 0, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            spent, _ = await cost(everyone(followers, port, range(agents)))
    return spent / agents


async def measure(agents: int, filtered: int) -> bool:
    """Run it; whether the bars are met."""
    pin(0)
    progress("shift start: the view of mid-day")
    view = midday(agents)
    settle()
    progress(f"shift start: {filtered} agents, everything filtered for each")
    theirs = await filtering(view, filtered)
    progress(f"shift start: {agents} agents sign in")
    seconds, late, size = await ours(view, agents)
    figures: dict[str, Any] = {
        "agents": agents,
        "items": sum(1 for _ in view.items.all()),
        "snapshot_kib": size / 1024,
        "event_loop_s": seconds,
        "each_ms": seconds / agents * 1000,
        "each_filtering_everything_ms": theirs * 1000,
        "ratio": theirs / (seconds / agents),
        "event_loop_late_p99_ms": percentile(late, 0.99) * 1000,
        "event_loop_late_most_ms": max(late) * 1000,
    }
    met = seconds <= SECONDS_BAR and figures["ratio"] >= RATIO_BAR
    bar = f"{agents} sign-ins in <= {SECONDS_BAR} s of event loop; filtering costs >= {RATIO_BAR} x as much"
    return report("shift_start", bar, met, figures)


def main(arguments: list[str] | None = None) -> bool:
    """`--agents`, `--filtered`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=3000)
    parser.add_argument("--filtered", type=int, default=150)
    options = parser.parse_args(arguments)
    return asyncio.run(measure(options.agents, options.filtered))


if __name__ == "__main__":
    raise SystemExit(not main())
