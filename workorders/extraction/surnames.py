"""Surnames by sound: which is meant by what was heard, how common it is, what tells it apart. Pure.

Signs are weighed as evidence, not as votes: a sign says what was heard where a surname is due, and how
far it may be trusted to be one. How common a surname is counts once.
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
"""How fast a surname loses with every bit its sound differs."""
TONE, LETTER = 1.5, 2.0
"""How much likelier what was heard is with the surname's own tone, and with its own character."""
WRITTEN = 60.0
"""The same for a character of text that was not recognised but written."""
WEIGHED_SHARPNESS, WEIGHED_TONE, WEIGHED_LETTER = 40.0, 1.5, 2.0
"""The same three where the recogniser weighed what it heard: its doubt is in the shares, not in the sound."""
RARER = 250.0
"""Past the first hundred, surnames grow rare faster than words do: so many ranks make one e times rarer."""
_WEIGHED = (WEIGHED_SHARPNESS, WEIGHED_TONE, WEIGHED_LETTER)
READ_AS = {
    "曾": "zeng1", "单": "shan4", "任": "ren2", "解": "xie4", "仇": "qiu2", "华": "hua4",
    "盖": "ge3", "查": "zha1", "覃": "qin2", "朴": "piao2", "缪": "miao4", "翟": "zhai2",
    "尉": "yu4", "区": "ou1", "乐": "yue4", "葛": "ge3", "宁": "ning4", "纪": "ji3",
    "燕": "yan1", "应": "ying1", "卜": "bu3", "冼": "xian3", "种": "chong2", "召": "shao4",
}  # fmt: skip
"""Surnames that are not read as the word is."""
ALSO = {
    "长": "chang2",
    "行": "hang2",
    "朝": "chao2",
    "重": "chong2",
    "乐": "le4",
    "调": "diao4",
    "藏": "zang4",
}
"""Words of two readings, both common: the one pypinyin does not give."""


class Sign(Struct, frozen=True):
    """A surname may have been heard. `heard`: the character, or a compound surname; `trust`: how likely one
    stands there at all. Or words that tell one apart: `told`, the surname, `trust` by their likeness.
    """

    span: Span
    heard: str = ""
    trust: float = 1.0
    told: str = ""
    shares: tuple[tuple[str, float], ...] = ()
    """Instead of `heard`: each character it may have been, with its share of 1."""
    written: bool = False


class Surnames:
    """The list, ready to be asked. Commonness falls with the rank, as word counts do."""

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

    def weigh(self, signs: Iterable[Sign]) -> list[tuple[str, float]]:
        """The likeliest surnames with their probabilities, best first; none for no sign."""
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
        """How much likelier the sign is for each surname than for any."""
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
        """(surname, likeness, start, end) of the words that tell a surname apart."""
        return [
            (self._told[one.index], one.likeness, one.start, one.end)
            for one in self._index.search(text, 0.9, 3)
        ][:1]


def _read(char: str) -> str:
    """Syllable and tone, `wang2`; what makes no sound is a syllable of its own."""
    known = READ_AS.get(char)
    if known:
        return known
    return _toned(lazy_pinyin(char, style=Style.TONE3, neutral_tone_with_five=True)[0])


def _readings(char: str) -> set[str]:
    """How a character heard may have sounded: 单 as the surname it is, and as the word."""
    word = _toned(lazy_pinyin(char, style=Style.TONE3, neutral_tone_with_five=True)[0])
    return {word, READ_AS.get(char, word), ALSO.get(char, word)}


def _toned(syllable: str) -> str:
    return syllable if syllable[-1:].isdigit() else f"{syllable}5"


@lru_cache(maxsize=4)
def _made(reference: "Reference") -> Surnames:
    return Surnames(reference)
