"""Find the enterprise: by sound in the directory, else as it was written down. Pure."""

import re
from collections.abc import Sequence

from domain.calls import Side
from domain.orders import FieldValue, Method
from domain.transcripts import Utterance
from workorders.directories.reference import Reference
from workorders.extraction.offered import Found, field
from workorders.extraction.spoken import Span

LEAST = 0.72
COMPANY = re.compile(
    r"([\u4e00-\u9fff（）()A-Za-z0-9]{2,26}?(?:有限责任公司|股份有限公司|有限公司|有线公司|集团公司|合作社|个体工商户))"
)
FORM = re.compile(r"有[限线]|公司|集团|厂|合作社|店|中心|商行|有闲|工司|公私")
# A name begins with the city it belongs to.
CITY = re.compile(
    r"(?:江苏|南通|上海|苏州|无锡|常州|扬州|泰州|盐城|南京|北京|浙江|杭州|通州|海门|启东|如东|海安|如皋|中国|深圳|广东)"
)
BEFORE = re.compile(
    r"^.*(?:我们公司是|我们单位是|我们是|公司叫做?|单位叫|单位是|公司是|名字叫|我叫|我是|叫做|叫|是|在|到|的|向|跟|给|有家|一家|投诉|举报)"
)


def enterprise(utterances: Sequence[Utterance], reference: Reference) -> dict[str, Found]:
    """Extract `enterprise` and, from the directory, `credit_code`."""
    ranked: dict[int, tuple[float, float, Span, bool]] = {}
    index = reference.enterprise_index
    for said in utterances:
        for heard in index.index.search(said.text, LEAST, 8):
            at = index.owner(heard.index)
            span = Span(said, heard.start, heard.end)
            formed = FORM.search(said.text[heard.start : heard.end + 2]) is not None
            if not heard.exact and not formed and heard.likeness < 0.9:
                continue
            # Endings do not distinguish companies: the match must extend beyond 有限公司.
            score = heard.likeness * (1.0 if formed else 0.93) + 0.004 * heard.telling
            score += 0.2 * heard.exact + 0.01 * (said.side is Side.AGENT)
            held = ranked.get(at)
            if held is None or score > held[0]:
                ranked[at] = (score, heard.likeness, span, heard.exact)
    order = sorted(ranked, key=lambda at: -ranked[at][0])
    candidates: list[FieldValue] = []
    for position, at in enumerate(order[:3]):
        score, likeness, span, exact = ranked[at]
        rival = ranked[order[position + 1]][0] if position + 1 < len(order) else 0.0
        sure = 0.97 if exact else 0.3 + 0.5 * (likeness - LEAST) / (1 - LEAST) + min(0.18, score - rival)
        candidates.append(field(reference.enterprises[at].name, sure, Method.GAZETTEER, span))
    likely = order and ranked[order[0]][1] >= 0.8
    written = _written(utterances, reference)
    found: dict[str, Found] = {}
    if likely and (written is None or ranked[order[0]][1] >= 0.86 or ranked[order[0]][3]):
        found["enterprise"] = Found(candidates[0], tuple(candidates[1:]))
        code = reference.enterprises[order[0]].code
        if code:
            first = ranked[order[0]]
            found["credit_code"] = Found(field(code, candidates[0].confidence, Method.GAZETTEER, first[2]))
    elif written is not None:
        found["enterprise"] = Found(written, tuple(candidates[:2]))
    return found


def _written(utterances: Sequence[Utterance], reference: Reference) -> FieldValue | None:
    best: FieldValue | None = None
    for said in utterances:
        if said.side is not Side.CALLER:
            continue
        for match in COMPANY.finditer(said.text):
            name = match.group(1)
            city = CITY.search(name)
            short = name[city.start() :] if city else BEFORE.sub("", name)
            for town in reference.towns:
                short = short.rpartition(town)[2]
            if len(short) < 6 or len(short) > 30:
                continue
            span = Span(said, match.end(1) - len(short), match.end(1))
            sure = 0.85 if city and "有线" not in short else 0.6
            if said.confidence:
                sure = min(sure, 0.55)
            value = field(short.replace("有线公司", "有限公司"), sure, Method.RULE, span)
            if best is None or value.confidence > best.confidence:
                best = value
    return best
