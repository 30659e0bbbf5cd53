"""The recogniser's counters, for metrics and benchmarks."""

from bisect import bisect_left
from dataclasses import dataclass, field

LATENCY_BUCKETS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 4.0, 8.0, 16.0, 32.0)
"""Seconds."""


@dataclass
class Histogram:
    """Counts by upper bound, as in Prometheus."""

    bounds: tuple[float, ...] = LATENCY_BUCKETS
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Add a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def mean(self) -> float:
        """The mean of the values; 0 if there are none."""
        return self.total / max(1, sum(self.counts))

    def cumulative(self) -> list[tuple[str, int]]:
        """Return (upper bound, how many were at most that) pairs; the last is for `+Inf`."""
        names = [*(str(bound) for bound in self.bounds), "+Inf"]
        sums, so_far = [], 0
        for count in self.counts:
            so_far += count
            sums.append(so_far)
        return list(zip(names, sums, strict=True))


@dataclass
class Stats:
    """Counters since the start."""

    stretches: int = 0
    """Stretches transcribed, of any kind."""
    batches: int = 0
    audio_s: float = 0.0
    busy_s: float = 0.0
    """Seconds the workers spent computing."""
    workers_lost: int = 0
    ahead: int = 0
    """Stretches requested when silence began, before it was known that the utterance was over."""
    ahead_kept: int = 0
    """How many of these proved to be the whole utterance, so that their text became the final one."""
    latency: Histogram = field(default_factory=Histogram)
    """Seconds from the end of speech to the final text, in live calls."""
    wait: Histogram = field(default_factory=Histogram)
    """Seconds that a live call's final, or likely final, waited for a worker."""
    compute: Histogram = field(default_factory=Histogram)
    """Seconds the worker then computed."""
