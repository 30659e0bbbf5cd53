"""From hang-up to a complete work order, against transcribing the recording after the call.

    python -m benchmarks.asr_order [--calls N] [--json FILE]

The whole gateway on the demo PBX (real AMI, FastAGI, AudioSocket and HTTP on loopback), recorded calls in
real time. Two baselines, on the recordings the gateway took over from the same calls: stock faster-whisper
over each leg of the file, as one would do after a call; and the gateway's own file path, which is what a call
that was not heard live costs.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel

from asr.files import transcribe_span
from asr.resample import Resampler
from benchmarks.calls import MODEL, RATE, quantile
from gateway.embedded import CALLS, run_embedded
from gateway.logs import configure
from gateway.models.call import Side
from gateway.models.facts import AnyFact, CallEnded, OrderChanged
from gateway.models.order import OrderState
from gateway.settings import Settings
from recordings.pcm import read_wav

COMPLETE_S = 2.0
RATIO = 10.0
PATIENCE_S = 240.0


async def measure(count: int, model_directory: Path) -> dict[str, Any]:
    configure("ERROR")
    waits: list[float] = []
    files: list[float] = []
    plain: list[float] = []
    lengths: list[float] = []
    model = WhisperModel(str(model_directory), device="cpu", compute_type="int8")
    with tempfile.TemporaryDirectory() as data:
        settings = Settings(data_dir=Path(data))
        asr = settings.asr.model_copy(update={"model": str(model_directory)})
        web = settings.http.model_copy(update={"port": 0, "stream_port": 0})
        settings = settings.model_copy(update={"asr": asr, "http": web})
        async with run_embedded(settings, kind="demo") as embedded:
            running = embedded.running
            assert running.pool is not None
            await running.pool.wait_ready(300)
            for number in range(count):
                ended: asyncio.Future[tuple[str, float]] = asyncio.get_running_loop().create_future()
                complete: asyncio.Future[float] = asyncio.get_running_loop().create_future()

                def watch(
                    fact: AnyFact,
                    ended: "asyncio.Future[tuple[str, float]]" = ended,
                    complete: "asyncio.Future[float]" = complete,
                ) -> None:
                    if isinstance(fact, CallEnded) and not ended.done():
                        ended.set_result((fact.call.id, time.monotonic()))
                    submitted = isinstance(fact, OrderChanged) and fact.order.state is OrderState.SUBMITTED
                    if submitted and ended.done() and not complete.done():
                        complete.set_result(time.monotonic())

                running.bus.listen(watch)
                await embedded.place(CALLS[number % len(CALLS)])
                call_id, hung_up = await asyncio.wait_for(ended, PATIENCE_S)
                waits.append(await asyncio.wait_for(complete, PATIENCE_S) - hung_up)
                (recording,) = await running.calls.list_recordings(call_id)
                legs = read_wav(Path(data) / "recordings" / recording.path)
                lengths.append(recording.duration)
                began = time.monotonic()
                for side in Side:
                    await transcribe_span(
                        running.pool,
                        legs[side],
                        call_id=call_id,
                        side=side,
                        offset=0.0,
                        spans=[(0.0, recording.duration)],
                    )
                files.append(time.monotonic() - began)
                plain.append(await asyncio.to_thread(_plain, model, legs))
                took = f"file {plain[-1]:.2f} s plain, {files[-1]:.2f} s ours"
                print(f"  call {number + 1}: order {waits[-1]:.2f} s after hang-up; {took}", flush=True)
    minute = 60 / (sum(lengths) / len(lengths))
    p95 = quantile(waits, 0.95)
    return {
        "calls": count,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "order_p50_s": round(quantile(waits, 0.5), 3),
        "order_p95_s": round(p95, 3),
        "file_plain_s_per_60_s_call": round(minute * quantile(plain, 0.5), 2),
        "file_ours_s_per_60_s_call": round(minute * quantile(files, 0.5), 2),
        "ratio_to_plain": round(minute * quantile(plain, 0.5) / quantile(waits, 0.5), 1),
        "ratio_to_own_file_path": round(minute * quantile(files, 0.5) / quantile(waits, 0.5), 1),
    }


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
    parser.add_argument("--calls", type=int, default=6)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(arguments)
    result = asyncio.run(measure(options.calls, options.model))
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return bool(result["order_p95_s"] <= COMPLETE_S and result["ratio_to_plain"] >= RATIO)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
