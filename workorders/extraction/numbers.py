"""Spoken telephone numbers: digit by digit, with corrections and read-backs. Pure.

A number with missing digits is offered as incomplete; none is ever padded. Recognisers swallow doubled digits
and write a digit at the end of a phrase as a homophone (起 for 七): such a homophone is read as the digit,
and the number trusted less.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct
from rapidfuzz.distance import Levenshtein

from domain.calls import Party, Side
from domain.numbers import national
from domain.orders import Method
from domain.transcripts import Utterance
from workorders.extraction.cues import CueBook
from workorders.extraction.offered import Found, field
from workorders.extraction.spoken import Span, answers

DIGITS = dict(zip("零〇幺一二两三四五六七八九", "0011223456789", strict=True))
DIGITS |= {str(digit): str(digit) for digit in range(10)}
LIKE_DIGITS = {
    char: digit
    for digit, chars in {
        "0": "灵领林凌",
        "1": "要腰妖以依医",
        "2": "而儿",
        "3": "山伞",
        "4": "思死似",
        "5": "无舞务武",
        "6": "流留刘",
        "7": "起齐其气奇期",
        "8": "吧巴把爸",
        "9": "久就酒旧",
    }.items()
    for char in chars
}
_D, _L = "".join(DIGITS), "".join(LIKE_DIGITS)
RUN = re.compile(
    rf"[{_D}](?:[\s,，、\-—。.﹑·]*[{_D}]|[{_L}](?=[\s,，、]*[{_D}{_L}]{{2}})|[{_L}](?=[。，,\s吧]|$))+"
)
CORRECTION = re.compile(r"不对|错了|说错|更正|不是[，,]|我重新说|重说")
TAIL = re.compile(r"(?:后|最后|尾号|末)[面]?(?:[两三四五六]位)?(?:应该)?是?[，,]?$")
MOBILE = re.compile(r"1[3-9]\d{9}")
ASSIGNED = re.compile(r"1(?:3\d|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])|0|[2-8]")
"""How assigned numbers begin: carrier prefixes, area codes, local numbers."""
LANDLINE = re.compile(r"0(?:10|2\d)\d{8}|0[3-9]\d{2}\d{7,8}|[2-8]\d{7}")
THIS_ONE = CueBook(
    {"this": [
        "就打这个电话", "就这个电话", "打这个号码", "就是这个号码", "就是这个电话", "这个电话就行",
        "打我这个电话", "就这个号码",
        "现在打的这个号码", "现在这个号码", "就是现在打的这个", "用这个号码", "这个号码就可以",
        "这个号码就行", "打过来的号码", "来电号码",
        "打这个电话联系", "我现在打的这个电话", "本机号码", "就是本机", "就打这个", "打这个手机",
    ]}
)  # fmt: skip
ECHOED = re.compile(r"(\d\d)\1$|(\d{3})\2$")
ASKED = ("电话", "号码", "联系方式", "手机")
YES = re.compile(r"^(?:对|是|嗯|没错|好)")
LEAST = 7
UNCLEAR = 0.6
"""In an utterance recognised with less confidence than this, a digit is easily wrong."""
MOST_GAPS = 3
PAUSE_S = 2.5
LOCAL = 8
"""Number of digits of a landline number without area code."""


class Number(Struct, frozen=True):
    """A run of digits heard; `guessed` says how many were homophones."""

    span: Span
    digits: str
    guessed: int

    @property
    def whole(self) -> bool:
        return complete(self.digits)


def runs(said: Utterance, least: int = LEAST) -> list[Number]:
    """Find sequences of at least this many spoken digits."""
    found = []
    for match in RUN.finditer(said.text):
        kept = [char for char in match.group() if char in DIGITS or char in LIKE_DIGITS]
        digits = "".join(DIGITS.get(char) or LIKE_DIGITS[char] for char in kept)
        guessed = sum(char not in DIGITS for char in kept)
        if kept[-1] == "吧" and complete(digits[:-1]):
            digits, guessed = digits[:-1], guessed - 1  # a particle, not a digit: …零一六吧
        before = said.text[match.start() - 1 : match.start()]
        if before in ("要", "腰", "妖") and len(digits) == 10 and complete("1" + digits):
            digits, guessed = "1" + digits, guessed + 1
        if len(digits) == 22 and digits.startswith("1"):
            # The number was said twice in one breath.
            digits = digits[11:] if complete(digits[11:]) else digits
        if len(digits) >= least:
            end = match.end()
            found.append(Number(Span(said, match.start(), end), digits, guessed))
    return found


def complete(digits: str) -> bool:
    """Whether this is a complete Chinese mobile or landline number."""
    return bool(MOBILE.fullmatch(digits) or LANDLINE.fullmatch(digits))


def phone(utterances: Sequence[Utterance], caller: Party) -> dict[str, Found]:
    """Extract the call-back number as `phone`, or `phone_incomplete` with too few or too many digits."""
    asked = {said.id for said in answers(utterances, ASKED)}
    mine = [number for said in utterances if said.side is Side.CALLER for number in runs(said)]
    mine = _tails(utterances, mine)
    if not any(one.whole for one in mine):
        mine = _pieces(utterances) or mine
    back = [number for said in utterances if said.side is Side.AGENT for number in runs(said) if number.whole]
    # Of several numbers in a row the last is meant: people correct themselves.
    last = mine[-1] if mine else None
    found: dict[str, Found] = {}
    if last is not None and last.whole:
        found["phone"] = _whole(last, mine, back, asked)
        return found
    echo = next((one for one in reversed(back) if last is not None and _near(one.digits, last.digits)), None)
    if echo is not None and last is not None:
        confirmed = _confirmed(utterances, echo.span.utterance)
        sure = 0.85 if confirmed else 0.7
        found["phone"] = Found(field(echo.digits, sure, Method.RULE, echo.span, last.span))
    this_one = THIS_ONE.hear([said for said in utterances if said.side is Side.CALLER])
    fragments = any(runs(said, 3) for said in utterances if said.side is Side.CALLER and said.id in asked)
    calling = national(caller.number)
    if "phone" not in found and this_one and calling and last is None and not fragments:
        found["phone"] = Found(field(calling, 0.95, Method.SIGNALLING, this_one[-1].span))
    if last is not None and "phone" not in found:
        others = tuple(
            field(one.digits, 0.4, Method.RULE, one.span) for one in mine[:-1] if one.digits != last.digits
        )
        found["phone_incomplete"] = Found(field(last.digits, 0.3, Method.RULE, last.span), others[-1:])
    return found


def _whole(last: Number, mine: list[Number], back: list[Number], asked: set[str]) -> Found:
    said = last.span.utterance
    likely = said.id in asked or any(word in said.text for word in ASKED)
    sure = 0.93 if likely else 0.85
    if said.confidence and said.confidence < UNCLEAR:
        sure = 0.75
    if last.guessed:
        sure = 0.72
    if len(re.findall(r"\d(?=[^\d]+\d)", last.span.text)) > MOST_GAPS:
        # Pieced together: the recogniser did not hear it as one number.
        sure = min(sure, 0.75)
    if not ASSIGNED.match(last.digits):
        sure = min(sure, 0.75)
    if ECHOED.search(last.digits) and 0.0 < said.confidence < 0.97:
        # One number in a hundred ends like this, but a recogniser that loses the thread also repeats digits.
        sure = min(sure, 0.75)
    others = [one for one in mine[:-1] if one.digits != last.digits]
    between = said.text[: last.span.start]
    corrected = (
        bool(CORRECTION.search(between)) or len({one.span.utterance.id for one in [*others, last]}) > 1
    )
    if others and not corrected:
        sure = 0.6
    elif (others or CORRECTION.search(between)) and 0.0 < said.confidence < 0.97:
        # After writing one number, a recogniser tends to write the next one like it.
        sure = min(sure, 0.75)
    if len(last.digits) == LOCAL and 0.0 < said.confidence < 0.97:
        # As likely a mobile number with three digits lost as a landline number without area code.
        sure = min(sure, 0.5)
    if CORRECTION.search(said.text[last.span.end :]):
        sure = 0.4  # it was withdrawn, and its replacement was not understood
    if any(one.digits == last.digits for one in back):
        sure = 0.97
    elif any(_near(one.digits, last.digits) for one in back):
        sure = min(sure, 0.6)
        others += [one for one in back if _near(one.digits, last.digits)]
    if sum(one.digits == last.digits for one in mine) > 1:
        # Said twice, it is certain; "corrected" to the same number, one of the two was misheard.
        sure = 0.5 if CORRECTION.search(between) else max(sure, 0.96)
    offers = tuple(field(one.digits, 0.2, Method.RULE, one.span) for one in others if one.whole)
    return Found(field(last.digits, sure, Method.RULE, last.span), offers[:2])


def _pieces(utterances: Sequence[Utterance]) -> list[Number]:
    """Join a number said with pauses, heard as several utterances of the caller."""
    mine = [said for said in utterances if said.side is Side.CALLER]
    for one, other in pairwise(mine):
        left, right = runs(one, 3), runs(other, 3)
        if not left or not right or other.start - one.end > PAUSE_S:
            continue
        first, second = left[-1], right[0]
        whole_end = not one.text[first.span.end :].strip("，。,. ")
        if whole_end and second.span.start == 0 and len(first.digits + second.digits) <= 12:
            return [Number(second.span, first.digits + second.digits, first.guessed + second.guessed + 1)]
    return []


def _tails(utterances: Sequence[Utterance], mine: list[Number]) -> list[Number]:
    """Apply corrections that repeat only the last digits to the number before them."""
    whole = [one for one in mine if one.whole]
    if not whole:
        return mine
    first = whole[-1]
    for said in utterances:
        if said.side is not Side.CALLER or said.start < first.span.utterance.start:
            continue
        for match in RUN.finditer(said.text):
            if said.id == first.span.utterance.id and match.start() <= first.span.end:
                continue
            digits = "".join(DIGITS.get(char, "") for char in match.group())
            before = said.text[: match.start()]
            if (
                2 <= len(digits) < LEAST
                and TAIL.search(before)
                and CORRECTION.search(said.text[: match.end()])
            ):
                joined = first.digits[: -len(digits)] + digits
                return [*mine, Number(Span(said, match.start(), match.end()), joined, 1)]
    return mine


def _near(one: str, other: str) -> bool:
    return one != other and Levenshtein.distance(one, other) <= 2


def _confirmed(utterances: Sequence[Utterance], read: Utterance) -> bool:
    after = next(
        (said for said in utterances if said.side is Side.CALLER and said.start >= read.end - 0.5), None
    )
    return after is not None and bool(YES.search(after.text.strip()))
