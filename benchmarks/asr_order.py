"""From hang-up to a complete work order, against transcribing the recording after the call.

    python -m benchmarks.asr_order [--calls N] [--together N] [--json FILE]

The whole gateway on the demo PBX (real AMI, FastAGI, AudioSocket and HTTP on loopback), recorded calls in
real time, the lag of the event loop watched. Two baselines, on the recordings the gateway took over from the
same calls: stock faster-whisper over each leg of the file, as one would do after a call; and the gateway's
own file path, which is what a call that was not heard live costs.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel

from asr.files import transcribe_span
from asr.pool import EnginePool
from asr.resample import Resampler
from benchmarks.asr_live import loop_lag
from benchmarks.calls import MODEL, RATE, quantile
from benchmarks.harness import write_json
from domain.calls import Side
from domain.facts import AnyFact, CallEnded, OrderChanged
from domain.orders import OrderState
from gateway.logs import configure
from gateway.memory import settle
from gateway.settings import Settings
from gateway.standalone import CALLS, run_standalone
from recordings.pcm import read_wav

COMPLETE_S = 2.0
RATIO = 10.0
PATIENCE_S = 240.0


@dataclass
class Finished:
    """A call that is over: when it was hung up, and when its order was complete (monotonic seconds)."""

    hung_up: float = 0.0
    complete: float = 0.0


async def measure(count: int, together: int, baselines: int, model_directory: Path) -> dict[str, Any]:
    configure("ERROR")
    finished: dict[str, Finished] = {}
    files: list[float] = []
    plain: list[float] = []
    lengths: list[float] = []
    lags: list[float] = []
    loads: list[float] = []
    done = asyncio.Condition()
    model = WhisperModel(str(model_directory), device="cpu", compute_type="int8")
    with tempfile.TemporaryDirectory() as data:
        settings = Settings(data_dir=Path(data))
        asr = settings.asr.model_copy(update={"model": str(model_directory)})
        web = settings.http.model_copy(update={"port": 0, "stream_port": 0})
        settings = settings.model_copy(update={"asr": asr, "http": web})
        async with run_standalone(settings, kind="demo") as standalone:
            running = standalone.running
            pool = running.pool
            assert pool is not None
            await pool.wait_ready(300)
            settle()  # as `hotline run` does

            async def tell() -> None:
                async with done:
                    done.notify_all()

            def watch(fact: AnyFact) -> None:
                if isinstance(fact, CallEnded):
                    finished.setdefault(fact.call.id, Finished()).hung_up = time.monotonic()
                elif isinstance(fact, OrderChanged) and fact.order.state is OrderState.SUBMITTED:
                    one = finished.setdefault(fact.order.call_id, Finished())
                    one.complete = one.complete or time.monotonic()
                    telling.append(asyncio.ensure_future(tell()))

            telling: list[asyncio.Future[None]] = []
            running.bus.listen(watch)
            for number in range(0, count, together):
                wanted = min(count, number + together)
                before = set(finished)
                watching = asyncio.create_task(loop_lag(lags))
                for at in range(number, wanted):
                    await standalone.place(CALLS[at % len(CALLS)])
                async with asyncio.timeout(PATIENCE_S), done:
                    while sum(one.complete > 0 for one in finished.values()) < wanted:
                        await done.wait()
                watching.cancel()
                loads.append(os.getloadavg()[0])
                for call_id in sorted(set(finished) - before):
                    one = finished[call_id]
                    wait = one.complete - one.hung_up
                    if len(plain) >= baselines:
                        print(f"  order {wait:.2f} s after hang-up", flush=True)
                        continue
                    (recording,) = await running.calls.list_recordings(call_id)
                    legs = read_wav(Path(data) / "recordings" / recording.path)
                    lengths.append(recording.duration)
                    files.append(await _ours(pool, call_id, legs, recording.duration))
                    plain.append(await asyncio.to_thread(_plain, model, legs))
                    took = f"file {plain[-1]:.2f} s plain, {files[-1]:.2f} s ours"
                    print(f"  order {wait:.2f} s after hang-up; {took}", flush=True)
    waits = [one.complete - one.hung_up for one in finished.values()]
    minute = 60 / (sum(lengths) / len(lengths))
    return {
        "calls": len(waits),
        "together": together,
        "cores": os.cpu_count(),
        "load_average": [round(min(loads), 2), round(max(loads), 2)],
        "order_p50_s": round(quantile(waits, 0.5), 3),
        "order_p95_s": round(quantile(waits, 0.95), 3),
        "order_max_s": round(max(waits), 3),
        "file_plain_s_per_60_s_call": round(minute * quantile(plain, 0.5), 2),
        "file_ours_s_per_60_s_call": round(minute * quantile(files, 0.5), 2),
        "ratio_to_plain": round(minute * quantile(plain, 0.5) / quantile(waits, 0.5), 1),
        "ratio_to_own_file_path": round(minute * quantile(files, 0.5) / quantile(waits, 0.5), 1),
        "loop_lag_p99_ms": round(1000 * quantile(lags, 0.99), 1),
        "loop_lag_p999_ms": round(1000 * quantile(lags, 0.999), 1),
        "loop_lag_max_ms": round(1000 * max(lags), 1),
    }


async def _ours(pool: EnginePool, call_id: str, legs: dict[Side, Any], duration: float) -> float:
    """Seconds that the gateway's own file path takes for both legs."""
    began = time.monotonic()
    for side in Side:
        await transcribe_span(
            pool, legs[side], call_id=call_id, side=side, offset=0.0, spans=[(0.0, duration)]
        )
    return time.monotonic() - began


def _plain(model: WhisperModel, legs: dict[Side, Any]) -> float:
    """Seconds that stock faster-whisper takes for both legs, with its defaults."""
    began = time.monotonic()
    for samples in legs.values():
        resampler = Resampler(RATE)
        sound = np.concatenate([resampler.push(samples), resampler.flush()])
        list(model.transcribe(sound, language="zh")[0])
    return time.monotonic() - began


def main(arguments: list[str] | None = None) -> bool:
    """Measure, print, write; whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=12)
    parser.add_argument("--together", type=int, default=2, help="calls at a time")
    parser.add_argument("--baselines", type=int, default=4, help="recordings they are measured on")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(arguments)
    result = asyncio.run(measure(options.calls, options.together, options.baselines, options.model))
    print(json.dumps(result, indent=1))
    write_json(options.json, result)
    return bool(result["order_p95_s"] <= COMPLETE_S and result["ratio_to_plain"] >= RATIO)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
