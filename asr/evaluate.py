"""Measure recognition accuracy as character error rate (CER), the usual metric for Chinese.

Both texts are normalised first, so that only recognition counts and not spelling:

* full-width forms become plain (NFKC), letters lower case;
* punctuation, symbols and spaces are dropped;
* numbers become digits, however written: 一二三四五, 12345 and 幺二三四五 … are the same, so are 十二组 and
  12组, 一百零五 and 105. This is applied blindly to both sides (一个 becomes 1个 in both).
"""

import re
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from asr.guards import bare

_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "幺": 1, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10_000, "亿": 100_000_000}
_NUMBER = re.compile("[" + "".join([*_DIGITS, *_UNITS, *_MYRIADS]) + "]+")
_WELL_FORMED = re.compile("(?:[零〇]?[一二三四五六七八九两]?[十百千]|[零〇]?[一二三四五六七八九两]|[万亿])+")


@dataclass(frozen=True)
class Score:
    """Number of edits (insertions, deletions, substitutions) and the reference's length, in characters."""

    edits: int
    length: int

    def __add__(self, other: "Score") -> "Score":
        return Score(self.edits + other.edits, self.length + other.length)

    @property
    def rate(self) -> float:
        """Edits per character of the reference; 0 if both texts are empty."""
        return self.edits / self.length if self.length else float(bool(self.edits))


def _number(match: re.Match[str]) -> str:
    text = match[0]
    if not any(char in _UNITS or char in _MYRIADS for char in text):
        return "".join(str(_DIGITS[char]) for char in text)
    if text[0] in _MYRIADS or text[0] in "百千" or not _WELL_FORMED.fullmatch(text):
        # 万一, 千万 …: words, or digits read out next to a unit; keep the units as they are.
        return "".join(str(_DIGITS[char]) if char in _DIGITS else char for char in text)
    total = section = digit = 0
    for char in text:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _UNITS:
            section += (digit or 1) * _UNITS[char]
            digit = 0
        else:
            total = (total + section + digit) * _MYRIADS[char]
            section = digit = 0
    return str(total + section + digit)


def normalise(text: str) -> str:
    """Return the text as it is compared; see the module docstring."""
    return _NUMBER.sub(_number, bare(text))


def score(reference: str, hypothesis: str) -> Score:
    """Count the edits between reference and hypothesis; the scores of several legs can be added."""
    said, heard = normalise(reference), normalise(hypothesis)
    return Score(Levenshtein.distance(said, heard), len(said))


def cer(reference: str, hypothesis: str) -> float:
    """Return the character error rate after normalisation: 0 is perfect; it may exceed 1."""
    return score(reference, hypothesis).rate
