"""Who calls: name or surname, form of address, enterprise. Pure."""

import re
from collections.abc import Sequence

from gateway.models.call import Side
from gateway.models.order import FieldValue, Method
from gateway.models.transcript import Utterance
from workorders.extraction.sound import search
from workorders.extraction.spoken import Span, answers, of
from workorders.reference import Reference

ASKED = ("贵姓", "姓名", "称呼", "怎么称呼", "名字", "联系人")
SURNAME = re.compile(r"(?:我|免贵|本人)?(?:是)?姓([\u4e00-\u9fff])")
FULL = re.compile(r"(?:我叫|名字叫|姓名是|我是)([\u4e00-\u9fff]{2,4}?)(?=[，,。.、；;！!？?]|$|电话|手机|住)")
SPELT = re.compile(r"([\u4e00-\u9fff])[\u4e00-\u9fff]{1,2}的([\u4e00-\u9fff])")
ADDRESS = re.compile(r"([\u4e00-\u9fff])(先生|女士|小姐|师傅|老师|阿姨|大爷|经理|主任)")
# Longest first, or 公司 would end a name that goes on.
COMPANY = re.compile(
    r"([\u4e00-\u9fff（）()A-Za-z0-9]{2,24}?(?:有限责任公司|股份有限公司|有限公司|集团公司|合作社|个体工商户))"
)
# What may stand before a company's name in the same breath.
BEFORE = re.compile(
    r"^.*(?:我们公司是|我们是|公司叫|单位是|公司是|名字叫|我叫|我是|叫做|叫|是|在|到|的|向|跟|给|有家|一家)"
)


def caller_name(utterances: Sequence[Utterance], reference: Reference) -> dict[str, FieldValue]:
    """`caller_name` and `form_of_address`. Only what callers say of themselves."""
    fields: dict[str, FieldValue] = {}
    asked = {said.id for said in answers(utterances, ASKED)}
    best: tuple[float, Span, str] | None = None
    for said in of(utterances, Side.CALLER):
        for value, span, confidence in _names(said, said.id in asked, reference):
            if best is None or confidence >= best[0]:
                best = (confidence, span, value)
    if best is not None:
        confidence, span, value = best
        fields["caller_name"] = FieldValue(
            value=value, confidence=confidence, method=Method.RULE, evidence=(span.evidence(),)
        )
    for said in of(utterances, Side.AGENT):
        for match in ADDRESS.finditer(said.text):
            surname = match.group(1)
            if surname in reference.surnames and (best is None or best[2].startswith(surname)):
                span = Span(said, match.start(), match.end())
                fields["form_of_address"] = FieldValue(
                    value=match.group(2), confidence=0.85, method=Method.RULE, evidence=(span.evidence(),)
                )
    return fields


def _names(said: Utterance, asked: bool, reference: Reference) -> list[tuple[str, Span, float]]:
    found = []
    for match in SURNAME.finditer(said.text):
        before = said.text[: match.start()]
        own = match.group().startswith(("我", "免贵", "本人")) or (
            asked and (not before.strip() or before.rstrip()[-1] in "，,。.、！!")
        )
        surname = match.group(1)
        # 老板姓邱, 一个姓吴的: of somebody else.
        if not own or surname not in reference.surnames:
            continue
        spelt = SPELT.search(said.text, match.end())
        confidence = 0.93 if asked else 0.85
        if spelt and spelt.start() - match.end() <= 3 and spelt.group(2) in reference.surnames:
            # 陆地的陆: the word says which character is meant.
            surname, confidence = spelt.group(2), 0.96
        found.append((surname, Span(said, match.start(), match.end()), confidence))
    for match in FULL.finditer(said.text):
        name = match.group(1)
        if name[0] in reference.surnames or name[:2] in reference.surnames:
            if match.group().startswith("我是") and not asked:
                continue
            found.append((name, Span(said, match.start(1), match.end(1)), 0.9 if asked else 0.85))
    return found


def enterprise(utterances: Sequence[Utterance], reference: Reference) -> dict[str, FieldValue]:
    """`enterprise`: from the directory, exactly or by sound, else as said if it names its legal form."""
    best: tuple[float, FieldValue] | None = None
    for said in of(utterances, Side.CALLER):
        for name in reference.enterprises:
            start = said.text.find(name)
            if start >= 0:
                best = _better(best, name, 0.97, Method.GAZETTEER, Span(said, start, start + len(name)))
        for match in COMPANY.finditer(said.text):
            name = match.group(1)
            shortened = BEFORE.sub("", name)
            for town in reference.towns:
                shortened = shortened.rpartition(town)[2]
            start = match.end(1) - len(shortened)
            span = Span(said, start, match.end(1))
            listed = search(shortened, reference.enterprises, 0.82)
            if listed:
                best = _better(best, listed[0].name, 0.7 + 0.25 * listed[0].likeness, Method.GAZETTEER, span)
            elif len(shortened) >= 6:
                best = _better(best, shortened, 0.75, Method.RULE, span)
    return {} if best is None else {"enterprise": best[1]}


def _better(
    best: tuple[float, FieldValue] | None, name: str, confidence: float, method: Method, span: Span
) -> tuple[float, FieldValue]:
    if best is not None and best[0] >= confidence:
        return best
    return confidence, FieldValue(
        value=name, confidence=round(confidence, 3), method=method, evidence=(span.evidence(),)
    )
