"""Keys' tones (DTMF, ITU-T Q.23) taken out of the sound: what a caller types is nobody's to hear or to store.

Asterisk takes keys out of the sound itself where they come as RFC 4733 events; a trunk with tones in band is
the case this is for. Detection follows the limits of Q.24: two tones, one of each group, far above all else.
"""

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

_LOW = (697.0, 770.0, 852.0, 941.0)
_HIGH = (1209.0, 1336.0, 1477.0, 1633.0)
_BLOCK_S = 0.02
_WINDOW_BLOCKS = 2
"""A decision looks at two blocks, 40 ms: Q.24's shortest tone."""
_SHARE = 0.85
"""Of all power, what the two tones have at least. Speech is spread wider."""
_TWIST = 10.0
"""The stronger tone has at most so many times the power of the other (10 dB)."""
_MIN_RMS = 100.0
"""About -50 dB of full scale."""
_QUIET = 250
"""Peak of a block that holds nothing of a tone worth taking out: it need not wait for what follows."""


class ToneMask:
    """One stretch of one leg: as many samples out as in, tones replaced by silence.

    Sound is given out when what follows can no longer make it a tone: 40 ms later, and at once in silence.
    """

    def __init__(self, rate: int) -> None:
        """`rate`: samples per second."""
        self._block = max(1, round(rate * _BLOCK_S))
        size = self._block * _WINDOW_BLOCKS
        at = np.arange(size) / rate
        pitches = np.array(_LOW + _HIGH)
        taper = np.hanning(size + 1)[:-1]
        self._probes = (np.exp(-2j * np.pi * pitches[:, None] * at) * taper).T
        self._taper = taper
        # A tone of amplitude A has power A²/2 and gives |probe| = A/2 · sum(taper).
        self._scale = 2.0 / taper.sum() ** 2
        self._power = float((taper**2).mean())
        self._held: Pcm = np.zeros(0, dtype=np.int16)
        self._masked = np.zeros(0, dtype=bool)
        """Of each held block, whether a tone was found in a window that it belongs to."""
        self._before = False
        """The same of the block before the held ones."""
        self._given = 0
        """Of the held blocks, those already given out; they are held for the windows they belong to."""

    def push(self, samples: Pcm) -> Pcm:
        """The next samples; returns those that are decided on."""
        sound = np.concatenate([self._held, samples])
        blocks = sound.size // self._block
        if blocks < _WINDOW_BLOCKS:
            self._held = sound
            return sound[:0]
        whole = sound[: blocks * self._block].reshape(blocks, self._block)
        masked = np.zeros(blocks, dtype=bool)
        masked[: self._masked.size] = self._masked[:blocks]
        windows = np.concatenate([whole[:-1], whole[1:]], axis=1).astype(np.float64)
        found = self._tones(windows)
        masked[:-1] |= found
        masked[1:] |= found
        # One block more on both sides: a key's first and last moments fill no window.
        wide = masked.copy()
        wide[:-1] |= masked[1:]
        wide[1:] |= masked[:-1]
        wide[0] |= self._before
        kept = blocks - _WINDOW_BLOCKS
        ready = max(kept, self._given, kept + self._decided(whole[kept:]))
        out = np.where(wide[self._given : ready, None], 0, whole[self._given : ready])
        self._held = sound[kept * self._block :]
        self._masked = masked[kept:]
        self._before = bool(masked[kept - 1]) if kept else self._before
        self._given = ready - kept
        return out.astype(np.int16).reshape(-1)

    def flush(self) -> Pcm:
        """The rest. Nothing may be pushed afterwards."""
        short = self._block * (_WINDOW_BLOCKS + 1)
        size = self._held.size - self._given * self._block
        rest = self.push(np.zeros(short, dtype=np.int16))
        return rest[:size]

    @staticmethod
    def _decided(last: Pcm) -> int:
        """How many of the last blocks (rows) need not wait: those up to the last quiet one."""
        quiet = np.flatnonzero(np.abs(last.astype(np.int32)).max(axis=1) < _QUIET)
        return int(quiet[-1]) + 1 if quiet.size else 0

    def _tones(self, windows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Of each window (row), whether it is a key's tone."""
        power = np.mean(np.square(windows * self._taper), axis=1) / self._power
        strength = np.square(np.abs(windows @ self._probes)) * self._scale
        low, high = strength[:, :4].max(axis=1), strength[:, 4:].max(axis=1)
        loud = power > _MIN_RMS**2
        pure = low + high > _SHARE * power
        even = np.maximum(low, high) < _TWIST * np.minimum(low, high)
        return np.asarray(loud & pure & even)
