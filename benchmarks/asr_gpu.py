"""Concurrent live calls on a CUDA device: how many have their text within a second (p95).

    python -m benchmarks.asr_gpu [--model DIR|NAME] [--calls DIR] [--batch N] [--json FILE]

Real calls in real time through the gateway's own listening, the utterances of all calls computed together.
The baseline in the same run is the same pool with one utterance at a time. Without a CUDA device it says so.
"""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import ctranslate2

from asr.config import AsrConfig
from asr.pool import EnginePool
from benchmarks.asr_capacity import capacity
from benchmarks.calls import MODEL, directory_of, load_calls
from benchmarks.harness import write_json

P95_S = 1.0
COUNTS = (4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    calls = load_calls(directory_of(options.calls))
    result: dict[str, Any] = {"model": Path(options.model).name, "compute_type": options.compute_type}
    for name, batch in (("one_at_a_time", 1), ("batched", options.batch)):
        config = AsrConfig(
            model=options.model,
            device="cuda",
            compute_type=options.compute_type,
            batch=batch,
            beam_size=options.beam,
            full_window=options.full_window,
        )
        print(f"{name} (at most {batch} utterances together)", flush=True)
        async with EnginePool(config) as pool:
            await pool.wait_ready(600)
            best, steps = await capacity(pool, calls, options.seconds, COUNTS, P95_S, P95_S)
        result[name] = {"batch": batch, "live_calls": best, "steps": steps}
    one, many = result["one_at_a_time"]["live_calls"], result["batched"]["live_calls"]
    result["ratio"] = round(many / one, 1) if one else None
    return result


def main(arguments: list[str] | None = None) -> bool:
    """Measure, print, write; true also where there is nothing to measure on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--calls", type=Path, help="directory; default: $HOTLINE_EVAL_CALLS, else the demo calls"
    )
    parser.add_argument("--model", default=str(MODEL), help="a directory or a hub name, e.g. large-v3-turbo")
    parser.add_argument("--compute-type", default="float16")
    parser.add_argument("--batch", type=int, default=AsrConfig(model="", device="cuda").batch_size)
    parser.add_argument("--beam", type=int, default=AsrConfig(model="").beam_size)
    parser.add_argument("--full-window", action="store_true", help="Whisper's whole 30 s for every utterance")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each call, in each step")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(arguments)
    if not ctranslate2.get_cuda_device_count():
        print("SKIPPED: no CUDA device here; run this on a machine that has one")
        return True
    result = asyncio.run(measure(options))
    print(json.dumps(result, indent=1))
    print(
        f"{result['batched']['live_calls']} concurrent live calls at p95 <= {P95_S:g} s"
        f" ({result['one_at_a_time']['live_calls']} with one utterance at a time)"
    )
    write_json(options.json, result)
    return bool(result["batched"]["live_calls"])


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
