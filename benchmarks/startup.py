"""Start-up on a busy PBX: from connecting to the whole picture, 2,000 members and 500 calls in progress."""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.harness import helper, median, pin, report
from benchmarks.pbx import PbxPlan, run_pbx
from benchmarks.pipeline import pipeline
from gateway.stream.state import Audience, snapshot_frame

BAR_S = 2.0
MEMBERS, CALLS = 2000, 500


async def measure(repetitions: int) -> bool:
    """Run it; whether the bar is met."""
    pin(0)
    took: list[float] = []
    plan = PbxPlan(queues=("q12345", *(f"q{number}" for number in range(9))), members=MEMBERS, calls=CALLS)
    with helper(run_pbx, plan) as pbx:
        port = await pbx.answer()
        for _ in range(repetitions):
            with tempfile.TemporaryDirectory() as directory:
                async with pipeline(Path(directory), port, agents=MEMBERS) as pipe:
                    began = time.monotonic()
                    link = await pipe.connect()
                    frame = snapshot_frame(pipe.hub.view, Audience(sees_all=True, agent=None))
                    await pipe.journal.flush()
                    took.append(time.monotonic() - began)
                    if len(pipe.tracker.calls) != CALLS or len(pipe.tracker.floor.agents) != MEMBERS:
                        raise RuntimeError("the picture is not complete")
                    link.cancel()
                    await asyncio.gather(link, return_exceptions=True)
    figures = {"members": MEMBERS, "calls": CALLS, "seconds": median(took), "snapshot_kib": len(frame) / 1024}
    return report("startup", f"<= {BAR_S} s", median(took) <= BAR_S, figures)


def main(arguments: list[str] | None = None) -> bool:
    """No options."""
    return asyncio.run(measure(5 if arguments is None else 3))


if __name__ == "__main__":
    raise SystemExit(not main())
