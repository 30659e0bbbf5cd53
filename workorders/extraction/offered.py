"""The result type of every part of extraction: a value and its alternatives. Pure."""

from msgspec import Struct

from domain.orders import FieldValue, Method
from workorders.extraction.spoken import Span

MAX_EVIDENCE = 3


class Found(Struct, frozen=True):
    """A field's value and, best first, the values that conflict with it."""

    value: FieldValue
    others: tuple[FieldValue, ...] = ()


def field(value: object, confidence: float, method: Method, *spans: Span) -> FieldValue:
    """Make a field value; evidence keeps the given order, each span once."""
    unique = list(dict.fromkeys((span.utterance.id, span.start, span.end) for span in spans))
    known = {(span.utterance.id, span.start, span.end): span for span in spans}
    return FieldValue(
        value=value,
        confidence=round(min(0.99, max(0.01, confidence)), 3),
        method=method,
        evidence=tuple(known[key].evidence() for key in unique[:MAX_EVIDENCE]),
    )


def rule(value: object, confidence: float, *spans: Span) -> FieldValue:
    """Make a field value that a rule found in the words."""
    return field(value, confidence, Method.RULE, *spans)
