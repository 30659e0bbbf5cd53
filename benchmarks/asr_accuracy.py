"""Character error rate of the live path against the file path, on the same sound.

    python -m benchmarks.asr_accuracy [--calls DIR] [--model DIR] [--beam N] [--json FILE]

On the calls that ship it is the second half of `make eval`, and writes its figures into docs.

The live path is fed faster than real time here: the same frames, the same steps, the same text. How fast the
text comes is measured by `benchmarks.asr_live`.
"""

import argparse
import asyncio
import os
import time
from pathlib import Path
from typing import Any

from asr.config import AsrConfig, usual_workers
from asr.evaluate import Score, score
from asr.files import transcribe_span
from asr.live import LiveLeg
from asr.pool import EnginePool
from benchmarks.calls import MODEL, RATE, SHIPPED, TrueCall, directory_of, load_calls
from benchmarks.figures import put_figures
from benchmarks.harness import write_json
from domain.calls import Side
from domain.transcripts import Utterance

BAR = 0.01
"""Live may be worse by so much: one point."""
_FRAME = 160


async def live_text(pool: EnginePool, call: TrueCall, side: Side) -> str:
    """What the live path hears of one leg."""
    said: list[Utterance] = []
    now = 0.0

    async def take(utterance: Utterance, _: Any) -> None:
        said.append(utterance)

    leg = LiveLeg(pool, call.name, side, lambda: now, take)
    sound = call.sound[side]
    for at in range(0, sound.size, _FRAME):
        frame = sound[at : at + _FRAME]
        now += frame.size / RATE
        leg.feed(frame.astype("<i2").tobytes(), RATE)
        if at % (100 * _FRAME) == 0:
            await asyncio.sleep(0)
    await leg.close()
    return "".join(one.text for one in said)


async def file_text(pool: EnginePool, call: TrueCall, side: Side) -> str:
    """What the file path hears of one leg."""
    spans = [(0.0, call.duration)]
    said = await transcribe_span(
        pool, call.sound[side], call_id=call.name, side=side, offset=0.0, spans=spans
    )
    return "".join(one.text for one in said)


async def measure(calls: list[TrueCall], model: Path, beam: int, workers: int) -> dict[str, Any]:
    """Rates by side and call, and the real-time factor of the file path."""
    by_call: dict[str, dict[str, dict[str, float]]] = {}
    totals: dict[str, dict[str, Score]] = {}
    took = 0.0
    async with EnginePool(AsrConfig(model=str(model), beam_size=beam, workers=workers)) as pool:
        await pool.wait_ready(300)
        for call in calls:
            both = {"live": Score(0, 0), "offline": Score(0, 0)}
            for side in Side:
                live = score(call.text[side], await live_text(pool, call, side))
                began = time.perf_counter()
                offline = score(call.text[side], await file_text(pool, call, side))
                took += time.perf_counter() - began
                by_call.setdefault(call.name, {})[side.value] = {
                    "live": round(live.rate, 4),
                    "offline": round(offline.rate, 4),
                }
                both["live"] += live
                both["offline"] += offline
                for place in (side.value, "both"):
                    sums = totals.setdefault(place, {"live": Score(0, 0), "offline": Score(0, 0)})
                    sums["live"] += live
                    sums["offline"] += offline
            by_call[call.name]["both"] = {path: round(one.rate, 4) for path, one in both.items()}
    audio = sum(sound.size / RATE for call in calls for sound in call.sound.values())
    cer = {place: {path: round(one.rate, 4) for path, one in sums.items()} for place, sums in totals.items()}
    return {
        "model": model.name,
        "beam_size": beam,
        "calls": len(calls),
        "cer": cer,
        "by_call": by_call,
        "real_time_factor": round(took / audio, 4),
        "met": cer["both"]["live"] <= cer["both"]["offline"] + BAR,
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "| call | caller, live | caller, file | agent, live | agent, file | both, live | both, file |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in [*result["by_call"].items(), ("**all**", result["cer"])]:
        places = (*(side.value for side in Side), "both")
        cells = [f"{row[place][path]:.3f}" for place in places for path in ("live", "offline")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    told = "met" if result["met"] else "NOT MET"
    return "\n".join(
        [
            *lines,
            "",
            f"{result['model']}, beam {result['beam_size']}; live at most {BAR:g} above file: {told}.",
        ]
    )


def main(arguments: list[str] | None = None) -> bool:
    """Measure, print, write; whether the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=Path, help="default: $HOTLINE_EVAL_CALLS, else the demo calls")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--beam", type=int, default=AsrConfig(model="").beam_size)
    parser.add_argument("--workers", type=int, default=usual_workers("cpu", "", os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(arguments)
    directory = directory_of(options.calls)
    result = asyncio.run(measure(load_calls(directory), options.model, options.beam, options.workers))
    print(table(result))
    print(f"real-time factor {result['real_time_factor']}")
    if directory == SHIPPED:
        put_figures("hearing", "Character error rate, live and from the file", result, table(result))
    write_json(options.json, result)
    return bool(result["met"])


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
