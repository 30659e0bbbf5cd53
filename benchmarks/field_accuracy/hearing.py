"""Calls heard by the base model, by the very path recordings take, as the data files keep it.

python -m benchmarks.field_accuracy.hearing DIR     data/recorded.jsonl anew, from DIR/NAME.json with
                                                    NAME-caller.wav and NAME-agent.wav beside it
"""

import argparse
import asyncio
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.answer_hints import AnswerHints
from asr.config import AsrConfig
from asr.engine import EngineRequest
from asr.files import transcribe_span
from asr.pool import EnginePool
from benchmarks.calls import MODEL, RATE, load_calls
from domain.calls import Side
from domain.transcripts import Utterance
from workorders.extraction.people import BEGINNINGS, NAME_QUESTION, name_beginnings

DATA = Path(__file__).parent / "data"


def turn_of(said: Utterance) -> dict[str, Any]:
    """An utterance as a data file keeps it."""
    turn: dict[str, Any] = {
        "speaker": said.side.value,
        "start": round(said.start, 2),
        "end": round(said.end, 2),
        "text": said.text,
        "confidence": round(said.confidence, 3),
    }
    if said.alternatives:
        turn["alternatives"] = [[one.text, float(f"{one.probability:.2g}")] for one in said.alternatives]
    return turn


async def hear(pool: EnginePool, name: str, legs: Mapping[Side, NDArray[np.int16]]) -> list[dict[str, Any]]:
    """Both legs of a call, `RATE` a second, in order of time; the agent's first, as after a call."""
    expecting = AnswerHints(NAME_QUESTION, BEGINNINGS, name_beginnings)

    def wanted(side: Side, begin: float) -> EngineRequest:
        return expecting.request(name, side, begin, EngineRequest())

    heard = []
    for side in (Side.AGENT, Side.CALLER):
        spans = [(0.0, legs[side].size / RATE)]
        found = await transcribe_span(
            pool, legs[side], call_id=name, side=side, offset=0.0, spans=spans, request=partial(wanted, side)
        )
        for said in found:
            expecting.heard(said)
        heard += [turn_of(said) for said in found]
    return sorted(heard, key=lambda said: (said["start"], said["speaker"]))


async def recorded(directory: Path) -> None:
    """Hear the calls of a directory and keep them, with their truth."""
    async with EnginePool(AsrConfig(model=str(MODEL), workers=2, threads=1)) as pool:
        await pool.wait_ready(300)
        with (DATA / "recorded.jsonl").open("w", encoding="utf-8") as file:
            for call in load_calls(directory):
                told = json.loads((directory / f"{call.name}.json").read_text(encoding="utf-8"))
                done = {**told, "heard": await hear(pool, call.name, call.sound)}
                file.write(json.dumps(done, ensure_ascii=False) + "\n")
                print(call.name, flush=True)


def main() -> None:
    """See the module's description."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("calls", type=Path, metavar="DIR")
    asyncio.run(recorded(parser.parse_args().calls))


if __name__ == "__main__":
    main()
