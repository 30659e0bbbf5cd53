"""Lengths of time between two instants, whatever the clocks that told them did. Pure."""

import math
from collections.abc import Iterable

LONGEST_S = 7 * 86_400.0
"""Nothing on a call lasts longer: a span beyond it is a clock that was set."""
LAST_INSTANT = 253_402_300_799.0
"""The end of the year 9999: no calendar goes further."""
ROUNDING_S = 2.0
"""A PBX counts its own spans in whole seconds, and begins before it says so."""


def elapsed(since: float, until: float) -> float:
    """Seconds from one to the other; 0.0 where the clock was set meanwhile, so that nobody knows."""
    span = until - since
    return span if 0.0 < span <= LONGEST_S else 0.0


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that lie in at least one of the spans: what runs side by side counts once."""
    total, done = 0.0, -math.inf
    for since, until in sorted(spans):
        if span := elapsed(max(since, done), until):
            total, done = total + span, until
    return total


def measured(told: float, since: float, until: float) -> float:
    """The span that a PBX told, where it agrees with when it began and ended; else the time between."""
    known = elapsed(since, until)
    return told if 0.0 <= told <= known + ROUNDING_S else known
