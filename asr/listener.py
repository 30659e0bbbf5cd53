"""Turn raw telephone audio into utterances: mask DTMF, resample, detect voice, find endpoints.

Both live audio and recordings go through here, so both are heard alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.dtmf import ToneMask
from asr.engine import RATE, Samples
from asr.resample import Resampler
from asr.segmenter import Endpointing, Segmenter, Span
from asr.vad import WINDOW, VoiceActivity


@dataclass(frozen=True)
class Sound:
    """An utterance's audio, not yet transcribed; times are seconds from the start of the stretch."""

    start: float
    end: float
    samples: Samples


@dataclass(frozen=True)
class Preview:
    """An utterance still being spoken. If `settled` and the speaker has finished, this is all of it."""

    sound: Sound
    settled: bool


class Listener:
    """Processes one uninterrupted stretch of one leg. Holds ≤ 15 s. CPU-bound: call it off the event loop."""

    def __init__(self, rate: int, rules: Endpointing | None = None) -> None:
        """Set up for audio at `rate` samples per second. Raises ValueError."""
        self._tones = ToneMask(rate)
        self._resampler = Resampler(rate)
        self._voice = VoiceActivity()
        self._segmenter = Segmenter(rules)
        self._audio: Samples = np.zeros(0, dtype=np.float32)
        self._audio_from = 0
        """Window number of the first sample in `_audio`."""
        self._seen = 0
        """Windows the voice activity network has judged."""

    @property
    def pausing(self) -> bool:
        """Whether an utterance may just have ended."""
        now = self._segmenter.open
        return now is not None and now.pausing

    def push(self, samples: NDArray[np.int16]) -> list[Sound]:
        """Take the next samples and return the utterances they complete."""
        return self._take(self._resampler.push(self._tones.push(samples)))

    def flush(self) -> list[Sound]:
        """End the audio and return what was still open. Nothing may be pushed afterwards."""
        rest = np.concatenate([self._resampler.push(self._tones.flush()), self._resampler.flush()])
        short = -(self._audio.size + rest.size) % WINDOW
        sounds = self._take(np.concatenate([rest, np.zeros(short, dtype=np.float32)]))
        if last := self._segmenter.flush():
            sounds.append(self._sound(last))
        return sounds

    def preview(self, after: float = 0.0, step: float = 1.0) -> Preview | None:
        """Return the current utterance once it has grown by `step` seconds since `after` or gone silent.

        `after` is the end of the last preview, in seconds from the start of the stretch.
        """
        now = self._segmenter.open
        if now is None:
            return None
        end = now.span.end * WINDOW / RATE
        if end <= after:
            return None
        grown = end - max(after, now.span.start * WINDOW / RATE)
        # During a pause, ask only once it has settled: an earlier request would delay that one.
        if not now.settled and (now.pausing or grown < step):
            return None
        return Preview(self._sound(now.span), now.settled)

    def _take(self, fresh: Samples) -> list[Sound]:
        self._audio = np.concatenate([self._audio, fresh])
        begin = (self._seen - self._audio_from) * WINDOW
        count = (self._audio.size - begin) // WINDOW
        windows = self._audio[begin : begin + count * WINDOW]
        levels = np.sqrt(np.mean(np.square(windows.reshape(count, WINDOW)), axis=1)) if count else []
        sounds = []
        for probability, level in zip(self._voice.probabilities(windows), levels, strict=True):
            if span := self._segmenter.push(float(probability), float(level)):
                sounds.append(self._sound(span))
        self._seen += count
        drop = self._segmenter.needed_from - self._audio_from
        if drop > 0:
            self._audio = self._audio[drop * WINDOW :].copy()
            self._audio_from += drop
        return sounds

    def _sound(self, span: Span) -> Sound:
        first, last = ((at - self._audio_from) * WINDOW for at in (span.start, span.end))
        return Sound(span.start * WINDOW / RATE, span.end * WINDOW / RATE, self._audio[first:last].copy())
