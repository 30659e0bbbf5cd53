"""How soon texts come on a machine of its own, told on any machine: call time and computing time added.

    python -m benchmarks.asr_parts [--calls DIR] [--model DIR] [--json FILE]

When an utterance's text is asked for, and when the utterance is over, are counted in the sound's own time:
voice activity, margin, windows, resampling and the gathering of frames. Computing is the process's own time
on one core. The text is there when both are done. Waiting for a worker, the network, and a neighbour on the
core are not in it; `benchmarks.asr_live` measures what comes of all together.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from asr.config import AsrConfig
from asr.engine import Engine, EngineJob
from asr.faster_whisper_engine import FasterWhisperEngine
from asr.listener import Listener
from asr.live import GATHER_S, PAUSE_GATHER_S
from benchmarks.asr_live import FRAME, P50_S, P95_S, end_of_speech
from benchmarks.calls import MODEL, RATE, directory_of, load_calls, quantile
from benchmarks.harness import write_json


def parts(engine: Engine, sound: Any) -> list[dict[str, float]]:
    """Of each utterance of a leg: seconds from the end of the voice until it is asked for, over, there."""
    listener, found = Listener(RATE), []
    asked: dict[tuple[float, float], float] = {}
    lot: list[Any] = []
    next_lot = 0.0
    for at in range(0, sound.size, FRAME):
        lot.append(sound[at : at + FRAME])
        now = (at + lot[-1].size) / RATE
        if now < next_lot:
            continue
        for said in listener.push(np.concatenate(lot)):
            ended = end_of_speech(sound, said.start, said.end)
            began = time.process_time()
            engine.transcribe([EngineJob(said.samples)])
            took = time.process_time() - began
            begun = asked.get((said.start, said.end), now)
            found.append(
                {
                    "asked": begun - ended,
                    "over": now - ended,
                    "computing": took,
                    "text": max(now, begun + took) - ended,
                }
            )
        lot = []
        preview = listener.preview(step=float("inf"))
        if preview is not None and preview.settled:
            asked.setdefault((preview.sound.start, preview.sound.end), now)
        next_lot = now + (PAUSE_GATHER_S if listener.pausing else GATHER_S) - 1e-6
    return found


def main(arguments: list[str] | None = None) -> bool:
    """Measure, print, write; whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=Path, help="default: $HOTLINE_EVAL_CALLS, else the demo calls")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(arguments)
    engine = FasterWhisperEngine(AsrConfig(model=str(options.model), threads=1))
    calls = load_calls(directory_of(options.calls))
    found = [one for call in calls for sound in call.sound.values() for one in parts(engine, sound)]
    result: dict[str, Any] = {"utterances": len(found), "load_average": round(os.getloadavg()[0], 2)}
    for name in ("asked", "over", "computing", "text"):
        values = [one[name] for one in found]
        result[name] = {
            "p50_s": round(quantile(values, 0.5), 3),
            "p95_s": round(quantile(values, 0.95), 3),
        }
    print(json.dumps(result, indent=1))
    write_json(options.json, result)
    return bool(result["text"]["p50_s"] <= P50_S and result["text"]["p95_s"] <= P95_S)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
