"""From telephone rate to the engine's: streaming, with soxr's band-limited filter."""

from math import ceil, gcd

import numpy as np
import soxr
from numpy.typing import NDArray

from asr.engine import RATE, Samples

_REACH_S = 0.012
"""How far soxr's filter looks to either side."""


class Resampler:
    """One stretch of one leg. Output sample k is at k / 16000 s of the stretch.

    soxr's own stream gives its output out in lots, 64 ms late on average and up to 115 ms. Here each piece is
    resampled at once, with as much sound on both sides as the filter looks at: the same samples (to -118 dB
    from 8, 16, 24 or 48 kHz), 12 ms late.
    """

    def __init__(self, rate: int) -> None:
        """`rate`: samples per second of the input. Raises ValueError."""
        if not 4_000 <= rate <= 192_000:
            raise ValueError(f"{rate} samples/s is no rate of speech; 4000 to 192000 are")
        self._rate = rate
        self._step = rate // gcd(rate, RATE)
        """Samples after which input and output coincide again."""
        self._reach = ceil(rate * _REACH_S / self._step)
        """In steps."""
        self._held: Samples = np.zeros(self._reach * self._step, dtype=np.float32)
        """Begins with what the filter still looks back at."""
        self._taken = self._given = 0
        """Samples in and out."""

    def push(self, samples: NDArray[np.int16]) -> Samples:
        """What can be given out so far; the last milliseconds wait for more."""
        scaled = samples.astype(np.float32) / np.float32(32768)
        if self._rate == RATE:
            return scaled
        self._taken += scaled.size
        return self._run(scaled)

    def flush(self) -> Samples:
        """The rest. Nothing may be pushed afterwards."""
        left = ceil(self._taken * RATE / self._rate) - self._given
        return self._run(np.zeros((self._reach + 1) * self._step, dtype=np.float32))[:left]

    def _run(self, fresh: Samples) -> Samples:
        held = np.concatenate([self._held, fresh])
        steps = held.size // self._step - 2 * self._reach
        if steps <= 0:
            self._held = held
            return held[:0]
        used = held[: (steps + 2 * self._reach) * self._step]
        each = RATE * self._step // self._rate
        whole = np.asarray(soxr.resample(used, self._rate, RATE), dtype=np.float32)
        out = whole[self._reach * each : (self._reach + steps) * each]
        self._held = held[steps * self._step :]
        self._given += out.size
        return out
