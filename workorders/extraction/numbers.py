"""Telephone numbers as they are spoken: digit by digit, with corrections. Pure."""

import re
from collections.abc import Sequence

from gateway.models.call import Party
from gateway.models.order import FieldValue, Method
from gateway.models.transcript import Utterance
from workorders.extraction.spoken import Span, answers, find

DIGITS = dict(zip("零〇幺一二两三四五六七八九", "0011223456789", strict=True))
DIGITS |= {str(digit): str(digit) for digit in range(10)}
RUN = re.compile(rf"[{''.join(DIGITS)}](?:[\s,，、\-]*[{''.join(DIGITS)}])+")
CORRECTION = re.compile(r"不对|错了|说错|更正|应该是|不是")
MOBILE = re.compile(r"1[3-9]\d{9}")
LANDLINE = re.compile(r"0\d{9,11}|[2-8]\d{6,7}")
THIS_ONE = (
    "就打这个电话",
    "就这个电话",
    "打这个号码",
    "就是这个号码",
    "这个电话就行",
    "打我这个电话",
    "就这个号码",
)
ASKED = ("电话", "号码", "联系方式", "手机")
LEAST = 7


def runs(said: Utterance) -> list[tuple[Span, str]]:
    """Sequences of at least seven spoken digits."""
    found = []
    for match in RUN.finditer(said.text):
        digits = "".join(DIGITS.get(character, "") for character in match.group())
        if len(digits) >= LEAST:
            found.append((Span(said, match.start(), match.end()), digits))
    return found


def phone(utterances: Sequence[Utterance], caller: Party) -> dict[str, FieldValue]:
    """The number to call back: `phone`, and `phone_incomplete` for one that lacks digits.

    The last complete number wins, for people correct themselves. An incomplete number is never padded.
    """
    fields: dict[str, FieldValue] = {}
    candidates = [found for said in utterances for found in runs(said)]
    asked = {said.id for said in answers(utterances, ASKED)}
    whole = [(span, digits) for span, digits in candidates if complete(digits)]
    if whole:
        span, digits = whole[-1]
        others = {other for _, other in whole} - {digits}
        corrected = any(CORRECTION.search(one.utterance.text[: one.start]) for one, _ in whole[-1:])
        likely = span.utterance.id in asked or any(word in span.utterance.text for word in ASKED)
        confidence = 0.93 if likely else 0.85
        if others and not corrected:
            confidence = 0.6
        fields["phone"] = FieldValue(
            value=digits, confidence=confidence, method=Method.RULE, evidence=(span.evidence(),)
        )
        return fields
    this_one = find(utterances, THIS_ONE)
    if this_one and caller.number:
        fields["phone"] = FieldValue(
            value=caller.number,
            confidence=0.95,
            method=Method.SIGNALLING,
            evidence=(this_one[-1].evidence(),),
        )
    if candidates:
        span, digits = candidates[-1]
        fields["phone_incomplete"] = FieldValue(
            value=digits, confidence=0.3, method=Method.RULE, evidence=(span.evidence(),)
        )
    return fields


def complete(digits: str) -> bool:
    """Whether this is a whole Chinese mobile or fixed number."""
    return bool(MOBILE.fullmatch(digits) or LANDLINE.fullmatch(digits))
