"""Short conversations for tests."""

from collections.abc import Mapping

from domain.calls import Party, Side
from domain.orders import FieldValue
from domain.transcripts import Utterance, utterance_id
from workorders.directories.reference import Reference, load_reference
from workorders.extraction import Extraction, ExtractionContext, extract
from workorders.extraction.classifier import load_classifier

REFERENCE = load_reference()
CALLER_ID = "051386110010"
STARTED = 1_780_000_000.0
"""2026-05-29 04:26:40 in China."""


def dialogue(*turns: str, confidence: float = 0.0) -> list[Utterance]:
    """Turns alternate; the agent begins. Five seconds each."""
    sides = (Side.AGENT, Side.CALLER)
    return [
        Utterance(
            id=utterance_id("c", sides[n % 2], n * 5.0),
            call_id="c",
            side=sides[n % 2],
            start=n * 5.0,
            end=n * 5.0 + 4,
            text=text,
            confidence=confidence,
        )
        for n, text in enumerate(turns)
    ]


def understood(
    *turns: str, form: str = "general", reference: Reference = REFERENCE, confidence: float = 0.0
) -> Extraction:
    """What is extracted from the turns."""
    context = ExtractionContext(
        form=form,
        caller=Party(CALLER_ID, ""),
        reference=reference,
        classifier=load_classifier(),
        started_at=STARTED,
    )
    return extract(dialogue(*turns, confidence=confidence), context)


def value(fields: Mapping[str, FieldValue], name: str) -> object:
    """A field's value; `None` where it is not filled."""
    return fields[name].value if name in fields else None
