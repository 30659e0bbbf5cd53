"""Make data/voiced.jsonl anew: written calls spoken by Mandarin voices over a telephone line, and what the
base model heard, by the very path recordings take.

    make voices && python -m benchmarks.field_accuracy.voiced [--count N]

Minutes a dozen calls. Each call and its sound are kept in .cache/voiced when done, so it may be broken off
and begun again; `--again` hears what was spoken once more.
"""

import argparse
import asyncio
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from asr.config import AsrConfig
from asr.pool import EnginePool
from benchmarks.calls import MODEL
from benchmarks.field_accuracy import voices
from benchmarks.field_accuracy.dialogues import dialogues, district
from benchmarks.field_accuracy.hearing import hear
from benchmarks.field_accuracy.voices import Pcm, Speaker, call_sound
from domain.calls import Side

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "voiced"
DATA = Path(__file__).parent / "data" / "voiced.jsonl"
WORLD = 2026
SEEDS = {"a": 41, "b": 42, "c": 43}


def written(count: int) -> Iterator[dict[str, Any]]:
    """`count` calls of each split, in turn."""
    world = district(WORLD)
    splits = [dialogues(count, split, world, seed) for split, seed in SEEDS.items()]
    for several in zip(*splits, strict=True):
        yield from several


@lru_cache(maxsize=1)
def _speaker() -> Speaker:
    return Speaker()


def speak(call: dict[str, Any]) -> tuple[dict[str, Pcm], list[dict[str, Any]]]:
    """Both legs of a call and when each turn was said."""
    return call_sound(call, _speaker(), SEEDS[call["id"][0]])


def spoken(call: dict[str, Any]) -> tuple[dict[str, Pcm], list[dict[str, Any]]]:
    """`speak`, once: what was spoken is kept, so that hearing it anew is cheap."""
    kept = place(call).with_suffix(".npz")
    if not kept.exists():
        legs, turns = speak(call)
        partly = kept.with_suffix(".part")
        with partly.open("wb") as file:
            stored: dict[str, Any] = {**legs, "turns": json.dumps(turns, ensure_ascii=False)}
            np.savez_compressed(file, **stored)
        partly.rename(kept)
    with np.load(kept, allow_pickle=False) as found:
        return {side.value: found[side.value] for side in Side}, json.loads(str(found["turns"]))


def place(call: dict[str, Any]) -> Path:
    """Where a finished call is kept: another text, voice or line, another file."""
    said = json.dumps([[turn["speaker"], turn["text"]] for turn in call["turns"]], ensure_ascii=False)
    made_by = f"{voices.VERSION} {SEEDS} {said}".encode()
    return CACHE / f"{call['id']}-{hashlib.sha256(made_by).hexdigest()[:12]}.json"


async def make(calls: list[dict[str, Any]], jobs: int) -> None:
    """Speak and listen to every call that is not kept yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    config = AsrConfig(model=str(MODEL), workers=1, threads=1)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(jobs) as speakers:
        async with EnginePool(config) as pool:
            await pool.wait_ready(300)
            gate = asyncio.Semaphore(jobs + 1)

            async def one(call: dict[str, Any]) -> None:
                async with gate:
                    legs, turns = await loop.run_in_executor(speakers, spoken, call)
                    heard = await hear(pool, call["id"], {side: legs[side.value] for side in Side})
                    done = {**call, "turns": turns, "heard": heard, "duration_s": turns[-1]["end"]}
                    place(call).write_text(json.dumps(done, ensure_ascii=False), encoding="utf-8")
                    print(call["id"], flush=True)

            await asyncio.gather(*(one(call) for call in calls if not place(call).exists()))


def main() -> None:
    """See the module's description."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="calls of each split")
    parser.add_argument("--jobs", type=int, default=2, help="calls spoken at once")
    parser.add_argument("--gather", action="store_true", help="write what is kept, make nothing")
    parser.add_argument("--again", action="store_true", help="hear all calls once more")
    given = parser.parse_args()
    calls = list(written(given.count))
    if given.again:
        for call in calls:
            place(call).unlink(missing_ok=True)
    if not given.gather:
        asyncio.run(make(calls, given.jobs))
    kept = sorted((one for one in calls if place(one).exists()), key=lambda one: str(one["id"]))
    with DATA.open("w", encoding="utf-8") as file:
        for one in kept:
            done = json.loads(place(one).read_text(encoding="utf-8"))
            file.write(json.dumps({**done, "truth": one["truth"]}, ensure_ascii=False) + "\n")
    print(f"{len(kept)} of {len(calls)} calls in {DATA}")


if __name__ == "__main__":
    main()
