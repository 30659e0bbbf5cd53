"""Reject text that nobody said: pure rules on what the engine reports about its own output."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from domain.text import line

MAX_NO_SPEECH = 0.6
"""Above this probability of "no speech", text is kept only if its log probability is high."""
SURE_LOG_PROBABILITY = -0.5
MIN_LOG_PROBABILITY = -1.3
"""Below this mean log probability per token the text is noise."""
MAX_COMPRESSION = 2.4
"""Text that compresses further than this is a loop, unless somebody may have repeated themselves."""
MAX_SAID = 5
"""People say the same at most so often in one breath; what is there more often is the engine's loop."""
MAX_CHARACTERS_PER_SECOND = 14.0
"""Nobody speaks faster; hurried Mandarin is about 8 syllables a second."""

MAX_PHRASE = 2000
"""Characters of a phrase; half a minute holds no more than a few hundred."""
_NUMERALS = frozenset("0123456789零〇一二三四五六七八九两幺十百千万亿")
_MAX_UNIT = 60
"""Letters of the longest phrase that is looked for again."""


@dataclass(frozen=True)
class Phantoms:
    """Texts of video captions and credits, normalised with `bare`."""

    contains: frozenset[str]
    whole: frozenset[str]
    words: frozenset[str] = frozenset()
    """What captions are further made of: it makes none by itself."""

    def match(self, text: str) -> bool:
        """Whether a caption is all there is in the bare text, but for a name or a word between."""
        if text in self.whole:
            return True
        caption = _covered(text, self.contains)
        left = len(text) - sum(map(bool.__or__, caption, _covered(text, self.words)))
        return any(caption) and left <= sum(caption)


def _covered(text: str, phrases: Iterable[str]) -> list[bool]:
    """For each letter, whether it belongs to one of the phrases."""
    covered = [False] * len(text)
    for phrase in phrases:
        at = text.find(phrase)
        while at >= 0:
            covered[at : at + len(phrase)] = [True] * len(phrase)
            at = text.find(phrase, at + 1)
    return covered


def bare(text: str) -> str:
    """Keep only letters, characters and digits, with full-width forms made plain and in lower case."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return "".join(char for char in plain if char.isalnum())


def parse_phantoms(lines: Iterable[str]) -> Phantoms:
    """Parse `contains|whole|word <TAB> phrase` lines; `#` begins a comment. Raises ValueError."""
    found: dict[str, set[str]] = {"contains": set(), "whole": set(), "word": set()}
    for number, one in enumerate(lines, 1):
        if not one.strip() or one.startswith("#"):
            continue
        how, _, phrase = one.partition("\t")
        if how not in found or not bare(phrase):
            raise ValueError(
                f"line {number}: write contains, whole or word, a tab and a phrase; found {one!r}"
            )
        found[how].add(bare(phrase))
    return Phantoms(frozenset(found["contains"]), frozenset(found["whole"]), frozenset(found["word"]))


@cache
def shipped_phantoms() -> Phantoms:
    """Load the list that ships with the package."""
    text = files("asr").joinpath("data", "phantoms.tsv").read_text(encoding="utf-8")
    return parse_phantoms(text.splitlines())


_ECHO = 6
"""This many characters in common with the end of the prompt are no coincidence."""


def without_echo(text: str, prompt: str) -> str:
    """Strip the prompt's own words from the end, which Whisper tends to append to a short phrase."""
    for start in range(len(prompt) - _ECHO + 1):
        if text.endswith(prompt[start:]) and len(bare(prompt[start:])) >= _ECHO:
            return text[: -len(prompt[start:])].rstrip("，,、 ")
    return text


def chinese_marks(text: str) -> str:
    """Use Chinese punctuation: 12,345 loses its comma, a space between Han characters becomes a comma."""
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text.strip())
    text = text.translate(str.maketrans(",?!;", "，？！；"))
    return re.sub(r"(?<=[\u3000-\u9fff\uff00-\uffef])\s+(?=[\u3000-\u9fff\uff00-\uffef])", "，", text)


def shorten_loops(text: str, said: int = MAX_SAID, *, numerals: bool = False) -> str:
    """Keep one copy of each phrase that stands there more than `said` times in a row.

    Punctuation between and inside the copies does not count. Numbers are left alone, unless `numerals`.
    """
    letters, places = [], []
    for place, char in enumerate(text):
        for letter in bare(char):
            letters.append(letter)
            places.append(place)
    kept, begin = [], 0
    for run in _repeated(said).finditer("".join(letters)):
        unit = run["unit"]
        if not numerals and _NUMERALS.issuperset(unit):
            continue
        kept.append(text[begin : places[run.start() + len(unit) - 1] + 1])
        begin = places[run.end() - 1] + 1
    return "".join(kept) + text[begin:]


@cache
def _repeated(said: int) -> re.Pattern[str]:
    return re.compile(rf"(?P<unit>.{{1,{_MAX_UNIT}}}?)(?P=unit){{{said},}}")


def is_loop(text: str, compression: float) -> bool:
    """Whether the text compresses further than what people say, repetitions included."""
    if compression <= MAX_COMPRESSION:
        return False
    once = len(bare(shorten_loops(text, 1, numerals=True)))
    return 2 * once > len(bare(text)) or shorten_loops(text) != text


@dataclass(frozen=True)
class Evidence:
    """What the engine reports about a phrase."""

    no_speech: float
    log_probability: float
    """Mean per token."""
    compression: float
    duration: float
    """Seconds."""


def spoken(text: str, evidence: Evidence, prompt: str = "", phantoms: Phantoms | None = None) -> str | None:
    """What was really said, with loops shortened, or `None` if the text is an artefact.

    `prompt` is the engine's prompt: over silence Whisper tends to repeat it.
    """
    if evidence.log_probability < MIN_LOG_PROBABILITY:
        return None
    if evidence.no_speech > MAX_NO_SPEECH and evidence.log_probability < SURE_LOG_PROBABILITY:
        return None
    text = without_echo(chinese_marks(line(text, MAX_PHRASE)), prompt)
    shortened = shorten_loops(text)
    if _hurried(shortened, evidence.duration):
        # There was no time to repeat anything.
        shortened = shorten_loops(shortened, 1)
    letters = bare(shortened)
    if not letters or (phantoms or shipped_phantoms()).match(letters):
        return None
    if len(letters) >= 6 and letters in bare(prompt):
        return None
    if shortened == text and is_loop(text, evidence.compression):
        return None
    return None if _hurried(shortened, evidence.duration) else shortened


def _hurried(text: str, duration: float) -> bool:
    return len(bare(text)) > 6 + MAX_CHARACTERS_PER_SECOND * duration
