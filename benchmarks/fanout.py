"""One delta to 5,000 clients, against `websockets.broadcast` of the same bytes; then with deaf ones too."""

import argparse
import asyncio
import time
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.followers import run_followers
from benchmarks.harness import Helper, helper, median, percentile, pin, progress, report, rss_mib
from benchmarks.pipeline import authenticate
from domain.calls import Call, CallState, Direction, Party, Side
from domain.facts import CallEnded, CallUpdated, PbxLinkChanged, UtteranceHeard
from domain.transcripts import Utterance
from gateway.memory import keep_settled
from gateway.stream.encoding import delta_frame
from gateway.stream.hub import Hub
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView

BAR, P99_BAR, MEMORY_BAR_MIB = 0.9, 1.1, 64.0
QUIET_S = 0.5
"""Before rounds that are compared: what went before is over."""
DEAF_BYTES = 2 << 20
"""Sent to each deaf client: more than its socket takes."""

CALL = Call("main-1", "main", "1", Direction.INBOUND, CallState.TALKING, Party(), "12345", 1.0)


def change(number: int) -> PbxLinkChanged:
    """The delta's one change."""
    return PbxLinkChanged(at=float(number), pbx="main", up=True, reason="x" * 300)


async def rounds(hub: Hub, followers: Helper, count: int, first: int = 0) -> tuple[list[float], list[float]]:
    """(seconds until the last client had it, seconds until each had it) of `count` deltas."""
    await asyncio.sleep(QUIET_S)
    await followers.ask("mark", rb'"seq":(\d+)', b"seq")
    whole: list[float] = []
    sent: dict[str, float] = {}
    for number in range(count):
        began = time.monotonic()
        hub.publish(change(hub.view.seq + number))
        sent[str(hub.view.seq)] = began
        whole.append(await followers.ask("at", hub.view.seq, first) - began)
        await asyncio.sleep(0.05)
    marks = await followers.ask("seen")
    each = [when - sent[seq] for (client, seq), when in marks.items() if seq in sent and client >= first]
    return whole, each


async def baseline(
    connections: set[ServerConnection], followers: Helper, count: int, hub: Hub
) -> list[float]:
    """The same with `websockets.broadcast`; its clients look at each frame as ours do."""
    await asyncio.sleep(QUIET_S)
    await followers.ask("mark", rb'"seq":(\d+)', b"seq")
    took = []
    link = {"pbx": "main", "up": True, "reason": "x" * 300, "since": 1.0}
    for number in range(count):
        seq = 10**6 + hub.view.seq + number
        change = msgspec.json.encode({"topic": "pbx", "key": "main", "value": link})
        frame = delta_frame(seq, [change], [])
        assert frame is not None
        began = time.monotonic()
        broadcast(connections, frame.decode())
        took.append(await followers.ask("at", seq, 0) - began)
        await asyncio.sleep(0.05)
    return took


async def deafen(hub: Hub, followers: Helper, deaf: int) -> None:
    """The first `deaf` clients stop reading; what fills their sockets, transcripts, no other follows."""
    await followers.ask("deaf", deaf)
    hub.publish(CallUpdated(at=1.0, call=CALL, what="x"))
    for number in range(DEAF_BYTES // 50_000):
        said = Utterance(f"main-1/{number}", "main-1", Side.CALLER, float(number), 1.0, "说" * 16_000)
        hub.publish(UtteranceHeard(at=1.0, utterance=said))
        await asyncio.sleep(0.03)


async def undeafen(hub: Hub, followers: Helper, deaf: int) -> None:
    """They read again, until they keep up."""
    hub.publish(CallEnded(at=2.0, call=msgspec.structs.replace(CALL, state=CallState.ENDED)))
    hub.tick(1e12)  # The call leaves the view, with what was said in it.
    await followers.ask("hear", deaf)
    async with asyncio.timeout(30):
        while hub.behind:
            await asyncio.sleep(0.05)


async def measure(clients: int, count: int) -> bool:
    """Run it; whether the bars are met.

    Rounds with and without deaf clients take turns: pings of so many connections come in waves, which
    must not meet one of the two alone.
    """
    pin(0)
    connections: set[ServerConnection] = set()
    deaf = clients // 20
    settling = asyncio.create_task(keep_settled())  # as in `hotline run`

    async def hold(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()

    hub = Hub(LiveView())
    with helper(run_followers) as ours, helper(run_followers) as theirs:
        async with (
            StreamServer(hub, authenticate=authenticate, max_clients=clients + 10) as stream,
            serve(hold, "127.0.0.1", 0, compression=None) as plain,
        ):
            port = next(iter(plain.sockets)).getsockname()[1]
            progress("clients connect")
            await ours.ask("connect", stream.port, ["s"] * deaf, "pbx,transcripts", 65536)
            agents = [f"agent-{2000 + number}" for number in range(clients - deaf)]
            await ours.ask("connect", stream.port, agents, "pbx")
            await theirs.ask("connect", port, ["s"] * clients)
            await rounds(hub, ours, 3)
            await baseline(connections, theirs, 3, hub)
            before = rss_mib()
            mine: list[float] = []
            base: list[float] = []
            each: list[float] = []
            worse: list[float] = []
            behind = []
            for turn in range(count):
                progress(f"turn {turn + 1} of {count}")
                base += await baseline(connections, theirs, 3, hub)
                whole, some = await rounds(hub, ours, 3, deaf)
                mine += whole
                each += some
                await deafen(hub, ours, deaf)
                worse += (await rounds(hub, ours, 3, deaf))[1]
                behind.append(len(hub.behind))
                after = rss_mib()
                await undeafen(hub, ours, deaf)
    settling.cancel()
    figures: dict[str, Any] = {
        "clients": clients,
        "last_client_has_it_ms": median(mine) * 1000,
        "with_broadcast_alone_ms": median(base) * 1000,
        "ratio": median(base) / median(mine),
        "p99_ms": percentile(each, 0.99) * 1000,
        "p99_with_5_percent_deaf_ms": percentile(worse, 0.99) * 1000,
        "p99_ratio": percentile(worse, 0.99) / percentile(each, 0.99),
        "deaf_clients_behind": min(behind),
        "memory_growth_mib": after - before,
    }
    met = (
        figures["ratio"] >= BAR
        and figures["p99_ratio"] <= P99_BAR
        and min(behind) == deaf
        and figures["memory_growth_mib"] < MEMORY_BAR_MIB + deaf * 0.3
    )
    return report(
        "fanout", f"ratio >= {BAR}; p99 with deaf clients <= {P99_BAR} x; memory bounded", met, figures
    )


def main(arguments: list[str] | None = None) -> bool:
    """`--clients`, `--rounds`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args(arguments)
    return asyncio.run(measure(options.clients, options.rounds))


if __name__ == "__main__":
    raise SystemExit(not main())
