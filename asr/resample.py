"""From telephone rate to the engine's: streaming, with soxr's band-limited filter."""

import numpy as np
import soxr
from numpy.typing import NDArray

from asr.engine import RATE, Samples


class Resampler:
    """One stretch of one leg. Output sample k is at k / 16000 s of the stretch: soxr takes its delay out."""

    def __init__(self, rate: int) -> None:
        """`rate`: samples per second of the input. Raises ValueError."""
        if not 4_000 <= rate <= 192_000:
            raise ValueError(f"{rate} samples/s is no rate of speech; 4000 to 192000 are")
        self._stream = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="float32")

    def push(self, samples: NDArray[np.int16]) -> Samples:
        """What can be given out so far; the filter keeps the last milliseconds until more comes."""
        return self._run(samples, last=False)

    def flush(self) -> Samples:
        """The rest. Nothing may be pushed afterwards."""
        return self._run(np.zeros(0, dtype=np.int16), last=True)

    def _run(self, samples: NDArray[np.int16], *, last: bool) -> Samples:
        scaled = samples.astype(np.float32) / np.float32(32768)
        if self._stream is None:
            return scaled
        return np.asarray(self._stream.resample_chunk(scaled, last=last), dtype=np.float32)
