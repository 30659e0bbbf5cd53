"""Ids for facts."""

import itertools
import secrets


class FactIds:
    """Ids for facts: 31 random bits for this run, then a counter, so that no two runs share one."""

    def __init__(self) -> None:
        self._run = secrets.randbits(31) << 32
        self._counter = itertools.count()

    def next(self) -> int:
        """A new id; positive, of at most 63 bits."""
        return self._run | (next(self._counter) & 0xFFFFFFFF)
