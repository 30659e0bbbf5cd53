"""How many fields are right, and whether stated confidences deserve it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from domain.calls import Party, Side
from domain.orders import FieldValue, Method
from domain.transcripts import Alternative, Utterance, utterance_id
from workorders.directories.reference import Reference
from workorders.extraction import ExtractionContext, extract
from workorders.extraction.classifier import Classifier
from workorders.extraction.times import CHINA

FORM = {"12345": "general", "yiqilai": "enterprise", "shangxian": "talent"}
CALLER_ID = "051386110010"
FIELDS = (
    "request_type", "town", "village", "phone", "urgent", "confidential", "caller_name", "enterprise",
    "unit", "category",
)  # fmt: skip
SURNAME = "surname"
TEXTS = ("category2", "occurred", "title")
"""Told apart from FIELDS: scored only where the truth holds them."""
STARTED = 1_790_000_000.0
MAX_TITLE = 60
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)


def utterances(name: str, turns: Iterable[Mapping[str, Any]]) -> list[Utterance]:
    """Turns of a dialogue, or what a recogniser made of them, as the gateway holds them."""
    said = [
        Utterance(
            id=utterance_id(name, Side(turn["speaker"]), turn["start"]),
            call_id=name,
            side=Side(turn["speaker"]),
            start=turn["start"],
            end=turn["end"],
            text=turn["text"],
            confidence=turn.get("confidence", 0.0),
            alternatives=tuple(Alternative(*one) for one in turn.get("alternatives", ())),
        )
        for turn in turns
    ]
    return sorted(said, key=lambda one: (one.start, one.side))


@dataclass
class Tally:
    """Right and asked, a field; and (stated confidence, right) of every value offered."""

    right: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    stated: dict[str, list[tuple[float, bool]]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[tuple[str, str, Any, Any, float]] = field(default_factory=list)

    def count(self, call: str, name: str, wanted: Any, got: FieldValue | None, right: bool) -> None:
        self.asked[name] += 1
        self.right[name] += right
        if got is not None:
            self.stated[name].append((got.confidence, right))
        if not right:
            self.wrong.append(
                (call, name, wanted, got.value if got else None, got.confidence if got else 0.0)
            )

    def accuracy(self) -> dict[str, float]:
        """Share right, a field."""
        return {name: round(self.right[name] / asked, 4) for name, asked in self.asked.items()}

    def reliability(self, names: Sequence[str]) -> list[tuple[str, int, float, float]]:
        """(bin, values, mean stated, share right) over the named fields."""
        rows = []
        every = [one for name in names for one in self.stated[name]]
        for low, high in pairwise(BINS):
            mine = [one for one in every if low <= one[0] < high]
            if mine:
                rows.append(
                    (
                        f"{low:.1f}-{min(high, 1.0):.1f}",
                        len(mine),
                        round(sum(stated for stated, _ in mine) / len(mine), 3),
                        round(sum(right for _, right in mine) / len(mine), 3),
                    )
                )
        return rows

    def confident(self, names: Sequence[str], least: float = 0.8) -> tuple[int, float]:
        """(values offered at `least` or more, share of them right)."""
        mine = [right for name in names for stated, right in self.stated[name] if stated >= least]
        return len(mine), round(sum(mine) / len(mine), 4) if mine else 1.0


def judge(
    tally: Tally,
    call: Mapping[str, Any],
    turns: Iterable[Mapping[str, Any]],
    reference: Reference,
    classifier: Classifier | None,
    *,
    calibrate: bool = True,
) -> None:
    """Extract from `turns` and compare with the call's truth."""
    context = ExtractionContext(
        form=FORM[call["line"]],
        caller=Party(CALLER_ID, ""),
        reference=reference,
        classifier=classifier,
        started_at=STARTED,
        calibrate=calibrate,
    )
    fields = extract(utterances(call["id"], turns), context).fields
    truth = call["truth"]
    for name in FIELDS:
        got, wanted = fields.get(name), truth.get(name)
        value = got.value if got is not None else None
        if name == "phone":
            if wanted is None:
                # Nothing was said, or "this number": the caller ID, if anything.
                tally.count(call["id"], name, wanted, got, got is None or got.method is Method.SIGNALLING)
            else:
                tally.count(call["id"], name, wanted, got, value == wanted)
            continue
        tally.count(call["id"], name, wanted, got, value == wanted)
        if name == "caller_name" and wanted:
            tally.count(call["id"], SURNAME, wanted[0], got, value is not None and value[:1] == wanted[:1])
    _judge_texts(tally, call, fields)


def _judge_texts(tally: Tally, call: Mapping[str, Any], fields: Mapping[str, FieldValue]) -> None:
    """The second level of a category that is right, the day of the matter, and whether the title serves."""
    truth, name = call["truth"], call["id"]
    category = fields.get("category")
    if truth.get("category2") and category is not None and category.value == truth["category"]:
        two = fields.get("category2")
        right = two is not None and two.value in truth["category2"].split("、")
        tally.count(name, "category2", truth["category2"], two, right)
    if "days_ago" in truth:
        got, days = fields.get("occurred"), truth["days_ago"]
        day = None if days is None else (datetime.fromtimestamp(STARTED, CHINA) - timedelta(days=days)).date()
        tally.count(name, "occurred", day, got, (got is None) if day is None else str(day) in _text(got))
    title, where = fields.get("title"), fields.get("village") or fields.get("town")
    right = 4 <= len(_text(title)) <= MAX_TITLE and (where is None or str(where.value) in _text(title))
    if truth.get("keywords"):
        both = _text(title) + _text(fields.get("summary"))
        right = right and any(word in both for word in truth["keywords"])
    tally.count(name, "title", where.value if where else None, title, right)


def _text(value: FieldValue | None) -> str:
    return str(value.value) if value is not None else ""
