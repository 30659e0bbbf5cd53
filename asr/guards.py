"""Reject text that nobody said: pure rules on what the engine reports about its own output."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

MAX_NO_SPEECH = 0.6
"""Above this probability of "no speech", text is kept only if its log probability is high."""
SURE_LOG_PROBABILITY = -0.5
MIN_LOG_PROBABILITY = -1.3
"""Below this mean log probability per token the text is noise."""
MAX_COMPRESSION = 2.4
"""Text that compresses further than this is a loop."""
MAX_CHARACTERS_PER_SECOND = 14.0
"""Nobody speaks faster; hurried Mandarin is about 8 syllables a second."""

_LOOP = re.compile(r"(?P<unit>\D{2,12}?)(?P=unit){3,}")
_STUTTER = re.compile(r"(?P<unit>[^\d零〇一二三四五六七八九幺\s])(?P=unit){5,}")


@dataclass(frozen=True)
class Phantoms:
    """Texts of video captions and credits, normalised with `bare`."""

    contains: frozenset[str]
    whole: frozenset[str]

    def match(self, text: str) -> bool:
        """Whether the bare text matches one of them."""
        return text in self.whole or any(phrase in text for phrase in self.contains)


def bare(text: str) -> str:
    """Keep only letters, characters and digits, with full-width forms made plain and in lower case."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return "".join(char for char in plain if char.isalnum())


def parse_phantoms(lines: Iterable[str]) -> Phantoms:
    """Parse `contains|whole <TAB> phrase` lines; `#` begins a comment. Raises ValueError."""
    found: dict[str, set[str]] = {"contains": set(), "whole": set()}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        how, _, phrase = line.partition("\t")
        if how not in found or not bare(phrase):
            raise ValueError(f"line {number}: write contains or whole, a tab and a phrase; found {line!r}")
        found[how].add(bare(phrase))
    return Phantoms(frozenset(found["contains"]), frozenset(found["whole"]))


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


def shorten_loops(text: str) -> str:
    """Keep one copy of each phrase repeated over and over; repeated digits are left alone."""
    return _STUTTER.sub(lambda match: match["unit"], _LOOP.sub(lambda match: match["unit"], text))


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
    """Return what was really said, with loops shortened, or `None` if the text is an artefact.

    `prompt` is the engine's prompt: over silence Whisper tends to repeat it.
    """
    if evidence.log_probability < MIN_LOG_PROBABILITY:
        return None
    if evidence.no_speech > MAX_NO_SPEECH and evidence.log_probability < SURE_LOG_PROBABILITY:
        return None
    text = without_echo(chinese_marks(text), prompt)
    shortened = shorten_loops(text)
    letters = bare(shortened)
    if not letters or (phantoms or shipped_phantoms()).match(letters):
        return None
    if len(letters) >= 6 and letters in bare(prompt):
        return None
    if evidence.compression > MAX_COMPRESSION and shortened == text:
        return None
    if len(letters) > 6 + MAX_CHARACTERS_PER_SECOND * evidence.duration:
        return None
    return shortened
