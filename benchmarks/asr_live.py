"""Two live calls at once, in real time: latency and where it comes from, loop lag, accuracy against the file.

    python -m benchmarks.asr_live [--calls DIR] [--model DIR] [--repeat N] [--json FILE]

How many calls a machine hears in time is measured by `benchmarks.asr_capacity`.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from asr.config import AsrConfig, usual_workers
from asr.evaluate import Score, score
from asr.files import transcribe_span
from asr.live import LiveLeg
from asr.pool import EnginePool
from asr.segmenter import Endpointing
from benchmarks.calls import MODEL, RATE, TrueCall, directory_of, load_calls, quantile
from benchmarks.harness import write_json
from domain.calls import Side
from domain.transcripts import Utterance
from gateway.memory import settle

P50_S, P95_S = 1.0, 2.5
"""The latency that counts as live."""
FRAME = 160
POST_ROLL_S = Endpointing().post_roll


@dataclass
class Heard:
    """What one run found."""

    final: dict[tuple[str, Side], list[Utterance]] = field(default_factory=dict)
    latency: list[float] = field(default_factory=list)
    voice_activity: list[float] = field(default_factory=list)
    """Seconds from the end of the voice until the network says so."""
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
    lag = asyncio.create_task(loop_lag(heard.loop_lag))

    async def leg(call: TrueCall, side: Side, number: int) -> None:
        sound = call.sound[side][: int(seconds * RATE) if seconds else None]
        texts = heard.final.setdefault((f"{number}", side), [])
        seen: set[str] = set()

        def now() -> float:
            return time.monotonic() - began

        async def take(said: Utterance, _: Any) -> None:
            texts.append(said)
            ended, seen_at = spoken_after(sound, said)
            heard.latency.append(now() - ended)
            heard.voice_activity.append(seen_at - ended)

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


async def loop_lag(lags: list[float]) -> None:
    """Append how late each 10 ms timer of the event loop is, seconds, until cancelled."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.01)
        lags.append(time.perf_counter() - before - 0.01)


def scores(heard: Heard, calls: list[TrueCall]) -> dict[Side, Score]:
    """Edits against the truth, by side."""
    total = {side: Score(0, 0) for side in Side}
    for number, call in enumerate(calls):
        for side in Side:
            text = "".join(said.text for said in heard.final[str(number), side])
            total[side] += score(call.text[side], text)
    return total


async def offline(pool: EnginePool, calls: list[TrueCall]) -> dict[Side, Score]:
    """The file path on the same sound."""
    total = {side: Score(0, 0) for side in Side}
    for call in calls:
        for side in Side:
            said = await transcribe_span(
                pool, call.sound[side], call_id=call.name, side=side, offset=0.0, spans=[(0.0, call.duration)]
            )
            total[side] += score(call.text[side], "".join(one.text for one in said))
    return total


def spoken_after(sound: Any, said: Utterance) -> tuple[float, float]:
    """(when the voice really stops, when voice activity says so), call time."""
    return end_of_speech(sound, said.start, said.end), said.end - POST_ROLL_S


def seen(heard: Heard) -> dict[str, Any]:
    """Latency and loop lag of a run."""
    return {
        "utterances": len(heard.latency),
        "p50_s": round(quantile(heard.latency, 0.5), 3),
        "p95_s": round(quantile(heard.latency, 0.95), 3),
        "partials": heard.partials,
        "first_partial_p50_s": round(quantile(heard.first_partial, 0.5), 3),
        "loop_lag_p99_ms": round(1000 * quantile(heard.loop_lag, 0.99), 1),
        "loop_lag_max_ms": round(1000 * max(heard.loop_lag), 1),
        "load_average": round(os.getloadavg()[0], 2),
    }


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    calls = load_calls(directory_of(options.calls))
    config = AsrConfig(model=str(options.model), beam_size=options.beam, workers=options.workers)
    result: dict[str, Any] = {
        "calls": len(calls),
        "cores": os.cpu_count(),
        "model": options.model.name,
        "beam_size": options.beam,
        "workers": options.workers,
        "runs": [],
    }
    live = {side: Score(0, 0) for side in Side}
    voice_activity: list[float] = []
    latency: list[float] = []
    async with EnginePool(config) as pool:
        await pool.wait_ready(300)
        settle()  # as `hotline run` does
        for _ in range(options.repeat):
            run = Heard()
            for pair in _pairs(calls):
                heard = await live_run(pool, pair)
                for side, value in scores(heard, pair).items():
                    live[side] += value
                run.latency += heard.latency
                run.loop_lag += heard.loop_lag
                run.first_partial += heard.first_partial
                run.partials += heard.partials
                voice_activity += heard.voice_activity
                latency += heard.latency
            result["runs"].append(seen(run))
            print(f"  {result['runs'][-1]}", flush=True)
        result["where_the_time_goes_s"] = {
            "voice_activity": round(statistics.fmean(voice_activity), 3),
            "silence": POST_ROLL_S,
            "worker_awaited": round(pool.stats.wait.mean, 3),
            "computing": round(pool.stats.compute.mean, 3),
            "all": round(statistics.fmean(latency), 3),
        }
        result["asked_when_silence_began"] = {
            "times": pool.stats.ahead,
            "kept": pool.stats.ahead_kept,
            "finals": len(latency),
        }
        file = await offline(pool, calls)
    for name in ("p50_s", "p95_s", "loop_lag_p99_ms", "loop_lag_max_ms"):
        values = [run[name] for run in result["runs"]]
        result[name] = {"median": statistics.median(values), "best": min(values), "worst": max(values)}
    result["cer"] = {
        side.value: {"live": round(live[side].rate, 4), "offline": round(file[side].rate, 4)} for side in Side
    }
    both = (live[Side.CALLER] + live[Side.AGENT], file[Side.CALLER] + file[Side.AGENT])
    result["cer"]["both"] = {"live": round(both[0].rate, 4), "offline": round(both[1].rate, 4)}
    return result


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
    parser.add_argument("--repeat", type=int, default=3, help="times that all calls are played")
    parser.add_argument("--workers", type=int, default=usual_workers("cpu", "", os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(arguments)
    result = asyncio.run(measure(options))
    print(json.dumps(result, ensure_ascii=False, indent=1))
    write_json(options.json, result)
    cer = result["cer"]["both"]
    return bool(
        result["p50_s"]["median"] <= P50_S
        and result["p95_s"]["median"] <= P95_S
        and cer["live"] <= cer["offline"] + 0.01
    )


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
