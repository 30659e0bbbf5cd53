"""Pre-fill: from what was said to the fields of the order, each with confidence and evidence. Pure.

`extract` reads the whole transcript each time: nothing depends on the order in which utterances arrived, and
a correction takes back what stood before it.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from gateway.models.call import Party, Side
from gateway.models.order import FieldValue, Method
from gateway.models.transcript import Utterance
from workorders.extraction.matter import matter
from workorders.extraction.numbers import phone
from workorders.extraction.people import caller_name, enterprise
from workorders.extraction.places import place
from workorders.extraction.spoken import Span, of
from workorders.reference import Reference

DEGREE = re.compile(r"博士|硕士|研究生|本科|大专|专科|高级技师|技师")
HEADCOUNT = re.compile(
    r"([零〇一二两三四五六七八九十百千万0-9]{1,8})(?:多)?个?(?:人|名员工|名职工|员工|职工)"
)
POLICY = re.compile(r"[\u4e00-\u9fff]{2,8}?(?:补贴|补助|奖励|返还|政策|专项资金|贷款贴息)")
NOT_A_NAME = re.compile(r"^(?:.*(?:一下|问|咨询|申请|今年的|今年|关于|有没有|是不是|的))")


class ExtractionContext(Struct, frozen=True):
    """What is known beside the transcript. `form`: `general`, `enterprise` or `talent`."""

    form: str
    caller: Party
    reference: Reference


def extract(utterances: Sequence[Utterance], context: ExtractionContext) -> dict[str, FieldValue]:
    """All fields that the transcript supports; utterances in order of time, partial ones left out."""
    said = [one for one in utterances if one.final and one.text.strip()]
    reference = context.reference
    fields = matter(said, context.form, reference)
    fields |= place(said, reference)
    mine = of(said, Side.CALLER)
    fields |= phone(said if not mine else _dialogue(said), context.caller)
    fields |= caller_name(said, reference)
    fields |= enterprise(said, reference)
    if context.form in ("enterprise", "talent"):
        fields |= _special(mine, context.form)
    return _town_is_responsible(fields)


def _dialogue(said: Sequence[Utterance]) -> list[Utterance]:
    """Both sides, but no number the agent reads out counts as the caller's."""
    return [
        one
        for one in said
        if one.side is Side.CALLER or not re.search(r"[零〇幺一二三四五六七八九0-9]{7}", one.text)
    ]


def _special(mine: Sequence[Utterance], form: str) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {}
    wanted = [("policy", POLICY, 0)]
    wanted.append(("headcount", HEADCOUNT, 1) if form == "enterprise" else ("degree", DEGREE, 0))
    for name, pattern, group in wanted:
        for said in mine:
            match = pattern.search(said.text)
            if match is None or name in fields:
                continue
            value = match.group(group)
            if name == "policy":
                value = NOT_A_NAME.sub("", value)
            if value:
                span = Span(said, match.start(), match.end())
                fields[name] = FieldValue(
                    value=value, confidence=0.8, method=Method.RULE, evidence=(span.evidence(),)
                )
    return fields


def _town_is_responsible(fields: dict[str, FieldValue]) -> dict[str, FieldValue]:
    """Where no unit's words were said, or its staff is praised, the town itself is the unit."""
    town = fields.get("town")
    kind = fields.get("request_type")
    praised = kind is not None and kind.value == "表扬"
    if town is not None and ("unit" not in fields or praised):
        fields["unit"] = FieldValue(
            value=town.value,
            confidence=round(town.confidence * 0.6, 3),
            method=Method.RULE,
            evidence=town.evidence,
        )
    return fields
