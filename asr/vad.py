"""Voice activity detection: the Silero network shipped with faster-whisper, run once per window."""

from typing import Any

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

from asr.engine import Samples

WINDOW = 512
"""Samples per decision: 32 ms at 16 kHz."""
_CONTEXT = 64
"""Samples of the preceding window that the network also sees."""


class VoiceActivity:
    """Detects speech in one stretch of one leg. State is kept between calls, so each sample is seen once."""

    def __init__(self) -> None:
        self._session: Any = get_vad_model().session
        self._hidden = np.zeros((1, 1, 128), dtype=np.float32)
        self._cell = np.zeros((1, 1, 128), dtype=np.float32)
        self._context = np.zeros(_CONTEXT, dtype=np.float32)

    def probabilities(self, windows: Samples) -> NDArray[np.float32]:
        """Return each window's probability of speech, 0..1. `windows`: shape (n * 512,), in sequence."""
        count, rest = divmod(windows.size, WINDOW)
        if rest:
            raise ValueError(f"{windows.size} samples are no whole number of windows of {WINDOW}")
        if not count:
            return np.zeros(0, dtype=np.float32)
        rows = windows.reshape(count, WINDOW)
        contexts = np.concatenate([self._context[None, :], rows[:-1, -_CONTEXT:]])
        self._context = rows[-1, -_CONTEXT:].copy()
        result, self._hidden, self._cell = self._session.run(
            None, {"input": np.concatenate([contexts, rows], 1), "h": self._hidden, "c": self._cell}
        )
        return np.asarray(result, dtype=np.float32).reshape(-1)
