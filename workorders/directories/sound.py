"""Find names by sound: match recognised text against lists of thousands of names, fast. Pure.

It works in two steps. First, a bound for all names at once: a name cannot match better than the mean of the
best similarity each of its syllables has anywhere in the text. Then, for the few names that pass, the best
alignment with any part of the text, where syllables may be lost or added. Syllables are weighted by how
distinctive they are: 村 and 有限公司 count little, rare ones much.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from workorders.directories.syllables import INVENTORY, sounds

LOST, ADDED = 0.9, 0.55
"""Cost of a syllable of the name that was not heard, and of one heard that is not part of the name."""


class Heard(Struct, frozen=True):
    """A match: characters `start` to `end` of the text sound like the name by `likeness` (0..1).

    `telling` says how much that means, roughly in bits: long and rare names say more. `exact`: spelt the
    same.
    """

    index: int
    name: str
    start: int
    end: int
    likeness: float
    telling: float
    exact: bool = False


class SoundIndex:
    """A searchable list of names."""

    def __init__(self, names: Sequence[str], *, floor: float = 0.12) -> None:
        """Build the index. `floor` is the least weight of a syllable, relative to the name's heaviest one."""
        self.names = tuple(names)
        self.search = lru_cache(maxsize=1024)(self._search)
        """`search(text, least, limit=20)`: names at least this similar to part of the text, best first.

        Cached because earlier utterances do not change: a growing transcript costs only its new utterance.
        """
        spelt = [sounds(name)[0] for name in self.names]
        seen = Counter(number for syllables in spelt for number in {int(one) for one in syllables})
        total = len(spelt) + 1
        by_length: dict[int, list[int]] = defaultdict(list)
        for index, syllables in enumerate(spelt):
            if len(syllables):
                by_length[len(syllables)].append(index)
        self._groups = []
        for members in by_length.values():
            syllables = np.array([spelt[index] for index in members], np.int32)
            weights = np.array(
                [[0.15 + np.log(total / seen[int(one)]) for one in spelt[index]] for index in members]
            )
            # In a short list every syllable is rare, so cap the weight: syllables are common in speech all
            # the same.
            weights = np.minimum(weights, 5.0)
            weights = np.maximum(weights, floor * weights.max(axis=1, keepdims=True))
            self._groups.append((np.array(members), syllables, weights, weights.sum(axis=1)))

    def _search(self, text: str, least: float, limit: int = 20) -> list[Heard]:
        heard, where = sounds(text)
        if not len(heard) or not self.names:
            return []
        matrix = INVENTORY.matrix
        best = matrix[:, heard].max(axis=1)
        found: list[Heard] = []
        for members, syllables, weights, total in self._groups:
            bound = np.maximum(best[syllables], 1 - LOST)
            passing = np.flatnonzero((bound * weights).sum(axis=1) >= least * total)
            if not len(passing):
                continue
            share = weights[passing] / total[passing, None]
            costs, starts, ends = _align(matrix[syllables[passing][:, :, None], heard[None, None, :]], share)
            for row in np.flatnonzero(1 - costs >= least):
                index = int(members[passing[row]])
                start, end = int(where[starts[row]]), int(where[ends[row]]) + 1
                alike = float(1 - costs[row])
                telling = float(total[passing[row]]) * max(0.0, alike - 0.45) / 0.55
                found.append(Heard(index, self.names[index], start, end, alike, telling))
        found.sort(key=lambda one: (-one.telling, -one.likeness))
        return [self._checked(one, text) for one in found[:limit]]

    def _checked(self, heard: Heard, text: str) -> Heard:
        at = text.find(heard.name)
        if at < 0:
            return heard
        return Heard(heard.index, heard.name, at, at + len(heard.name), 1.0, heard.telling, exact=True)


def syllables_alike(one: str, other: str) -> float:
    """How similar two single characters sound; 0 if either has no sound."""
    a, b = sounds(one)[0], sounds(other)[0]
    return float(INVENTORY.matrix[int(a[0]), int(b[0])]) if len(a) and len(b) else 0.0


Numbers = npt.NDArray[np.float64]


def _align(
    alike: npt.NDArray[np.float32], share: Numbers
) -> tuple[Numbers, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Align each name with its best part of the text; return (cost, first, last syllable heard) per name.

    `alike`: (names, syllables of the name, syllables heard). `share`: the weights of a name's syllables,
    which sum to 1.
    """
    names, length, width = alike.shape
    cost = np.zeros((names, width + 1))
    start = np.tile(np.arange(width + 1), (names, 1))
    mean = 1.0 / length
    for step in range(length):
        weight = share[:, step, None]
        matched = cost[:, :-1] + weight * (1 - alike[:, step, :])
        lost = cost + weight * LOST
        here = lost.copy()
        came = start.copy()
        better = matched < here[:, 1:]
        here[:, 1:] = np.where(better, matched, here[:, 1:])
        came[:, 1:] = np.where(better, start[:, :-1], came[:, 1:])
        if step > 0:
            # One extra syllable may stand between two of the name's.
            added = here[:, :-1] + ADDED * mean
            better = added < here[:, 1:]
            here[:, 1:] = np.where(better, added, here[:, 1:])
            came[:, 1:] = np.where(better, came[:, :-1], came[:, 1:])
        cost, start = here, came
    ends = cost[:, 1:].argmin(axis=1)
    rows = np.arange(names)
    first = np.minimum(start[rows, ends + 1], ends)
    return cost[rows, ends + 1], first, ends
