"""What orders that came back (退单) teach about the unit: not that one, this one. Pure.

A lesson is an order that one unit sent back, and that another one took, or is to take. A call about the like
is then less for the one and more for the other, the more alike the two are. Likeness is that of the
classifier: the cosine of weighted characters and groups of characters.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from domain.history import text_of
from domain.order_status import OrderStatus, Step, as_happened
from domain.orders import Order
from workorders.directories.reference import Reference
from workorders.extraction.classifier import Classifier

LIKE_LEAST, LIKE_SURE = 0.3, 0.6
"""From where on two matters have something to do with each other, and are about the same: of pairs of our
written and recorded calls for different units, one in a hundred is as alike as the first, none as the second.
"""
OTHER_PLACE, OTHER_CATEGORY = 0.6, 0.3
"""What another town, or a matter of another category, teaches counts so much less."""
NEAREST = 5
BEFORE = 12
"""Characters in which city and district may stand before a unit's name."""
MAX_LESSONS = 5000
"""The newest are kept."""


class Lesson(Struct, frozen=True):
    """One order that came back. `wrong` and `right` are names of the directory; one of them may be empty."""

    order_id: str
    text: str
    town: str
    category: str
    wrong: str
    right: str
    at: float
    """When it came back."""


class Taught(Struct, frozen=True):
    """How much a call is for a unit, or is not, by what came back; 0..1 each."""

    right: Mapping[str, float] = {}
    wrong: Mapping[str, float] = {}


class Lessons:
    """Read-only, so safe to share between threads."""

    def __init__(self, lessons: Sequence[Lesson], classifier: Classifier) -> None:
        newest = sorted(lessons, key=lambda one: -one.at)[:MAX_LESSONS]
        self._classifier = classifier
        vectors = [(one, classifier.features(one.text)) for one in newest]
        kept = [(one, vector) for one, vector in vectors if len(vector[0])]
        self.lessons = [one for one, _ in kept]
        self._numbers = np.concatenate([vector[0] for _, vector in kept] or [np.zeros(0, np.int64)])
        self._values = np.concatenate([vector[1] for _, vector in kept] or [np.zeros(0, np.float32)])
        sizes = [len(vector[0]) for _, vector in kept]
        self._starts = np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, np.int64)

    def taught(self, text: str, town: str, category: str) -> Taught:
        """What they teach of a matter in that town, of that category; empty: it is not known."""
        if not self.lessons:
            return Taught()
        numbers, values = self._classifier.features(text)
        if not len(numbers):
            return Taught()
        asked = np.zeros(self._classifier.size, np.float32)
        asked[numbers] = values
        alike = np.add.reduceat(self._values * asked[self._numbers], self._starts)
        near: list[tuple[Lesson, float]] = []
        for at in np.argsort(-alike)[:NEAREST]:
            lesson = self.lessons[int(at)]
            sure = min(1.0, (float(alike[at]) - LIKE_LEAST) / (LIKE_SURE - LIKE_LEAST))
            if sure <= 0.0:
                break
            sure *= OTHER_PLACE if _differ(lesson.town, town) else 1.0
            near.append((lesson, sure * (OTHER_CATEGORY if _differ(lesson.category, category) else 1.0)))
        return Taught(_agreed(near, lambda one: one.right), _agreed(near, lambda one: one.wrong))


def _differ(one: str, other: str) -> bool:
    return bool(one and other) and one != other


def _agreed(near: Sequence[tuple[Lesson, float]], unit_of: Callable[[Lesson], str]) -> dict[str, float]:
    """Each unit's weight: of the surest lesson, shared out where lessons do not agree."""
    named = [(unit_of(lesson), sure) for lesson, sure in near if unit_of(lesson)]
    total = sum(sure for _, sure in named)
    most = max((sure for _, sure in named), default=0.0)
    weights: dict[str, float] = {}
    for unit, sure in named:
        weights[unit] = weights.get(unit, 0.0) + most * sure / total
    return weights


def lessons_of(returned: Iterable[tuple[Order, Sequence[OrderStatus]]], reference: Reference) -> list[Lesson]:
    """What these orders teach, each by the last time it came back, and by what was told of it."""
    known = _directory(reference)
    made = (_lesson_of(order, statuses, known) for order, statuses in returned)
    return [one for one in made if one is not None]


def _lesson_of(order: Order, statuses: Sequence[OrderStatus], known: Callable[[str], str]) -> Lesson | None:
    """`known`: a unit's name in the directory."""
    told = as_happened(statuses)
    back = max((at for at, one in enumerate(told) if one.step is Step.RETURNED), default=None)
    if back is None:
        return None
    now = known(text_of(order, "unit"))
    left = known(text_of(order.as_left, "unit"))
    had = next((name for one in told[: back + 1][::-1] if (name := known(one.unit))), "")
    took = next((name for one in told[back + 1 :] if (name := known(one.unit))), "")
    resent = order.submitted_at is not None and order.submitted_at > told[back].at
    wrong = had or ("" if resent else left)
    right = took or (now if now != wrong and (resent or order.sent is not None) else "")
    if wrong == right:
        return None  # nothing is known, or it was theirs after all
    text = "。".join(filter(None, (text_of(order, "title"), text_of(order, "summary"))))
    town, category = text_of(order, "town"), text_of(order, "category")
    return Lesson(order.id, text, town, category, wrong, right, told[back].at)


def _directory(reference: Reference) -> Callable[[str], str]:
    """The name in the directory of a unit by its name or alias, with or without those of city and district
    before it (南通市通州区住建局); empty: it is none of it."""
    names = {alias: one.name for one in reference.units for alias in one.aliases}
    names |= {one.name: one.name for one in reference.units}

    def known(name: str) -> str:
        name = name.strip()
        endings = [name, *(name[at + 1 :] for at in range(min(len(name), BEFORE)) if name[at] in "市县区")]
        return next((names[one] for one in endings if one in names), "")

    return known
