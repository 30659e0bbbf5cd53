"""Map a rule's stated confidence to how often it is right. Pure.

`data/calibration.json`, made by benchmarks/field_accuracy, holds points of a rising line (stated → measured)
per field. A field without points keeps the stated value.
"""

import json
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

CERTAIN = 0.99
"""The confidence of a rule that is completely sure, however rarely it was measured."""
TABLE = Path(__file__).parents[1] / "data" / "calibration.json"


@lru_cache(maxsize=1)
def _table() -> dict[str, list[tuple[float, float]]]:
    if not TABLE.exists():
        return {}
    data = json.loads(TABLE.read_text(encoding="utf-8"))
    return {name: [(float(a), float(b)) for a, b in points] for name, points in data["fields"].items()}


def calibrated(name: str, stated: float) -> float:
    """How often a field of this name is right when its rule states `stated`; 0..1."""
    points = _table().get(name)
    if not points:
        return stated
    if stated <= points[0][0]:
        return round(points[0][1] * stated / max(points[0][0], 0.01), 3)
    for (a, low), (b, high) in pairwise(points):
        if stated <= b:
            return round(low + (high - low) * (stated - a) / max(b - a, 1e-9), 3)
    (a, low), high = points[-1], max(points[-1][1], CERTAIN)
    return round(low + (high - low) * (min(stated, 1.0) - a) / max(1.0 - a, 1e-9), 3)
