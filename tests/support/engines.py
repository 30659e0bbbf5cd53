"""Real engines for the pool's tests; they run in a worker process and do what the sound tells them."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr.config import AsrConfig
from asr.engine import EngineError, EngineJob, EngineSegment
from domain.transcripts import Alternative

ECHO, CRASH, HANG, RAISE, CRASH_ONCE, SLOW = 0.0, 0.25, 0.5, 0.75, 1.0, 0.125
"""First sample of a sound, and what the engine does with it."""


class Obedient:
    """Says how long the sound was; `config.model` is a file it makes when it has crashed once.

    `missing`: it refuses to start; a path that ends in `late`: it dies at its first start.
    """

    def __init__(self, config: AsrConfig) -> None:
        if config.model == "missing":
            raise EngineError("the model is not there; fetch it")
        if config.model.endswith("late") and not os.path.exists(config.model):  # noqa: PTH110
            open(config.model, "w").close()  # noqa: PTH123
            os._exit(11)
        self._mark = config.model

    def transcribe(self, batch: Sequence[EngineJob]) -> list[list[EngineSegment]]:
        return [self._one(job, len(batch)) for job in batch]

    def _one(self, job: EngineJob, together: int) -> list[EngineSegment]:
        samples = job.samples
        order = float(samples[0])
        if order == CRASH or (order == CRASH_ONCE and not os.path.exists(self._mark)):  # noqa: PTH110
            open(self._mark, "w").close()  # noqa: PTH123
            os._exit(11)
        if order == HANG:
            time.sleep(600)
        if order == RAISE:
            raise ValueError("cannot read this")
        if order == SLOW:
            time.sleep(0.3)
        print("libraries write to stdout")
        seconds = samples.size / 16_000
        text = f"{job.request.hotwords}{os.getpid()} {seconds:.2f} {together}"
        return [EngineSegment(0.0, seconds, text, 0.5)] if np.isfinite(samples).all() else []


class Loud:
    """Says how long the sound was. `config.model`: `loud`; `short`: nothing where it is longer than four
    seconds; a path: crashes once, in the second stretch, and makes that file.
    """

    def __init__(self, config: AsrConfig) -> None:
        self._model = config.model
        self._stretches = 0

    def transcribe(self, batch: Sequence[EngineJob]) -> list[list[EngineSegment]]:
        return [self._one(job) for job in batch]

    def _one(self, job: EngineJob) -> list[EngineSegment]:
        self._stretches += 1
        seconds = job.samples.size / 16_000
        if self._model == "short" and seconds > 4:
            return []
        if "/" in self._model and self._stretches == 2 and not Path(self._model).exists():
            Path(self._model).touch()
            os._exit(11)
        return [EngineSegment(0.0, seconds, f"说了{seconds:.2f}秒", 0.5)]


HOSTILE = ("a\x00b", "\x1b[31m红", "\u202e倒", "路\u2028灯", "长" * 100_000, "\x07", "=1+1", "")


class Hostile:
    """Says what nobody says, with probabilities that are none."""

    def __init__(self, config: AsrConfig) -> None:
        pass

    def transcribe(self, batch: Sequence[EngineJob]) -> list[list[EngineSegment]]:
        odd = (float("nan"), float("inf"), -1.0, 7.0)
        alternatives = tuple(Alternative(text, odd[n % 4]) for n, text in enumerate(HOSTILE))
        return [
            [
                EngineSegment(odd[n % 4], odd[n % 3], text, odd[n % 4], alternatives)
                for n, text in enumerate(HOSTILE)
            ]
            for _ in batch
        ]
