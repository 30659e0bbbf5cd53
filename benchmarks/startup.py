"""Start-up: the picture of a busy PBX (2,000 members, 500 calls in progress), and the day's figures.

The picture is timed from connecting until it is complete; the figures from opening a journal of one day
(each call with its transcript and its order's revisions) until they are counted.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from agents.figures.checkpoints import BACK_S, KINDS
from agents.figures.day import DayFigures
from agents.figures.service import FiguresService
from agents.figures.state import day_of
from benchmarks.harness import helper, median, pin, progress, report
from benchmarks.journal_day import fill
from benchmarks.pbx import PbxPlan, run_pbx
from benchmarks.pipeline import LINES, pipeline
from gateway.facts.bus import LocalBus
from gateway.facts.recorder import FactRecorder
from gateway.storage.checkpoints import CheckpointRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.journal_reader import JournalReader
from gateway.storage.packer import JournalPacker
from gateway.stream.audience import Audience

BAR_S = 2.0
MEMBERS, CALLS = 2000, 500
AGENTS = 200
"""Who take the day's calls."""
DAY_S = 20 * 3600.0
MINUTE_S = 60.0
"""Between two checkpoints."""


async def measure(repetitions: int) -> bool:
    """Run it; whether the bar is met."""
    pin(0)
    took: list[float] = []
    plan = PbxPlan(queues=("q12345", *(f"q{number}" for number in range(9))), members=MEMBERS, calls=CALLS)
    with helper(run_pbx, plan) as pbx:
        port = await pbx.answer()
        for _ in range(repetitions):
            progress("startup: the picture")
            with tempfile.TemporaryDirectory() as directory:
                async with pipeline(Path(directory), port, agents=MEMBERS) as pipe:
                    began = time.monotonic()
                    link = await pipe.connect()
                    frame = pipe.hub.view.snapshot(Audience(sees_all=True, agent=None))
                    await pipe.journal.flush()
                    took.append(time.monotonic() - began)
                    if len(pipe.tracker.calls) != CALLS or len(pipe.tracker.queue_state.agents) != MEMBERS:
                        raise RuntimeError("the picture is not complete")
                    link.cancel()
                    await asyncio.gather(link, return_exceptions=True)
    figures = {"members": MEMBERS, "calls": CALLS, "seconds": median(took), "snapshot_kib": len(frame) / 1024}
    return report("startup", f"<= {BAR_S} s", median(took) <= BAR_S, figures)


async def measure_rebuild(calls: int, repetitions: int) -> bool:
    """The figures from the journal of a day; whether the bar is met."""
    pin(0)
    took: list[float] = []
    now = time.time()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hotline.db"
        database = Database(f"sqlite+aiosqlite:///{path}")
        await database.upgrade()
        progress(f"startup: writing the journal of {calls} calls")
        facts = await fill(database, calls, AGENTS, now - DAY_S, now)
        size = path.stat().st_size
        for _ in range(repetitions):
            progress("startup: figures from the journal")
            async with JournalWriter(database) as journal:
                figures = FiguresService(LINES, "Asia/Shanghai", FactRecorder(journal, LocalBus()))
                began = time.monotonic()
                await figures.rebuild(JournalReader(database), CheckpointRepository(database))
                took.append(time.monotonic() - began)
            queue = ("main", LINES[0].queue)
            # Since midnight there, of all that the journal holds.
            day = day_of(now, ZoneInfo("Asia/Shanghai"))
            share = (now - max(day.start, now - DAY_S)) / DAY_S
            offered = figures.today.day(queue, now).offered
            if abs(offered - calls * share) > 2:
                raise RuntimeError(f"the day is not complete: {offered} of {calls * share:.0f} calls")
        await database.close()
    result = {
        "calls": calls,
        "facts": facts,
        "journal_mib": size / 2**20,
        "seconds": median(took),
        "facts_per_s": facts / median(took),
    }
    return report("rebuild", f"<= {BAR_S} s", median(took) <= BAR_S, result)


async def measure_checkpoint(calls: int, repetitions: int) -> bool:
    """Figures by a checkpoint of a minute ago, against the rebuild from the day; whether the bar is met.

    The day's facts about queues and agents, packed as they are a quarter of an hour later: no other is read.
    """
    pin(0)
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite+aiosqlite:///{directory}/hotline.db")
        await database.upgrade()
        now = time.time()
        before = now - MINUTE_S
        minute = round(calls / DAY_S * MINUTE_S)
        progress(f"startup: writing and packing a day of {calls} calls")
        facts = await fill(database, calls - minute, AGENTS, now - DAY_S, before, whole=False)
        await JournalPacker(database, pause_share=0.0).pack_old(now)
        reader, store = JournalReader(database), CheckpointRepository(database)

        async def start() -> tuple[float, FiguresService]:
            async with JournalWriter(database) as journal:
                figures = FiguresService(LINES, "Asia/Shanghai", FactRecorder(journal, LocalBus()))
                began = time.monotonic()
                await figures.rebuild(reader, store)
                return time.monotonic() - began, figures

        progress("startup: figures from the whole day")
        rebuilt, figures = await start()
        await figures.store_once(await reader.mark())
        facts += await fill(database, minute, AGENTS, before, now, whole=False)
        progress("startup: figures by the checkpoint")
        took = []
        for _ in range(repetitions):
            seconds, figures = await start()
            took.append(seconds)
        # All but the last minute lies within the checkpoint.
        whole = DayFigures(LINES, "Asia/Shanghai")
        async for fact in reader.since(now - BACK_S, KINDS):
            whole.apply(fact)
        queue = ("main", LINES[0].queue)
        if figures.today.day(queue, now).offered != whole.day(queue, now).offered:
            raise RuntimeError("the checkpoint and the whole day disagree")
        await database.close()
    result = {
        "calls": calls,
        "facts": facts,
        "rebuild_seconds": rebuilt,
        "checkpoint_seconds": median(took),
        "ratio": median(took) / rebuilt,
    }
    met = median(took) <= BAR_S
    return report("checkpoint", f"<= {BAR_S} s", met, result)


def main(arguments: list[str] | None = None) -> bool:
    """`--calls`: of the day whose journal is read; `--day`: of the day that has a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--day", type=int, default=24_000)
    options = parser.parse_args(arguments)
    each = [
        asyncio.run(measure(options.repetitions)),
        asyncio.run(measure_rebuild(options.calls, options.repetitions)),
        asyncio.run(measure_checkpoint(options.day, options.repetitions)),
    ]
    return all(each)


if __name__ == "__main__":
    raise SystemExit(not main())
