"""Cues: key words, found by spelling or by sound, and what they indicate. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from domain.transcripts import Utterance
from workorders.directories.sound import SoundIndex
from workorders.extraction.spoken import Span

# Short words have many homophones: the shorter the word, the closer the match must be.
LEAST = {1: 2.0, 2: 0.97, 3: 0.93}
LEAST_LONG = 0.86
BY_SOUND = {2: 0.45, 3: 0.75}
BY_SOUND_LONG = 0.85


class Cue(Struct, frozen=True):
    """A key word that was heard; `weight` is 1 if spelt the same, less if matched by sound."""

    tag: str
    phrase: str
    span: Span
    weight: float

    @property
    def exact(self) -> bool:
        return self.weight == 1.0


class CueBook:
    """Tags with their phrases; a phrase may stand for several tags."""

    def __init__(self, phrases: Mapping[str, Iterable[str]]) -> None:
        self._tags: dict[str, list[str]] = {}
        for tag, several in phrases.items():
            for phrase in several:
                self._tags.setdefault(phrase, []).append(tag)
        self._index = SoundIndex(list(self._tags))
        # Exact spelling first; the index finds a phrase once per utterance, which is enough to weigh it.
        self._phrases = tuple(self._tags)
        # Earlier utterances do not change: a growing transcript costs only its new utterance.
        self._of = lru_cache(maxsize=1024)(self._in)

    def hear(self, utterances: Sequence[Utterance]) -> list[Cue]:
        """Return the phrases heard, once per utterance, in time order; none within a longer one."""
        found = []
        for said in utterances:
            mine = self._of(said)
            found += [
                cue
                for cue in mine
                if not any(
                    other.phrase != cue.phrase
                    and cue.phrase in other.phrase
                    and other.weight >= cue.weight
                    and set(self._tags[other.phrase]) & {cue.tag}
                    and other.span.start <= cue.span.start < other.span.end
                    for other in mine
                )
            ]
        return found

    def _in(self, said: Utterance) -> list[Cue]:
        text = said.text
        found = []
        lettered = set()
        for phrase in self._phrases:
            at = text.find(phrase)
            if at >= 0:
                lettered.add(phrase)
                span = Span(said, at, at + len(phrase))
                found += [Cue(tag, phrase, span, 1.0) for tag in self._tags[phrase]]
        for heard in self._index.search(text, LEAST_LONG, 60):
            length = len(heard.name)
            if heard.name in lettered or heard.likeness < LEAST.get(length, LEAST_LONG):
                continue
            weight = BY_SOUND.get(length, BY_SOUND_LONG) * heard.likeness
            span = Span(said, heard.start, heard.end)
            found += [Cue(tag, heard.name, span, weight) for tag in self._tags[heard.name]]
        return sorted(found, key=lambda cue: cue.span.start)
