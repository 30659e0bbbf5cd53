"""Surnames by sound: which are meant by a character, how common each is, how callers tell them apart.
Pure.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from workorders.sound import SoundIndex
from workorders.syllables import INVENTORY, sounds

if TYPE_CHECKING:
    from workorders.reference import Reference

SHARPNESS = 9.0
"""How fast a surname loses with every bit its sound differs."""


class Surnames:
    """The list, ready to be asked. Commonness falls with the rank, as word counts do."""

    def __init__(self, reference: "Reference") -> None:
        self.known = frozenset(reference.surnames)
        self._names = reference.surnames
        self._prior = np.array([-0.8 * np.log(rank + 12) for rank in range(len(self._names))])
        self._first = np.array([int(sounds(name)[0][0]) for name in self._names])
        told = [(name, word) for name, words in reference.surname_words.items() for word in words]
        # Both ways of telling: 陆地的陆, and 耳东陈.
        phrases = [(name, f"{word}的{name}") for name, word in told]
        phrases += [(name, f"{word}{name}") for name, word in told if name not in word]
        self._told = [name for name, _ in phrases]
        self._index = SoundIndex([phrase for _, phrase in phrases])

    @classmethod
    def of(cls, reference: "Reference") -> "Surnames":
        """The one of a reference; made once."""
        return _made(reference)

    def head(self, name: str) -> str:
        """The surname a full name begins with, as written."""
        return name[:2] if name[:2] in self.known and len(name) > 1 else name[:1]

    @lru_cache(maxsize=2000)  # noqa: B019 - one instance for each reference, as long-lived as the process
    def meant(self, char: str) -> tuple[tuple[str, float], ...]:
        """Surnames that may be meant by what was written, with shares that sum up to 1."""
        if char in self.known:
            # Written as a surname it most likely is that one; a commoner one of the same sound may be meant.
            rest = tuple((name, share * 0.2) for name, share in self._by_sound(char) if name != char)
            return ((char, 1.0 - sum(share for _, share in rest)), *rest)
        return self._by_sound(char)

    def _by_sound(self, char: str) -> tuple[tuple[str, float], ...]:
        heard = sounds(char)[0]
        if not len(heard):
            return ()
        alike = INVENTORY.matrix[int(heard[0]), self._first]
        score = self._prior + SHARPNESS * np.log(np.maximum(alike, 0.01))
        best = np.argsort(-score)[:4]
        share = np.exp(score[best] - score[best].max())
        share /= share.sum()
        return tuple(
            (self._names[int(at)], float(part))
            for at, part in zip(best, share, strict=True)
            if alike[int(at)] > 0.6
        )

    def told_apart(self, text: str) -> list[tuple[str, float, int, int]]:
        """(surname, likeness, start, end) of the words that tell a surname apart."""
        return [
            (self._told[one.index], one.likeness, one.start, one.end)
            for one in self._index.search(text, 0.88, 3)
        ][:1]


@lru_cache(maxsize=4)
def _made(reference: "Reference") -> Surnames:
    return Surnames(reference)
