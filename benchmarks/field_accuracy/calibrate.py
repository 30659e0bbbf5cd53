"""From what rules state to how often they are right, measured on split a. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.field_accuracy.score import Tally

FITTED = ("request_type", "town", "village", "unit", "category", "caller_name")
"""Telephone numbers keep what their rules state: too sure is worse than not sure enough."""
LEAST = 30


def calibration(tallies: Iterable[tuple[Tally, int]], made_from: str) -> Mapping[str, Any]:
    """Points (stated, measured) a field, rising, from uncalibrated tallies, each counting so many times."""
    stated: dict[str, list[tuple[float, bool]]] = {}
    for one, times in tallies:
        for name in FITTED:
            stated.setdefault(name, []).extend(one.stated[name] * times)
    return {
        "made_from": made_from,
        "fields": {name: points(values) for name, values in stated.items() if len(values) >= LEAST},
    }


def points(values: Sequence[tuple[float, bool]], bins: int = 7, prior: float = 4.0) -> list[list[float]]:
    """A rising line through (mean stated, share right) of equal parts of the values; few values trust the
    stated.
    """
    ordered = sorted(values)
    size = max(12, len(ordered) // bins)
    parts = [ordered[at : at + size] for at in range(0, len(ordered), size)]
    rows: list[list[float]] = []
    for part in parts:
        mean = sum(one for one, _ in part) / len(part)
        share = (sum(right for _, right in part) + prior * mean) / (len(part) + prior)
        rows.append([mean, share, float(len(part))])
    # Pool neighbours until the line rises.
    at = 0
    while at + 1 < len(rows):
        if rows[at][1] > rows[at + 1][1] or rows[at + 1][0] - rows[at][0] < 0.01:
            (a, p, n), (b, q, m) = rows[at], rows.pop(at + 1)
            rows[at] = [(a * n + b * m) / (n + m), (p * n + q * m) / (n + m), n + m]
            at = max(0, at - 1)
        else:
            at += 1
    return [[round(a, 3), round(p, 3)] for a, p, _ in rows]
