"""Pre-fill: extract the order's fields from the transcript, each with confidence and evidence. Pure.

`extract` reads the whole transcript each time, so nothing depends on the order in which utterances arrived,
and a correction replaces what was said before it. Searches are cached by utterance, so a growing transcript
costs only its new part.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from domain.calls import Party, Side
from domain.orders import FieldValue
from domain.transcripts import Utterance
from workorders.directories.reference import Reference
from workorders.extraction.calibration import calibrated
from workorders.extraction.classifier import Classifier
from workorders.extraction.enterprises import enterprise
from workorders.extraction.lessons import Lessons, Taught
from workorders.extraction.matter import category, flags, request_type, texts
from workorders.extraction.numbers import phone
from workorders.extraction.offered import Found
from workorders.extraction.people import caller_name
from workorders.extraction.places import place
from workorders.extraction.special import special
from workorders.extraction.spoken import of
from workorders.extraction.times import occurred
from workorders.extraction.units import unit


class ExtractionContext(Struct, frozen=True):
    """What is known besides the transcript. `form` is `general`, `enterprise` or `talent`."""

    form: str
    caller: Party
    reference: Reference
    classifier: Classifier | None = None
    lessons: Lessons | None = None
    """What orders that came back teach about the unit."""
    started_at: float | None = None
    """When the call began (POSIX seconds): the reference point for 昨天."""
    calibrate: bool = True
    """Use measured confidences; otherwise those stated by the rules, from which calibration is fitted."""


class Extraction(Struct, frozen=True):
    """The fields found and, for some, conflicting alternatives, best first."""

    fields: dict[str, FieldValue]
    offers: dict[str, tuple[FieldValue, ...]]


def extract(utterances: Sequence[Utterance], context: ExtractionContext) -> Extraction:
    """Extract all fields the transcript supports. Utterances are in time order; partials are ignored."""
    said = [one for one in utterances if one.final and one.text.strip()]
    if not said:
        return Extraction({}, {})
    reference, classifier, form = context.reference, context.classifier, context.form
    found: dict[str, Found] = place(said, reference)
    found |= caller_name(said, reference)
    found |= phone(said, context.caller)
    found |= enterprise(said, reference)
    mine = of(said, Side.CALLER)
    if mine:
        found |= request_type(said, form, reference, classifier)
        found |= category(said, form, reference, classifier)
        found |= flags(said, reference, _value(found, "request_type"))
        found |= occurred(said, context.started_at)
        where = "".join(str(found[name].value.value) for name in ("town", "village") if name in found)
        found |= texts(said, reference, where)
        found |= {name: one for name, one in special(said, form, reference).items() if name not in found}
        found |= unit(
            said,
            reference,
            form=form,
            category=_value(found, "category"),
            learned=_learned(mine, classifier),
            town=found.get("town"),
            praised=_value(found, "request_type") == "表扬",
            taught=_taught(mine, context.lessons, found),
        )
    return _settled(found, context.calibrate)


def warm_up(reference: Reference) -> None:
    """Build the indexes before the first call needs them: a second or two with thousands of names."""
    said = [
        Utterance(id=side.value, call_id="", side=side, start=0.0, end=1.0, text="刘桥镇，我姓王，要投诉。")
        for side in Side
    ]
    for form in ("enterprise", "talent"):
        extract(said, ExtractionContext(form=form, caller=Party(), reference=reference))


def _value(found: Mapping[str, Found], name: str) -> str | None:
    return str(found[name].value.value) if name in found else None


def _learned(mine: Sequence[Utterance], classifier: Classifier | None) -> dict[str, float]:
    if classifier is None or "function" not in classifier.heads:
        return {}
    return classifier.predict("".join(one.text for one in mine), "function")


def _taught(mine: Sequence[Utterance], lessons: Lessons | None, found: Mapping[str, Found]) -> Taught:
    if lessons is None:
        return Taught()
    where, about = _value(found, "town") or "", _value(found, "category") or ""
    return lessons.taught("".join(one.text for one in mine), where, about)


def _settled(found: Mapping[str, Found], calibrate: bool) -> Extraction:
    """Separate fields from offers, with calibrated confidences."""
    if not calibrate:
        return Extraction({name: one.value for name, one in found.items()}, {})
    fields = {name: _sure(name, one.value) for name, one in found.items()}
    offers = {
        name: tuple(_sure(name, other) for other in one.others if other.value != one.value.value)
        for name, one in found.items()
        if one.others
    }
    return Extraction(fields, {name: some for name, some in offers.items() if some})


def _sure(name: str, value: FieldValue) -> FieldValue:
    return structs.replace(value, confidence=calibrated(name, value.confidence))
