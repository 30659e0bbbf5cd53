"""Mandarin syllables as numbers, and how easily telephone speech confuses them. Pure.

A syllable is an initial and a final (medial, nucleus, coda). The similarity of two syllables is 1 if they are
the same, near 1 if telephone lines and accents blur the difference (zh/z, ch/c, sh/s, n/l, f/h, r/l, -n/-ng),
and lower for other differences. Tones are dropped: they are what recognisers get wrong first.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pypinyin import Style, lazy_pinyin

_INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcs")
_CLOSE = {
    "zh z": 0.95, "ch c": 0.95, "sh s": 0.95, "n l": 0.9, "f h": 0.8, "r l": 0.75, "zh ch": 0.6, "z c": 0.6,
    "z ch": 0.55, "zh c": 0.55, "sh ch": 0.5, "s c": 0.5, "sh zh": 0.4, "sh x": 0.65, "s x": 0.65,
    "ch q": 0.6,
    "c q": 0.55, "zh j": 0.6, "z j": 0.55, "j q": 0.65, "j x": 0.55, "q x": 0.65, "b p": 0.7, "d t": 0.7,
    "g k": 0.7,
    "g h": 0.45, "k h": 0.55, "m n": 0.55, "m b": 0.4, "b d": 0.4, "p t": 0.4, "g d": 0.4, "k t": 0.4,
    "r zh": 0.4,
    "sh f": 0.35, "h x": 0.45, "n r": 0.4, "m  ": 0.35, "n  ": 0.4, "l  ": 0.35, "r  ": 0.5, "h  ": 0.45,
    "g  ": 0.3,
    "k h g": 0.3, "x  ": 0.3, "j  ": 0.3, "b f": 0.3, "d l": 0.4, "d n": 0.35, "z s": 0.45, "d j": 0.3,
    "t q": 0.3,
    "f p": 0.4, "f b": 0.35,
}  # fmt: skip
_ZERO = {
    "yi": "i", "ya": "ia", "yo": "o", "ye": "ie", "yai": "ai", "yao": "iao", "you": "iou", "yan": "ian",
    "yin": "in",
    "yang": "iang", "ying": "ing", "yong": "iong", "yu": "v", "yue": "ve", "yuan": "van", "yun": "vn",
    "wu": "u",
    "wa": "ua", "wo": "uo", "wai": "uai", "wei": "uei", "wan": "uan", "wen": "uen", "wang": "uang",
    "weng": "ueng",
}  # fmt: skip
_NUCLEI = {
    "a e": 0.5, "a o": 0.45, "e o": 0.7, "i e": 0.45, "i v": 0.7, "u o": 0.65, "u v": 0.6, "i u": 0.2,
    "e u": 0.35,
    "I e": 0.6, "I i": 0.5, "I u": 0.4,
}  # fmt: skip
_CODAS = {
    "n ng": 0.85,
    "i  ": 0.5,
    "u  ": 0.5,
    "n  ": 0.35,
    "ng  ": 0.35,
    "i n": 0.3,
    "u ng": 0.35,
    "i u": 0.25,
}

Parts = tuple[str, str, str, str]
"""Initial, medial, nucleus, coda."""


def _pair(table: dict[str, float], one: str, other: str, otherwise: float) -> float:
    if one == other:
        return 1.0
    one, other = one or " ", other or " "
    return table.get(f"{one} {other}", table.get(f"{other} {one}", otherwise))


def parts(syllable: str) -> Parts | None:
    """Split a pinyin syllable without tone into its parts; `None` if it is not one."""
    initial = ""
    final = _ZERO.get(syllable, "")
    if not final:
        initial = next((one for one in _INITIALS if syllable.startswith(one)), "")
        final = syllable[len(initial) :].replace("ü", "v")
        if initial in ("j", "q", "x") and final.startswith("u"):
            final = "v" + final[1:]
    if final in ("er", "r"):
        return initial, "", "e", "r"
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        return initial, "", "I", ""
    final = {"iu": "iou", "ui": "uei", "un": "uen", "ong": "uong"}.get(final, final)
    coda = next((one for one in ("ng", "n") if final.endswith(one)), "")
    core = final.removesuffix(coda) if coda else final
    if core in ("i", "u", "v", "a", "o", "e"):
        return initial, "", core, coda
    if core[-2:] in ("ai", "ei"):
        coda, core = "i", core[:-1]
    elif core[-2:] in ("ao", "ou"):
        coda, core = "u", core[:-1]
    medial = core[0] if len(core) > 1 and core[0] in "iuv" else ""
    nucleus = core[len(medial) :]
    return (initial, medial, nucleus, coda) if nucleus in ("a", "o", "e") else None


def _alike(one: Parts, other: Parts) -> float:
    initials = _pair(_CLOSE, one[0], other[0], 0.1)
    medials = 1.0 if one[1] == other[1] else 0.6 if {one[1], other[1]} in ({"i", "v"}, {"u", "v"}) else 0.35
    nuclei = _pair(_NUCLEI, one[2], other[2], 0.15)
    # ian ~ in, uen ~ un: a glide before a weak vowel is barely heard.
    codas = _pair(_CODAS, one[3], other[3], 0.15)
    finals = 0.25 * medials + 0.45 * nuclei + 0.3 * codas
    return 0.45 * initials + 0.55 * finals if initials > 0.2 or finals > 0.8 else 0.3 * (initials + finals)


class Inventory:
    """Numbers for syllables and the matrix of their similarities; grows as syllables are met."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._parts: list[Parts | None] = []
        self._size = 0
        self.matrix: npt.NDArray[np.float32] = np.zeros((1024, 1024), np.float32)
        """Similarity of syllable i to syllable j."""

    def number(self, syllable: str) -> int:
        """Return the number of a syllable, or of any other token (similar only to itself)."""
        known = self._numbers.get(syllable)
        if known is not None:
            return known
        if self._size == len(self.matrix):
            # Foreign words could make it grow for ever: past this size they share the last number, similar to
            # none.
            return self._size - 1
        mine = parts(syllable) if syllable.isascii() and syllable.islower() else None
        number = self._size
        row = [_alike(mine, other) if mine and other else 0.0 for other in self._parts]
        self._parts.append(mine)
        self.matrix[number, :number] = row
        self.matrix[:number, number] = row
        self.matrix[number, number] = 1.0
        self._size += 1
        self._numbers[syllable] = number
        return number


