"""The time by which calls, agents and their timers live: it never goes back, and never jumps.

The machine's clock may be set while calls go on. What happens is dated by this one instead: it runs evenly
from the start of the process and follows the machine's clock slowly, so that a span is off by 5 % at most.
"""

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

SLEW = 0.05
"""Seconds by which it nears the machine's clock in each second."""
STEP_S = 5.0
"""Where the two differ by more, the machine's clock was set: the log says so once."""


def _wall() -> float:
    return time.time()


def _steady() -> float:
    """Seconds that pass whatever is set, and also while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class HouseClock:
    """`now()` is POSIX seconds."""

    def __init__(self, wall: Callable[[], float] = _wall, steady: Callable[[], float] = _steady) -> None:
        self._wall, self._steady = wall, steady
        self._at, self._seen = wall(), steady()
        self._told = False

    def now(self) -> float:
        """The time now: never less than before."""
        seen = self._steady()
        passed, self._seen = max(0.0, seen - self._seen), seen
        self._at += passed
        off = self.off
        self._tell(off)
        self._at += max(-SLEW * passed, min(off, SLEW * passed))
        return self._at

    @property
    def off(self) -> float:
        """By how much the machine's clock is ahead, in seconds."""
        return self._wall() - self._at

    @property
    def was_set(self) -> bool:
        """Whether the machine's clock was set, and this one has not followed yet."""
        return abs(self.off) > STEP_S

    def settle(self) -> float:
        """Follow the machine's clock at once, where nothing goes on; return by how much, in seconds."""
        off = self.off
        self._at += off
        self._told = False
        log.info("clock_followed", by_s=round(off, 1))
        return off

    def _tell(self, off: float) -> None:
        if abs(off) > STEP_S and not self._told:
            note = "calls keep their times; it is followed slowly, and at once when no call goes on"
            log.warning("clock_was_set", by_s=round(off, 1), note=note)
        self._told = abs(off) > STEP_S


HOUSE = HouseClock()
now = HOUSE.now
