"""Tell the recogniser how the caller's answer may begin, given what the agent asked last."""

from collections.abc import Callable
from dataclasses import replace

from asr.engine import EngineRequest, Expected
from domain.calls import Side
from domain.transcripts import Utterance

Beginnings = Callable[[Utterance], tuple[str, ...]]
"""Maps an agent's utterance to the ways its answer may begin; empty if it asks nothing with a known form."""
PATIENCE_S = 12.0
"""How long after the question an utterance by the caller may still be the answer."""
UNASKED_S = 2.5
"""Until a question has been heard, only utterances up to this length are treated as possible answers."""
_OVERLAP_S = 0.5
"""Callers start answering before the question has quite ended."""


class AnswerHints:
    """The agent's last question in each call in progress."""

    def __init__(self, question: str, usual: tuple[str, ...], beginnings: Beginnings) -> None:
        """Set the default question and its answers.

        `question` is its usual wording, `usual` how answers to it begin; for `beginnings` see `Beginnings`.
        """
        self._question, self._usual = question, usual
        self._beginnings = beginnings
        self._asked: dict[str, list[tuple[float, tuple[str, ...]]]] = {}

    def heard(self, utterance: Utterance) -> None:
        """Record a final utterance; only the agent's matter here."""
        if utterance.final and utterance.side is Side.AGENT:
            asked = self._asked.setdefault(utterance.call_id, [])
            asked.append((utterance.end, self._beginnings(utterance)))

    def request(self, call_id: str, side: Side, begin: float, usual: EngineRequest) -> EngineRequest:
        """Return `usual` plus the answer expected at `begin` (call time in seconds)."""
        if side is Side.AGENT:
            return usual
        before = [one for one in self._asked.get(call_id, ()) if one[0] <= begin + _OVERLAP_S]
        if not any(beginnings for _, beginnings in before):
            # No question heard so far: it may have been missed, and a short answer is still informative.
            return replace(usual, expected=Expected(self._question, self._usual, UNASKED_S))
        end, beginnings = max(before)
        if not beginnings or begin - end > PATIENCE_S:
            return usual
        return replace(usual, expected=Expected(self._question, beginnings))

    def forget(self, call_id: str) -> None:
        """Drop the call's state once its transcript is complete."""
        self._asked.pop(call_id, None)
