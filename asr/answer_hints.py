"""What the agent asked last, and with that how the caller's answer may begin: the recogniser is told."""

from collections.abc import Callable
from dataclasses import replace

from asr.engine import EngineRequest, Expected
from domain.calls import Side
from domain.transcripts import Utterance

Beginnings = Callable[[Utterance], tuple[str, ...]]
"""How answers to what an agent said may begin; empty: nothing was asked that is answered in a known way."""
PATIENCE_S = 12.0
"""How long after the question what the caller says may be the answer."""
UNASKED_S = 2.5
"""As long as nothing was heard that asks, only what is so short is taken for a possible answer."""
_OVERLAP_S = 0.5
"""Callers answer before the question is quite over."""


class AnswerHints:
    """For each call in progress, what was asked last."""

    def __init__(self, question: str, usual: tuple[str, ...], beginnings: Beginnings) -> None:
        """`question`: as it is usually put; `usual`: how answers to it begin; `beginnings`: see there."""
        self._question, self._usual = question, usual
        self._beginnings = beginnings
        self._asked: dict[str, list[tuple[float, tuple[str, ...]]]] = {}

    def heard(self, utterance: Utterance) -> None:
        """Take note of a final utterance; the caller's own mean nothing here."""
        if utterance.final and utterance.side is Side.AGENT:
            asked = self._asked.setdefault(utterance.call_id, [])
            asked.append((utterance.end, self._beginnings(utterance)))

    def request(self, call_id: str, side: Side, begin: float, usual: EngineRequest) -> EngineRequest:
        """`usual`, and what is expected of an utterance that begins at `begin`, seconds of call time."""
        if side is Side.AGENT:
            return usual
        before = [one for one in self._asked.get(call_id, ()) if one[0] <= begin + _OVERLAP_S]
        if not any(beginnings for _, beginnings in before):
            # Not asked yet, as far as was heard: a question may have been lost, a short answer still tells.
            return replace(usual, expected=Expected(self._question, self._usual, UNASKED_S))
        end, beginnings = max(before)
        if not beginnings or begin - end > PATIENCE_S:
            return usual
        return replace(usual, expected=Expected(self._question, beginnings))

    def forget(self, call_id: str) -> None:
        """The call's transcript is complete."""
        self._asked.pop(call_id, None)
