"""Place live audio in call time: a pure account of frames, late bursts and gaps."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")

GAP_S = 0.5
"""Anything later is either a gap or a burst after a stall; time will tell."""
PATIENCE_S = 1.0
"""How long frames must stay late to count as a gap."""


@dataclass(frozen=True)
class Placed(Generic[T]):
    """A frame and, if it begins a new stretch, the call time of its first sample."""

    frame: T
    start: float | None = None


class Timeline(Generic[T]):
    """Joins frames seamlessly unless they come late and stay late.

    If the network or the gateway stalls, frames come late but then catch up in a burst: they are kept in
    place. After a real gap (hold, a lost ChanSpy channel) they never catch up, so a new stretch begins.
    Frames that come early (faster than real time) are joined too.
    """

    def __init__(self) -> None:
        self._next: float | None = None
        self._held: list[tuple[T, float, float]] = []
        """Undecided frames: frame, duration, and when it would have begun if not late."""
        self._since = 0.0

    def place(self, frame: T, duration: float, now: float) -> list[Placed[T]]:
        """Place the next frame, `duration` seconds long, whose last sample came at call time `now`."""
        began = now - duration
        if self._next is None:
            self._next = began + duration
            return [Placed(frame, began)]
        expected = self._next + sum(item[1] for item in self._held)
        if not self._held:
            self._since = now
        self._held.append((frame, duration, began))
        if began - expected <= GAP_S:
            return self._release(self._next)
        return self.flush() if now - self._since >= PATIENCE_S else []

    def flush(self) -> list[Placed[T]]:
        """Decide on the held frames: they follow a gap."""
        if not self._held:
            return []
        before = accumulate((item[1] for item in self._held[:-1]), initial=0.0)
        start = min(item[2] - earlier for item, earlier in zip(self._held, before, strict=True))
        return self._release(start)

    def _release(self, start: float) -> list[Placed[T]]:
        held, self._held = self._held, []
        first = None if start == self._next else start
        self._next = start + sum(item[1] for item in held)
        return [Placed(item[0], first if at == 0 else None) for at, item in enumerate(held)]
