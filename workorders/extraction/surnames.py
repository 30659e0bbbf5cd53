"""Surnames by sound: which one is likely, given what was heard and how common it is. Pure.

Signs are weighed as evidence, not counted as votes: a sign says what was heard where a surname is expected,
and how far it can be trusted to be one. How common a surname is counts once.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from pypinyin import Style, lazy_pinyin

from workorders.directories.sound import SoundIndex
from workorders.directories.syllables import INVENTORY
from workorders.extraction.spoken import Span

if TYPE_CHECKING:
    from workorders.directories.reference import Reference

SHARPNESS = 10.0
"""How fast a surname loses likelihood as its sound differs."""
TONE, LETTER = 1.5, 2.0
"""How much likelier the text becomes if the surname has the same tone, and the same character."""
WRITTEN = 60.0
"""The latter for text that was typed rather than recognised."""
WEIGHED_SHARPNESS, WEIGHED_TONE, WEIGHED_LETTER = 40.0, 1.5, 2.0
"""The same three for weighed alternatives, where doubt is in the shares rather than in the sound."""
RARER = 250.0
"""Beyond the first hundred, surnames thin out faster than words: this many ranks make one e times rarer."""
_WEIGHED = (WEIGHED_SHARPNESS, WEIGHED_TONE, WEIGHED_LETTER)
READ_AS = {
    "曾": "zeng1", "单": "shan4", "任": "ren2", "解": "xie4", "仇": "qiu2", "华": "hua4",
    "盖": "ge3", "查": "zha1", "覃": "qin2", "朴": "piao2", "缪": "miao4", "翟": "zhai2",
    "尉": "yu4", "区": "ou1", "乐": "yue4", "葛": "ge3", "宁": "ning4", "纪": "ji3",
    "燕": "yan1", "应": "ying1", "卜": "bu3", "冼": "xian3", "种": "chong2", "召": "shao4",
}  # fmt: skip
"""Surnames pronounced differently from the word."""
ALSO = {
    "长": "chang2",
    "行": "hang2",
    "朝": "chao2",
    "重": "chong2",
    "乐": "le4",
    "调": "diao4",
    "藏": "zang4",
}
"""Characters with two common readings: the one pypinyin does not return."""


class Sign(Struct, frozen=True):
    """A sign that a surname was heard.

    `heard` is the character or compound surname, `trust` the probability that it is a surname at all. For
    words that distinguish a surname (陆地的陆), `told` is that surname and `trust` reflects how well the
    words match.
    """

    span: Span
    heard: str = ""
    trust: float = 1.0
    told: str = ""
    shares: tuple[tuple[str, float], ...] = ()
    """Instead of `heard`: the characters it may have been, with shares that sum to 1."""
    written: bool = False


class Surnames:
    """The list of surnames, ready to query. Frequency falls with the rank, as word counts do."""

    def __init__(self, reference: "Reference") -> None:
        self.known = frozenset(reference.surnames)
        self._names = reference.surnames
        self._at = {name: at for at, name in enumerate(self._names)}
        prior = np.array([-0.8 * np.log(rank + 25) - rank / RARER for rank in range(len(self._names))])
        self._prior = prior - np.log(np.exp(prior).sum())
        read = [_read(name[0]) for name in self._names]
        self._first = np.array([INVENTORY.number(one[:-1]) for one in read])
        self._tone = np.array([int(one[-1]) for one in read])
        self._compound = np.array([len(name) > 1 for name in self._names])
        told = [(name, word) for name, words in reference.surname_words.items() for word in words]
        # Both ways to distinguish one: 陆地的陆, and 耳东陈.
        phrases = [(name, f"{word}的{name}") for name, word in told]
        phrases += [(name, f"{word}{name}") for name, word in told if name not in word]
        self._told = [name for name, _ in phrases]
        self._index = SoundIndex([phrase for _, phrase in phrases])

    @classmethod
    def of(cls, reference: "Reference") -> "Surnames":
        """Return the surnames of a reference; built once."""
        return _made(reference)

    def head(self, name: str) -> str:
        """Return the surname a full name begins with, as written."""
        return name[:2] if name[:2] in self.known and len(name) > 1 else name[:1]

    def weigh(self, signs: Iterable[Sign]) -> list[tuple[str, float]]:
        """Return the likeliest surnames with their probabilities, best first; none without signs."""
        score = self._prior.copy()
        any_ = False
        for sign in signs:
            any_ = True
            score += np.log(1 - sign.trust + sign.trust * self._likelihood(sign))
        if not any_:
            return []
        share = np.exp(score - score.max())
        share /= share.sum()
        best = np.argsort(-share)[:4]
        return [(self._names[int(at)], float(share[at])) for at in best if share[at] > 0.01]

    def _likelihood(self, sign: Sign) -> npt.NDArray[np.float64]:
        """How much likelier the sign is for each surname than on average."""
        if sign.told:
            likely = np.full(len(self._names), 0.02)
            likely[self._at[sign.told]] = 300.0
            return likely
        if sign.shares:
            parts = [share * self._heard(heard, *_WEIGHED) for heard, share in sign.shares]
            mixed: npt.NDArray[np.float64] = np.sum(parts, axis=0)
            return mixed
        return self._heard(sign.heard, SHARPNESS, TONE, WRITTEN if sign.written else LETTER)

    @lru_cache(maxsize=2000)  # noqa: B019 - one instance for each reference, as long-lived as the process
    def _heard(self, heard: str, sharpness: float, tone: float, letter: float) -> npt.NDArray[np.float64]:
        sounding = [self._sounding(read, sharpness, tone) for read in sorted(_readings(heard[0]))]
        likely = np.max(sounding, axis=0)
        likely[self._compound] *= 0.05
        if heard in self._at:
            likely[self._at[heard]] *= letter
            if len(heard) > 1:
                likely[self._at[heard]] *= 1000
        mean = float((likely * np.exp(self._prior)).sum())
        weighed: npt.NDArray[np.float64] = likely / max(mean, 1e-6)
        return weighed

    def _sounding(self, read: str, sharpness: float, tone: float) -> npt.NDArray[np.float64]:
        alike = INVENTORY.matrix[INVENTORY.number(read[:-1]), self._first].astype(np.float64)
        likely: npt.NDArray[np.float64] = np.maximum(alike, 0.05) ** sharpness
        likely[self._tone == int(read[-1])] *= tone
        return likely

    def told_apart(self, text: str) -> list[tuple[str, float, int, int]]:
        """Find words that distinguish a surname: (surname, likeness, start, end)."""
        return [
            (self._told[one.index], one.likeness, one.start, one.end)
            for one in self._index.search(text, 0.9, 3)
        ][:1]


def _read(char: str) -> str:
    """Return syllable and tone, such as `wang2`; what has no sound is a syllable of its own."""
    known = READ_AS.get(char)
    if known:
        return known
    return _toned(lazy_pinyin(char, style=Style.TONE3, neutral_tone_with_five=True)[0])


def _readings(char: str) -> set[str]:
    """Return how a heard character may have sounded: 单 as a surname, and as a word."""
    word = _toned(lazy_pinyin(char, style=Style.TONE3, neutral_tone_with_five=True)[0])
    return {word, READ_AS.get(char, word), ALSO.get(char, word)}


def _toned(syllable: str) -> str:
    return syllable if syllable[-1:].isdigit() else f"{syllable}5"


@lru_cache(maxsize=4)
def _made(reference: "Reference") -> Surnames:
    return Surnames(reference)
