"""How many live calls a machine hears in time, against the plain way on the same machine in the same run.

    python -m benchmarks.asr_capacity [--calls DIR] [--model DIR] [--rounds N] [--seconds N] [--json FILE]

The plain way runs Whisper over a growing buffer (at most 30 s) every second: one buffer a call, both voices
mixed, which spares it half the work. Same model, same beam. In each round it is measured before and after
ours, and the better of the two counts: other work on the machine does not flatter the ratio. A call fits the
plain way as long as its runs, one a second, leave time for the next call's, fractions of a call counted.

`work_ratio` is the plain way's computing for a second of a call over ours, each as a share of the machine: it
holds where other work makes every text late, and says nothing of latency.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel

from asr.config import AsrConfig, usual_workers
from asr.engine import RATE as ENGINE_RATE
from asr.pool import EnginePool
from asr.resample import Resampler
from benchmarks.asr_live import P50_S, P95_S, live_run
from benchmarks.calls import MODEL, RATE, TrueCall, directory_of, load_calls, quantile
from benchmarks.harness import write_json
from domain.calls import Side

COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24)
RATIO = 3.0
"""So many times the plain way's calls."""


def plain_load(model: WhisperModel, call: TrueCall, beam: int, seconds: float) -> dict[str, float]:
    """What the plain way costs: seconds of computing for each second of one call, and a run's length."""
    mixed = call.sound[Side.CALLER].astype(np.int32) + call.sound[Side.AGENT][: call.sound[Side.CALLER].size]
    resampler = Resampler(RATE)
    sound = np.concatenate(
        [resampler.push(np.clip(mixed, -32768, 32767).astype(np.int16)), resampler.flush()]
    )
    took = []
    for second in range(1, int(seconds) + 1):
        # A buffer that is full begins anew: the plain way at its cheapest.
        first = (second - 1) // 30 * 30
        part = sound[first * ENGINE_RATE : second * ENGINE_RATE]
        began = time.perf_counter()
        list(model.transcribe(part, language="zh", beam_size=beam, initial_prompt=None)[0])
        took.append(time.perf_counter() - began)
    return {
        "load": sum(took) / seconds,
        "run_p50_s": statistics.median(took),
        "run_p95_s": quantile(took, 0.95),
    }


async def capacity(
    pool: EnginePool,
    calls: list[TrueCall],
    seconds: float,
    counts: Sequence[int] = COUNTS,
    p50_s: float = P50_S,
    p95_s: float = P95_S,
) -> tuple[int, list[dict[str, Any]]]:
    """The most calls at once whose texts are still live. Each begins at another place of its sound."""
    best, steps = 0, []
    for count in counts:
        chosen = [
            _turned(call, number * 7.3)
            for number, call in enumerate(itertools.islice(itertools.cycle(calls), count))
        ]
        dropped, busy = pool.state().partials_dropped, pool.stats.busy_s
        batches, stretches = pool.stats.batches, pool.stats.stretches
        began = time.perf_counter()
        heard = await live_run(pool, chosen, seconds)
        steps.append(
            {
                "calls": count,
                "p50_s": round(quantile(heard.latency, 0.5), 3),
                "p95_s": round(quantile(heard.latency, 0.95), 3),
                "utterances": len(heard.latency),
                "partials": heard.partials,
                "partials_dropped": pool.state().partials_dropped - dropped,
                "batch": round((pool.stats.stretches - stretches) / max(1, pool.stats.batches - batches), 2),
                "busy": round((pool.stats.busy_s - busy) / (time.perf_counter() - began), 2),
                "loop_lag_p99_ms": round(1000 * quantile(heard.loop_lag, 0.99), 1),
            }
        )
        print(f"  {steps[-1]}", flush=True)
        if quantile(heard.latency, 0.5) > p50_s or quantile(heard.latency, 0.95) > p95_s:
            break
        best = count
    return best, steps


def _turned(call: TrueCall, seconds: float) -> TrueCall:
    """The same call from another place on, so that not everybody speaks at the same moments."""
    by = int(seconds * RATE)
    return replace(call, sound={side: np.roll(sound, -by) for side, sound in call.sound.items()})


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    calls = load_calls(directory_of(options.calls))
    config = AsrConfig(model=str(options.model), beam_size=options.beam, workers=options.workers)
    cores = os.cpu_count() or 1
    plain = WhisperModel(str(options.model), device="cpu", compute_type="int8", cpu_threads=cores)
    rounds: list[dict[str, Any]] = []
    async with EnginePool(config) as pool:
        await pool.wait_ready(300)
        await live_run(pool, calls[:1], 5.0)
        for number in range(options.rounds):
            call = calls[number % len(calls)]

            def plainly(call: TrueCall = call) -> dict[str, float]:
                return plain_load(plain, call, options.beam, options.seconds)

            before = plainly()
            best, steps = await capacity(pool, calls[number:] + calls[:number], options.seconds)
            after = plainly()
            share = steps[0]["busy"] / options.workers / steps[0]["calls"]
            fits = 1 / min(before["load"], after["load"])
            rounds.append(
                {
                    "live_calls": best,
                    "plain_calls": round(fits, 2),
                    "ratio": round(best / fits, 2),
                    "work_ratio": round(1 / fits / share, 1),
                    "plain_before": {name: round(value, 3) for name, value in before.items()},
                    "plain_after": {name: round(value, 3) for name, value in after.items()},
                    "steps": steps,
                    "load_average": round(os.getloadavg()[0], 2),
                }
            )
            print(
                f"round {number + 1}: {best} live calls, the plain way {fits:.2f}: {best / fits:.1f} times",
                flush=True,
            )
    ratios = [one["ratio"] for one in rounds]
    return {
        "calls": len(calls),
        "cores": cores,
        "model": options.model.name,
        "beam_size": options.beam,
        "workers": options.workers,
        "ratio_median": statistics.median(ratios),
        "ratio_best": max(ratios),
        "ratio_worst": min(ratios),
        "rounds": rounds,
    }


def main(arguments: list[str] | None = None) -> bool:
    """Measure, print, write; whether the bar is met by the median of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--calls", type=Path, help="directory; default: $HOTLINE_EVAL_CALLS, else the demo calls"
    )
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--beam", type=int, default=AsrConfig(model="").beam_size)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=25.0, help="of each call in each step, at most 30")
    parser.add_argument("--workers", type=int, default=usual_workers("cpu", "", os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(arguments)
    result = asyncio.run(measure(options))
    print(json.dumps(result, ensure_ascii=False, indent=1))
    write_json(options.json, result)
    return bool(result["ratio_median"] >= RATIO)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
