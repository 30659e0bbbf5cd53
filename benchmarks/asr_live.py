"""Live listening in real time: accuracy against offline, latency, capacity against the plain way, loop lag.

    python -m benchmarks.asr_live [--calls DIR] [--model DIR] [--json FILE] [--seconds N]

The plain way, for comparison, runs Whisper over a growing buffer (at most 30 s) every second: one buffer a
call, both voices mixed, which spares it half the work. Same model, same beam, same machine, same run.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel

from asr.config import AsrConfig, usual_workers
from asr.engine import RATE as ENGINE_RATE
from asr.evaluate import Score, score
from asr.files import transcribe_span
from asr.live import LiveLeg
from asr.pool import EnginePool
from asr.resample import Resampler
from benchmarks.calls import MODEL, RATE, TrueCall, directory_of, load_calls, quantile
from gateway.models.call import Side
from gateway.models.transcript import Utterance

P50_S, P95_S = 1.0, 2.5
"""The latency that counts as live."""
COUNTS = (2, 4, 6, 8, 10, 12, 16, 20, 24)
RATIO = 3.0
"""So many times the plain way's calls."""
FRAME = 160


@dataclass
class Heard:
    """What one run found."""

    final: dict[tuple[str, Side], list[Utterance]] = field(default_factory=dict)
    latency: list[float] = field(default_factory=list)
    partials: int = 0
    first_partial: list[float] = field(default_factory=list)
    loop_lag: list[float] = field(default_factory=list)


def end_of_speech(sound: Any, start: float, end: float) -> float:
    """When the voice really stops within [start, end): the last 20 ms above a tenth of its loudness.

    Taken from the sound itself, so that neither endpointing nor margins flatter the latency.
    """
    part = sound[int(start * RATE) : int(end * RATE)].astype(np.float64)
    frames = part[: part.size // FRAME * FRAME].reshape(-1, FRAME)
    level = np.sqrt(np.mean(np.square(frames), axis=1))
    if not level.size:
        return end
    last = int(np.nonzero(level >= 0.1 * level.max())[0][-1])
    return start + (last + 1) * FRAME / RATE


async def live_run(pool: EnginePool, calls: list[TrueCall], seconds: float | None = None) -> Heard:
    """Play the calls at once, in real time, frame by frame."""
    heard = Heard()
    began = time.monotonic()
    lag = asyncio.create_task(_loop_lag(heard))

    async def leg(call: TrueCall, side: Side, number: int) -> None:
        sound = call.sound[side][: int(seconds * RATE) if seconds else None]
        texts = heard.final.setdefault((f"{number}", side), [])
        seen: set[str] = set()

        def now() -> float:
            return time.monotonic() - began

        async def take(said: Utterance, _: Any) -> None:
            texts.append(said)
            heard.latency.append(now() - end_of_speech(sound, said.start, said.end))

        def partial(said: Utterance) -> None:
            heard.partials += 1
            if said.id not in seen:
                seen.add(said.id)
                heard.first_partial.append(now() - said.start)

        live = LiveLeg(pool, f"bench-{number}", side, now, take, on_partial=partial)
        for at in range(0, sound.size, FRAME):
            frame = sound[at : at + FRAME]
            due = (at + frame.size) / RATE
            if (wait := due - now()) > 0:
                await asyncio.sleep(wait)
            live.feed(frame.astype("<i2").tobytes(), RATE)
        await live.close()

    await asyncio.gather(*(leg(call, side, number) for number, call in enumerate(calls) for side in Side))
    lag.cancel()
    return heard


async def _loop_lag(heard: Heard) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.01)
        heard.loop_lag.append(time.perf_counter() - before - 0.01)


def scores(heard: Heard, calls: list[TrueCall]) -> dict[Side, Score]:
    """Edits against the truth, by side."""
    total = {side: Score(0, 0) for side in Side}
    for number, call in enumerate(calls):
        for side in Side:
            text = "".join(said.text for said in heard.final[str(number), side])
            total[side] += score(call.text[side], text)
    return total


