"""Resample from the telephone rate to the engine's, as a stream, with soxr's band-limited filter."""

from math import ceil, gcd

import numpy as np
import soxr
from numpy.typing import NDArray

from asr.engine import RATE, Samples

_REACH_S = 0.012
"""How far soxr's filter looks to either side."""
_PIECE_S = 0.032
"""As long as a voice activity window: shorter pieces gain nothing."""


class Resampler:
    """Resamples one stretch of one leg. Output sample k is at k / 16000 s of the stretch.

    soxr's own streaming returns its output in lots, 64 ms late on average and up to 115 ms. Here each 32 ms
    piece is resampled by itself, with as much audio on both sides as the filter looks at, and is ready 12 ms
    later. The samples are the same (to -118 dB from 8, 12, 24 or 48 kHz). Piece boundaries do not depend on
    how the input is cut up, so a recording yields bit for bit the same samples as the live audio.
    """

    def __init__(self, rate: int) -> None:
        """Set up for input at `rate` samples per second. Raises ValueError."""
        if not 4_000 <= rate <= 192_000:
            raise ValueError(f"{rate} samples/s is no rate of speech; 4000 to 192000 are")
        self._rate = rate
        self._step = rate // gcd(rate, RATE)
        """Samples after which input and output coincide again."""
        self._reach = ceil(rate * _REACH_S / self._step)
        self._piece = max(1, round(rate * _PIECE_S / self._step))
        """`_piece` and `_reach` are in steps."""
        self._held: Samples = np.zeros(self._reach * self._step, dtype=np.float32)
        """Begins with the samples the filter still looks back at."""
        self._taken = self._given = 0
        """Samples taken in and returned."""

    def push(self, samples: NDArray[np.int16]) -> Samples:
        """Take samples and return what is ready so far; the last milliseconds wait for more."""
        scaled = samples.astype(np.float32) / np.float32(32768)
        if self._rate == RATE:
            return scaled
        self._taken += scaled.size
        return self._run(scaled)

    def flush(self) -> Samples:
        """Return the rest. Nothing may be pushed afterwards."""
        left = ceil(self._taken * RATE / self._rate) - self._given
        return self._run(np.zeros((self._reach + self._piece) * self._step, dtype=np.float32))[:left]

    def _run(self, fresh: Samples) -> Samples:
        held = np.concatenate([self._held, fresh])
        each = RATE * self._step // self._rate
        size, first = (self._piece + 2 * self._reach) * self._step, self._reach * each
        pieces, at = [held[:0]], 0
        while at + size <= held.size:
            whole = soxr.resample(held[at : at + size], self._rate, RATE)
            pieces.append(np.asarray(whole[first : first + self._piece * each], dtype=np.float32))
            at += self._piece * self._step
        self._held = held[at:]
        out = np.concatenate(pieces)
        self._given += out.size
        return out
