"""The door for the time stamps of a PBX: its clock may be wrong, or set while calls go on. Pure.

A stamp tells better than its arrival when something happened, for events wait in queues. So stamps are
taken, moved by a constant; where that cannot be right any more the constant is found anew. What comes out is
on our own timeline, never in the future and never before what came out last.
"""

import math
from collections.abc import Callable

from domain.spans import LAST_INSTANT

BACK_S = 1.0
"""Stamps of one connection come in order but for threads of the PBX that overtake each other by less."""
AHEAD_S = 2.0
"""So far a PBX may be ahead of us, unsynchronised but not wrong."""
BEHIND_S = 300.0
"""So long an event may have waited for us."""


class EventClock:
    """Translates the stamps of one PBX."""

    def __init__(self, moved: Callable[[float], None] = lambda _: None) -> None:
        """`moved` is told, in seconds, by how much the stamps are moved from now on."""
        self._moved = moved
        self._offset = 0.0
        self._stamp = -math.inf
        self._at = -math.inf

    def begin(self) -> None:
        """A new connection: the PBX's clock is met anew."""
        self._stamp = -math.inf

    def at(self, stamp: float, now: float) -> float:
        """When it happened, by our own clock; `stamp` is 0.0 or no number where the PBX did not say."""
        if not 0.0 < stamp <= LAST_INSTANT:
            at = now
        else:
            first = self._stamp == -math.inf
            back = stamp < self._stamp - BACK_S
            lag = now - stamp - self._offset
            if back or not -AHEAD_S <= lag <= (AHEAD_S if first else BEHIND_S):
                self._anchor(now - stamp)
            self._stamp = stamp
            at = stamp + self._offset
        at = min(at, now)
        # Our own clock goes back only where nothing goes on.
        self._at = max(self._at, at) if self._at <= now + AHEAD_S else at
        return self._at

    def _anchor(self, offset: float) -> None:
        # A clock that is right but for what the way takes is taken as it is.
        offset = 0.0 if -AHEAD_S <= offset <= AHEAD_S else offset
        if offset != self._offset:
            self._offset = offset
            self._moved(offset)
