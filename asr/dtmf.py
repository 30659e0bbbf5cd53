"""Mask DTMF tones (ITU-T Q.23) in the audio: nobody should hear or store what a caller keys in.

Asterisk already removes keys that arrive as RFC 4733 events; this is for trunks that send tones in band.
Detection follows the limits of Q.24: two tones, one from each group, far above everything else.
"""

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

_LOW = (697.0, 770.0, 852.0, 941.0)
_HIGH = (1209.0, 1336.0, 1477.0, 1633.0)
_BLOCK_S = 0.02
_WINDOW_BLOCKS = 2
"""Each decision looks at two blocks, 40 ms: Q.24's shortest tone."""
_SHARE = 0.85
"""Minimum share of the total power in the two tones. Speech is spread more widely."""
_TWIST = 10.0
"""Maximum power ratio between the two tones (10 dB)."""
_MIN_RMS = 100.0
"""About -50 dB of full scale."""
_QUIET = 250
"""Below this peak a block holds no tone worth masking, so it need not wait for what follows."""


class ToneMask:
    """Masks one stretch of one leg: returns as many samples as it is given, with tones silenced.

    Audio is returned once nothing that follows can make it part of a tone: after 40 ms, or at once in
    silence.
    """

    def __init__(self, rate: int) -> None:
        """Set up the mask for audio at `rate` samples per second."""
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
        """For each held block, whether a window that includes it contained a tone."""
        self._before = False
        """The same for the block just before the held ones."""
        self._given = 0
        """How many held blocks have already been returned; they are kept for the windows they belong to."""

    def push(self, samples: Pcm) -> Pcm:
        """Take the next samples and return those that have been decided."""
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
        # One more block on each side: the first and last moments of a key press do not fill a window.
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
        """Return the rest. Nothing may be pushed afterwards."""
        short = self._block * (_WINDOW_BLOCKS + 1)
        size = self._held.size - self._given * self._block
        rest = self.push(np.zeros(short, dtype=np.int16))
        return rest[:size]

    @staticmethod
    def _decided(last: Pcm) -> int:
        """Count the trailing blocks (rows) that need not wait: those up to the last quiet one."""
        quiet = np.flatnonzero(np.abs(last.astype(np.int32)).max(axis=1) < _QUIET)
        return int(quiet[-1]) + 1 if quiet.size else 0

    def _tones(self, windows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """For each window (row), whether it is a DTMF tone."""
        power = np.mean(np.square(windows * self._taper), axis=1) / self._power
        strength = np.square(np.abs(windows @ self._probes)) * self._scale
        low, high = strength[:, :4].max(axis=1), strength[:, 4:].max(axis=1)
        loud = power > _MIN_RMS**2
        pure = low + high > _SHARE * power
        even = np.maximum(low, high) < _TWIST * np.minimum(low, high)
        return np.asarray(loud & pure & even)
