"""Fields of the enterprise and talent forms: headcount, credit code, policy, degree, employer. Pure."""

import re
from collections.abc import Sequence
from functools import lru_cache

from domain.calls import Side
from domain.transcripts import Utterance
from workorders.credit_code import credit_code_valid
from workorders.directories.reference import Reference
from workorders.extraction.cues import CueBook
from workorders.extraction.offered import Found, rule
from workorders.extraction.spoken import Span, answers, of
from workorders.extraction.times import number

DEGREES = {
    "博士后": "博士后", "博士": "博士研究生", "硕士": "硕士研究生", "研究生": "硕士研究生", "本科": "本科",
    "学士": "本科", "大专": "大专",
    "专科": "大专", "高职": "大专", "中专": "中专", "高级技师": "高级技师", "技师": "技师",
    "高级工": "高级工", "高中": "高中",
}  # fmt: skip
DEGREE = re.compile("|".join(DEGREES))
COUNT = r"[零〇一二两三四五六七八九十百千万0-9]{1,8}"
HEADCOUNT = re.compile(rf"({COUNT})(?:多|来|几)?个?(?:人|名员工|名职工|员工|职工|工人|号人)")
BARE = re.compile(rf"({COUNT})(?:多|左右|上下)?")
HOW_MANY = ("多少人", "多少员工", "多少职工", "职工有多少", "人数")
POLICY = re.compile(r"[\u4e00-\u9fff]{2,8}?(?:补贴|补助|奖励|返还|减免|政策|专项资金|贷款贴息|津贴)")
NOT_A_NAME = re.compile(r"^.*(?:一下|问|咨询|申请|今年的|今年|关于|有没有|是不是|什么|的|领|拿|给)")
EMPLOYER = re.compile(r"在([\u4e00-\u9fff]{2,20}?)(?:工作|上班|任职|就职)")
CODE = re.compile(
    r"[0-9A-HJ-NP-RT-UW-Y零幺一二两三四五六七八九](?:[\s，,]*[0-9A-HJ-NP-RT-UW-Ya-z零幺一二两三四五六七八九]){14,21}"
)
CODE_DIGITS = str.maketrans("零幺一二两三四五六七八九", "011223456789")


def special(utterances: Sequence[Utterance], form: str, reference: Reference) -> dict[str, Found]:
    """Extract the fields that only this form has."""
    mine = of(utterances, Side.CALLER)
    found: dict[str, Found] = {}
    if form == "enterprise":
        found |= _headcount(utterances, mine)
        found |= _code(mine)
    if form == "talent":
        found |= _degree(mine)
        found |= _employer(mine)
    if form in ("enterprise", "talent"):
        found |= _policy(mine, reference)
    return found


def _code(mine: Sequence[Utterance]) -> dict[str, Found]:
    """Extract `credit_code` if its check digit is right; otherwise it is offered as incomplete."""
    incomplete: dict[str, Found] = {}
    for said in mine:
        for match in CODE.finditer(said.text):
            code = re.sub(r"[\s，,]", "", match.group()).translate(CODE_DIGITS).upper()
            span = Span(said, match.start(), match.end())
            if credit_code_valid(code):
                return {"credit_code": Found(rule(code, 0.95, span))}
            if len(code) >= 15:
                incomplete = {"credit_code_incomplete": Found(rule(code, 0.3, span))}
    return incomplete


def _headcount(utterances: Sequence[Utterance], mine: Sequence[Utterance]) -> dict[str, Found]:
    asked = [said.id for said in answers(utterances, HOW_MANY)]
    for said in mine:
        match = (BARE if said.id in asked else HEADCOUNT).search(said.text)
        many = number(match.group(1)) if match is not None else None
        if match is not None and many:
            sure = 0.85 if said.id in asked else 0.7
            return {"headcount": Found(rule(str(many), sure, Span(said, match.start(), match.end())))}
    return {}


def _degree(mine: Sequence[Utterance]) -> dict[str, Found]:
    for said in mine:
        match = DEGREE.search(said.text)
        if match is not None:
            return {
                "degree": Found(rule(DEGREES[match.group()], 0.85, Span(said, match.start(), match.end())))
            }
    return {}


def _employer(mine: Sequence[Utterance]) -> dict[str, Found]:
    for said in mine:
        match = EMPLOYER.search(said.text)
        if match is not None:
            return {"employer": Found(rule(match.group(1), 0.65, Span(said, match.start(1), match.end(1))))}
    return {}


@lru_cache(maxsize=4)
def _policies(reference: Reference) -> CueBook:
    return CueBook({one.term: (one.term,) for one in reference.glossary if one.kind == "policy"})


def _policy(mine: Sequence[Utterance], reference: Reference) -> dict[str, Found]:
    known = _policies(reference).hear(mine)
    if known:
        best = max(known, key=lambda cue: (cue.weight, len(cue.phrase)))
        return {"policy": Found(rule(best.phrase, 0.6 + 0.3 * best.weight, best.span))}
    for said in mine:
        for match in POLICY.finditer(said.text):
            value = NOT_A_NAME.sub("", match.group())
            if len(value) > 2:
                start = match.end() - len(value)
                return {"policy": Found(rule(value, 0.6, Span(said, start, match.end())))}
    return {}
