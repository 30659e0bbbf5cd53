"""Stretches of call time as lists of (start, end) in seconds: pure arithmetic."""

Spans = list[tuple[float, float]]

SLIVER_S = 0.3
"""Shorter than any word, so not worth transcribing."""


def add(spans: Spans, start: float, end: float) -> None:
    """Append to `spans` in place; a stretch that touches the last one extends it."""
    start = max(0.0, start)
    if end <= start:
        return
    if spans and start <= spans[-1][1] + 0.01:
        spans[-1] = (min(spans[-1][0], start), max(spans[-1][1], end))
    else:
        spans.append((start, end))


def merged(spans: Spans) -> Spans:
    """Return the same stretches in order, each once: those that touch are joined."""
    joined: Spans = []
    for start, end in sorted(spans):
        add(joined, start, end)
    return joined


def subtract(spans: Spans, heard: Spans) -> Spans:
    """Return what `heard` does not cover of `spans`, in order, without slivers. Neither need be sorted."""
    left: Spans = []
    taken = merged(heard)
    for start, end in merged(spans):
        at = start
        for begin, stop in taken:
            if stop <= at or begin >= end:
                continue
            left.append((at, begin))
            at = stop
        left.append((at, end))
    return [(start, end) for start, end in left if end - start >= SLIVER_S]
