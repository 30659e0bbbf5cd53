"""Events a second: the whole pipeline against stock panoramisk's dispatch to an empty callback.

Same captured bytes over the same kind of socket, same core, in turns; medians. The pipeline is done when
everything is folded, committed to SQLite and read by all 50 clients. Time is the process's own on its core,
so that a neighbour's work is nobody's.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from panoramisk import Manager

from benchmarks.followers import run_followers
from benchmarks.harness import Helper, helper, median, pin, report, rss_mib
from benchmarks.pbx import SECRET, USER, PbxPlan, run_pbx
from benchmarks.pipeline import Pipeline, pipeline

BAR = 0.5
CLIENTS = 50
BURST = 200
"""Calls."""


async def stock(pbx: Helper, port: int, first: int) -> float:
    """Events a second of stock panoramisk."""
    manager = Manager(
        loop=asyncio.get_running_loop(),
        host="127.0.0.1",
        port=port,
        username=USER,
        secret=SECRET,
        encoding="utf8",
    )
    count = 0

    def empty(_manager: Any, _event: Any) -> None:
        nonlocal count
        count += 1

    manager.register_event("*", empty)
    await manager.connect()
    while not manager.authenticated or not count:  # the login's FullyBooted has come
        await asyncio.sleep(0.01)
    count = 0
    events = await pbx.ask("burst", first, BURST)
    pbx.tell("go")
    began = time.process_time()
    while count < events:
        await asyncio.sleep(0.001)
    took = time.process_time() - began
    manager.connect = lambda *_: None
    manager.close()
    await asyncio.sleep(0.1)
    return float(events / took)


async def whole(pipe: Pipeline, pbx: Helper, followers: Helper, first: int) -> float:
    """Events a second of the pipeline."""
    events = await pbx.ask("burst", first, BURST)
    pipe.ended = 0
    pbx.tell("go")
    began = time.process_time()
    while pipe.ended < BURST:
        await asyncio.sleep(0.001)
    await pipe.journal.flush()
    pipe.hub.tick(0.0)
    await followers.ask("at", pipe.hub.view.seq, 0)
    return float(events / (time.process_time() - began))


async def measure(repetitions: int, total: int) -> bool:
    """Run it; whether the bars are met."""
    pin(0)
    with (
        tempfile.TemporaryDirectory() as directory,
        helper(run_pbx, PbxPlan(members=50)) as pbx,
        helper(run_followers) as followers,
    ):
        port = await pbx.answer()
        ours: list[float] = []
        theirs: list[float] = []
        rss: list[float] = []
        async with pipeline(Path(directory), port) as pipe:
            await followers.ask("connect", pipe.stream.port, ["supervisor"] * CLIENTS)
            first = 0
            for _ in range(repetitions + 1):
                theirs.append(await stock(pbx, port, first))
                link = await pipe.connect()
                ours.append(await whole(pipe, pbx, followers, first))
                link.cancel()
                await asyncio.gather(link, return_exceptions=True)
                first += BURST
                pipe.hub.tick(time.time())
            done = 0
            if total:
                link = await pipe.connect()
            while done < total:
                await whole(pipe, pbx, followers, first)
                first += BURST
                done += BURST * 130
                pipe.hub.tick(time.time())
                rss.append(rss_mib())
    figures: dict[str, Any] = {
        "pipeline_events_per_s": median(ours[1:]),
        "stock_panoramisk_events_per_s": median(theirs[1:]),
    }
    figures["ratio"] = figures["pipeline_events_per_s"] / figures["stock_panoramisk_events_per_s"]
    met = figures["ratio"] >= BAR
    if rss:
        warm = rss[len(rss) // 5]
        figures |= {"memory_events": done, "rss_after_a_fifth_mib": warm, "rss_at_the_end_mib": rss[-1]}
        met = met and rss[-1] < warm * 1.1 + 5
    return report("events", f"ratio >= {BAR}; memory flat", met, figures)


def main(arguments: list[str] | None = None) -> bool:
    """`--events 5000000` for the long run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--events", type=int, default=300_000, help="for the memory's flatness; 0: not at all"
    )
    options = parser.parse_args(arguments)
    return asyncio.run(measure(options.repetitions, options.events))


if __name__ == "__main__":
    raise SystemExit(not main())
