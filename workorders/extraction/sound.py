"""Matching by sound: what the recogniser wrote against what somebody may have said. Pure.

A name is a sequence of syllables in pinyin, tones dropped, and with the distinctions dropped that telephone
speech and the local accent do not keep: zh/z, ch/c, sh/s, l/n, f/h, -ng/-n.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct
from pypinyin import Style, lazy_pinyin
from rapidfuzz.distance import Levenshtein

_INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("l", "n"), ("f", "h"))


@lru_cache(maxsize=20000)
def _blurred(syllable: str) -> str:
    for distinct, common in _INITIALS:
        if syllable.startswith(distinct):
            syllable = common + syllable[len(distinct) :]
            break
    return syllable.removesuffix("g") if syllable.endswith("ng") else syllable


@lru_cache(maxsize=20000)
def syllables(text: str) -> tuple[str, ...]:
    """One blurred syllable for each character; a character without a reading stands for itself."""
    return tuple(
        _blurred(one) for character in text for one in lazy_pinyin(character, style=Style.NORMAL)[:1]
    )


class Heard(Struct, frozen=True):
    """A name found by sound at characters `start` to `end`; `likeness` 0..1."""

    name: str
    start: int
    end: int
    likeness: float


def likeness(one: Sequence[str], other: Sequence[str]) -> float:
    """How alike two syllable sequences sound: mean over the better alignment, 1 for the same."""
    if len(one) != len(other):
        return Levenshtein.normalized_similarity(one, other)
    return sum(Levenshtein.normalized_similarity(a, b) for a, b in zip(one, other, strict=True)) / len(one)


def search(text: str, names: Iterable[str], least: float) -> list[Heard]:
    """The names that sound somewhere in the text at least so alike; best first."""
    heard = syllables(text)
    if len(heard) != len(text):
        return []
    found = []
    for name in names:
        wanted = syllables(name)
        width = len(wanted)
        best: Heard | None = None
        for start in range(len(heard) - width + 1):
            alike = likeness(heard[start : start + width], wanted)
            if alike >= least and (best is None or alike > best.likeness):
                best = Heard(name, start, start + width, alike)
        if best is not None:
            found.append(best)
    return sorted(found, key=lambda one: (-one.likeness, -len(one.name)))
