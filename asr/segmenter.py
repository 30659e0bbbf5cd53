"""Endpointing: where utterances begin and end. Pure; counts windows and holds neither audio nor a clock."""

from collections import deque
from dataclasses import dataclass

WINDOW_S = 0.032


@dataclass(frozen=True)
class Endpointing:
    """When speech begins, ends and must be cut. Durations are in seconds."""

    begin: float = 0.5
    """Speech probability at which an utterance begins."""
    stay: float = 0.35
    """Speech probability above which it continues."""
    pre_roll: float = 0.3
    """Kept before the first speech: soft initials (h, f, s) come before the network is sure."""
    post_roll: float = 0.16
    """Kept after the last speech. The text is requested after this much silence."""
    silence: float = 0.5
    """Silence that ends an utterance."""
    minimum: float = 0.1
    """Anything with less speech than this is a click."""
    longest: float = 15.0
    """Maximum length; cut there, at the quietest point of the second half."""


@dataclass(frozen=True)
class Span:
    """The windows [start, end) of an utterance."""

    start: int
    end: int


@dataclass(frozen=True)
class Open:
    """An utterance so far. `settled`: silence has begun; if it lasts, the utterance is exactly `span`.

    `pausing`: the newest window holds no speech, so it will soon settle unless more is said.
    """

    span: Span
    settled: bool
    pausing: bool


def _windows(seconds: float) -> int:
    return max(1, round(seconds / WINDOW_S))


class Segmenter:
    """Takes each window's speech probability and level, and reports completed utterances."""

    def __init__(self, rules: Endpointing | None = None) -> None:
        rules = rules or Endpointing()
        self._begin, self._stay = rules.begin, rules.stay
        self._pre, self._post = _windows(rules.pre_roll), _windows(rules.post_roll)
        self._silence, self._minimum = _windows(rules.silence), _windows(rules.minimum)
        self._longest = _windows(rules.longest)
        self._position = 0
        self._floor = 0
        """Spans do not overlap: the next one begins here or later."""
        self._start: int | None = None
        self._last_speech = 0
        self._speech = 0
        self._levels: deque[float] = deque(maxlen=self._longest)

    @property
    def needed_from(self) -> int:
        """The first window a coming span may still include; audio before it can be discarded."""
        if self._start is not None:
            return self._start
        return max(self._floor, self._position - self._pre)

    @property
    def open(self) -> "Open | None":
        """The utterance being spoken, if any."""
        if self._start is None or self._speech < self._minimum:
            return None
        end = min(self._last_speech + 1 + self._post, self._position)
        silent = self._position - self._last_speech - 1
        return Open(Span(self._start, end), settled=silent >= self._post, pausing=silent > 0)

    def push(self, probability: float, level: float) -> Span | None:
        """Take the next window, with any measure of loudness; return the utterance it completes."""
        here = self._position
        self._position += 1
        self._levels.append(level)
        if self._start is None:
            if probability < self._begin:
                return None
            self._start = max(self._floor, here - self._pre)
            self._last_speech, self._speech = here, 1
            return None
        if probability >= self._stay:
            self._last_speech = here
            self._speech += 1
        elif here - self._last_speech >= self._silence:
            return self._end(min(self._last_speech + 1 + self._post, self._position))
        if self._position - self._start >= self._longest:
            return self._cut()
        return None

    def flush(self) -> Span | None:
        """Return the utterance in progress when the audio ends."""
        if self._start is None:
            return None
        return self._end(min(self._last_speech + 1 + self._post, self._position))

    def _end(self, end: int) -> Span | None:
        start, speech = self._start, self._speech
        assert start is not None
        self._start, self._speech, self._floor = None, 0, end
        return Span(start, end) if speech >= self._minimum else None

    def _cut(self) -> Span:
        """Split an utterance that became too long; the rest continues as a new one."""
        start = self._start
        assert start is not None
        levels = list(self._levels)
        first = self._position - len(levels)
        half = start + self._longest // 2
        cut = min(range(half, self._position - 1), key=lambda at: _around(levels, at - first))
        self._start = self._floor = cut
        self._speech = self._last_speech - cut + 1 if self._last_speech >= cut else 0
        return Span(start, cut)


def _around(levels: list[float], at: int) -> float:
    """Loudness of a window and its neighbours: a pause is longer than one window."""
    near = levels[max(0, at - 2) : at + 3]
    return sum(near) / len(near)