INVENTORY = Inventory()
_DIGITS = dict(zip("0123456789", "零一二三四五六七八九", strict=True))

Sounds = npt.NDArray[np.int16]


@lru_cache(maxsize=4096)
def sounds(text: str) -> tuple[Sounds, npt.NDArray[np.int16]]:
    """Return a text's syllables and the character each came from; punctuation and spaces have none.

    Digits are read one by one; each Latin letter is a token of its own.
    """
    kept = [(at, _DIGITS.get(char, char)) for at, char in enumerate(text) if char.isalnum()]
    read = lazy_pinyin("".join(char for _, char in kept), style=Style.NORMAL, errors=list)  # type: ignore[arg-type]
    numbers = [INVENTORY.number(one) for one in read[: len(kept)]]
    where = [at for at, _ in kept]
    return np.array(numbers, np.int16), np.array(where[: len(numbers)], np.int16)


def typed_forms(text: str) -> str:
    """Return what may be typed to find `text`: itself, toneless pinyin and initials, in lower case.

    >>> typed_forms("王芳") '王芳 wangfang wf'
    """
    read = lazy_pinyin(text, style=Style.NORMAL)
    first = [syllable[0] for syllable in read if syllable]
    return " ".join(dict.fromkeys(("".join(one)).lower() for one in ([text], read, first)))