async def offline(pool: EnginePool, calls: list[TrueCall]) -> tuple[dict[Side, Score], list[float]]:
    """The file path on the same sound; seconds it took for each call."""
    total = {side: Score(0, 0) for side in Side}
    took = []
    for call in calls:
        began = time.perf_counter()
        for side in Side:
            said = await transcribe_span(
                pool, call.sound[side], call_id=call.name, side=side, offset=0.0, spans=[(0.0, call.duration)]
            )
            total[side] += score(call.text[side], "".join(one.text for one in said))
        took.append(time.perf_counter() - began)
    return total, took


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


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    calls = load_calls(directory_of(options.calls))
    config = AsrConfig(model=str(options.model), beam_size=options.beam, workers=options.workers)
    result: dict[str, Any] = {
        "calls": len(calls),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "model": options.model.name,
        "beam_size": options.beam,
        "workers": options.workers,
    }
    model = WhisperModel(
        str(options.model), device="cpu", compute_type="int8", cpu_threads=os.cpu_count() or 1
    )
    plain = plain_load(model, calls[0], options.beam, min(30.0, options.seconds))
    del model
    result["plain"] = {name: round(value, 3) for name, value in plain.items()}
    print(f"the plain way, one call: {result['plain']}", flush=True)
    async with EnginePool(config) as pool:
        await pool.wait_ready(300)
        two = Heard()
        live = {side: Score(0, 0) for side in Side}
        for pair in _pairs(calls):
            heard = await live_run(pool, pair)
            for side, value in scores(heard, pair).items():
                live[side] += value
            two.latency += heard.latency
            two.loop_lag += heard.loop_lag
            two.first_partial += heard.first_partial
            two.partials += heard.partials
        file, took = await offline(pool, calls)
        result["two_calls"] = {
            "utterances": len(two.latency),
            "p50_s": round(quantile(two.latency, 0.5), 3),
            "p95_s": round(quantile(two.latency, 0.95), 3),
            "partials": two.partials,
            "first_partial_p50_s": round(quantile(two.first_partial, 0.5), 3),
            "loop_lag_p99_ms": round(1000 * quantile(two.loop_lag, 0.99), 1),
            "loop_lag_max_ms": round(1000 * max(two.loop_lag), 1),
        }
        result["cer"] = {
            side.value: {"live": round(live[side].rate, 4), "offline": round(file[side].rate, 4)}
            for side in Side
        }
        both = (live[Side.CALLER] + live[Side.AGENT], file[Side.CALLER] + file[Side.AGENT])
        result["cer"]["both"] = {"live": round(both[0].rate, 4), "offline": round(both[1].rate, 4)}
        result["offline_s_per_call_minute"] = round(60 * sum(took) / sum(call.duration for call in calls), 2)
        print(json.dumps(result, ensure_ascii=False), flush=True)
        if not options.no_capacity:
            best, steps = await capacity(pool, calls, options.seconds)
            # A call fits the plain way as long as its runs, one a second, leave time for the next call's.
            plain_calls = 1 / plain["load"] if plain["load"] else float("inf")
            result["capacity"] = {
                "live_calls": best,
                "plain_calls": round(plain_calls, 2),
                "ratio": round(best / plain_calls, 1),
                "steps": steps,
            }
    result["load_after"] = round(os.getloadavg()[0], 2)
    return result


def _turned(call: TrueCall, seconds: float) -> TrueCall:
    """The same call from another place on, so that not everybody speaks at the same moments."""
    by = int(seconds * RATE)
    return replace(call, sound={side: np.roll(sound, -by) for side, sound in call.sound.items()})


def _pairs(calls: list[TrueCall]) -> list[list[TrueCall]]:
    return [calls[at : at + 2] for at in range(0, len(calls), 2)]


def main(arguments: list[str] | None = None) -> bool:
    """Measure, print, write; whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--calls", type=Path, help="directory; default: $HOTLINE_EVAL_CALLS, else the demo calls"
    )
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--beam", type=int, default=AsrConfig(model="").beam_size)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each call in the capacity steps")
    parser.add_argument("--no-capacity", action="store_true")
    parser.add_argument("--workers", type=int, default=usual_workers("cpu", "", os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(arguments)
    result = asyncio.run(measure(options))
    text = json.dumps(result, ensure_ascii=False, indent=1)
    print(text)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(text + "\n", encoding="utf-8")
    two, cer = result["two_calls"], result["cer"]["both"]
    return bool(
        two["p50_s"] <= P50_S
        and two["p95_s"] <= P95_S
        and cer["live"] <= cer["offline"] + 0.01
        and ("capacity" not in result or result["capacity"]["ratio"] >= RATIO)
    )


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
