"""Transcript text with the way back from characters to utterance, time and quote. Pure."""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from domain.calls import Side
from domain.orders import Evidence
from domain.transcripts import Utterance

SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]?")


class Span(Struct, frozen=True):
    """Characters `start` to `end` of one utterance's text."""

    utterance: Utterance
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.utterance.text[self.start : self.end]

    def evidence(self) -> Evidence:
        """Return the quote and its time, interpolated as if speech were evenly paced in the utterance."""
        said = self.utterance
        rate = (said.end - said.start) / max(1, len(said.text))
        return Evidence(
            utterance_id=said.id,
            start=self.start,
            end=self.end,
            quote=self.text,
            audio_start=round(said.start + self.start * rate, 2),
            audio_end=round(said.start + self.end * rate, 2),
        )


def find(utterances: Iterable[Utterance], words: Sequence[str]) -> list[Span]:
    """Find every occurrence of any of the words, in time order."""
    found = []
    for said in utterances:
        for word in words:
            start = said.text.find(word)
            while start >= 0:
                found.append(Span(said, start, start + len(word)))
                start = said.text.find(word, start + 1)
    return found


def clause_of(span: Span) -> Span:
    """Return the clause (between commas) that contains the span."""
    text = span.utterance.text
    start = max(text.rfind(mark, 0, span.start) for mark in "，。！？,;；") + 1
    ends = [at for mark in "，。！？,;；" if (at := text.find(mark, span.end)) >= 0]
    return Span(span.utterance, start, min(ends, default=len(text)))


def sentence_of(span: Span) -> Span:
    """Return the sentence that contains the span."""
    for match in SENTENCE.finditer(span.utterance.text):
        if match.start() <= span.start < match.end():
            return Span(span.utterance, match.start(), match.end())
    return span


def answers(utterances: Sequence[Utterance], questions: Sequence[str]) -> list[Utterance]:
    """Return what the caller says right after the agent asked something with one of these words."""
    found = []
    asked = False
    for said in utterances:
        if said.side is Side.AGENT:
            asked = any(word in said.text for word in questions)
        elif asked:
            found.append(said)
    return found


def of(utterances: Iterable[Utterance], side: Side) -> list[Utterance]:
    """Return one side's utterances."""
    return [said for said in utterances if said.side is side]
