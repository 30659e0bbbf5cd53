"""What it is about: type, category, unit, urgency, confidentiality, title, summary, wish, keywords. Pure."""

import re
from collections import Counter
from collections.abc import Sequence

from gateway.models.call import Side
from gateway.models.order import FieldValue, Method, RequestType
from gateway.models.transcript import Utterance
from workorders.extraction.spoken import SENTENCE, Span, find, of, sentence_of
from workorders.reference import Reference, Unit

# What callers say outright outweighs what their words suggest.
OUTRIGHT = {
    RequestType.REPORT: ("我要举报", "想举报", "举报一下", "匿名举报", "举报"),
    RequestType.COMPLAINT: ("我要投诉", "想投诉", "投诉一下", "投诉"),
    RequestType.PRAISE: ("表扬", "想感谢", "送锦旗"),
    RequestType.SUGGESTION: ("建议", "提个意见"),
    RequestType.CONSULTATION: ("咨询", "想问", "问一下", "请教", "了解一下"),
    RequestType.HELP: ("求助", "我要反映", "反映一个问题", "反映一下"),
}
GREETING = re.compile(r"^(?:喂|你好|您好|嗯|那个|就是|我想|我要|[，,。！!、\s])+")
WISH = ("希望", "要求", "请你们", "麻烦你们", "能不能", "想让", "最好")
MAX_TITLE, MAX_SUMMARY = 40, 400


def _rule(value: object, confidence: float, *spans: Span) -> FieldValue:
    return FieldValue(
        value=value,
        confidence=round(confidence, 3),
        method=Method.RULE,
        evidence=tuple(span.evidence() for span in spans[:3]),
    )


def matter(utterances: Sequence[Utterance], form: str, reference: Reference) -> dict[str, FieldValue]:
    """All fields about the matter."""
    mine = of(utterances, Side.CALLER)
    if not any(said.text.strip() for said in mine):
        return {}
    fields: dict[str, FieldValue] = {}
    fields |= _request_type(mine, reference)
    fields |= _category(mine, form, reference)
    fields |= _flags(mine, reference)
    fields |= _words(mine, reference)
    return fields


def _request_type(mine: Sequence[Utterance], reference: Reference) -> dict[str, FieldValue]:
    for said in mine[:3]:
        stated = [
            (found.start, kind, found) for kind, cues in OUTRIGHT.items() for found in find([said], cues)
        ]
        if stated:
            _, kind, span = min(stated, key=lambda one: one[0])
            return {"request_type": _rule(kind.value, 0.93, span)}
    scores: Counter[str] = Counter()
    first: dict[str, Span] = {}
    for place, said in enumerate(mine):
        for name, cues in reference.words.request_type.items():
            for span in find([said], cues):
                # People say early what they want.
                scores[name] += 3 if place == 0 else 1
                first.setdefault(name, span)
    if not scores:
        return {}
    (best, top), *others = scores.most_common(2)
    margin = top / (top + (others[0][1] if others else 0))
    return {"request_type": _rule(best, 0.45 + 0.45 * margin, first[best])}


def _category(mine: Sequence[Utterance], form: str, reference: Reference) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {}
    words = reference.words
    scores: Counter[str] = Counter()
    spans: dict[str, list[Span]] = {}
    for name, cues in words.category.items():
        for span in find(mine, cues):
            scores[name] += len(span.text) - 1
            spans.setdefault(name, []).append(span)
    if (prior := words.category_of_form.get(form)) and scores[prior]:
        scores[prior] += 2
    category = None
    if scores:
        (category, top), *others = scores.most_common(2)
        margin = top / (top + (others[0][1] if others else 0))
        fields["category"] = _rule(category, 0.35 + 0.5 * margin, *spans[category])
    fields |= _unit(mine, category, reference)
    return fields


def _unit(mine: Sequence[Utterance], category: str | None, reference: Reference) -> dict[str, FieldValue]:
    best: tuple[float, Unit, list[Span]] | None = None
    for unit in reference.units:
        named = find(mine, (unit.name, *unit.aliases))
        told = find(mine, unit.words)
        score = 4.0 * len(named) + sum(len(span.text) - 1 for span in told)
        if category is not None and category in unit.categories:
            score += 1.5
        if score > 0 and (best is None or score > best[0]):
            best = (score, unit, [*named, *told])
    if best is None:
        return {}
    score, unit, spans = best
    return {"unit": _rule(unit.name, min(0.9, 0.4 + 0.1 * score), *spans)}


def _flags(mine: Sequence[Utterance], reference: Reference) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {}
    danger = find(mine, reference.words.urgent)
    fields["urgent"] = _rule(bool(danger), 0.95 if danger else 0.9, *danger)
    refused = find(mine, reference.words.not_confidential)
    asked = [
        span
        for span in find(mine, reference.words.confidential)
        if not any(
            no.utterance.id == span.utterance.id and no.start <= span.start <= no.end for no in refused
        )
    ]
    fields["confidential"] = _rule(bool(asked), 0.95 if asked else 0.9, *(asked or refused))
    return fields


def _words(mine: Sequence[Utterance], reference: Reference) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {}
    told = [
        span
        for said in mine
        for match in SENTENCE.finditer(said.text)
        if len((span := Span(said, match.start(), match.end())).text.strip("，。 ")) > 3
    ]
    telling = {cue for cues in reference.words.category.values() for cue in cues} | {
        word for unit in reference.units for word in unit.words
    }
    heavy = [span for span in told if any(word in span.text for word in telling)] or told
    if heavy:
        title = GREETING.sub("", heavy[0].text).strip("，。 ")[:MAX_TITLE]
        if title:
            fields["title"] = _rule(title, 0.7, heavy[0])
        summary = "".join(GREETING.sub("", span.text) for span in heavy)[:MAX_SUMMARY]
        if summary:
            fields["summary"] = _rule(summary, 0.7, *heavy)
    wishes = list({sentence_of(span): None for span in find(mine, WISH)})
    if wishes:
        fields["wish"] = _rule(wishes[0].text.strip("，。 "), 0.7, wishes[0])
    found = Counter(span.text for span in find(mine, sorted(telling)))
    keywords = [word for word, _ in found.most_common(12)]
    shortest = [word for word in keywords if not any(word != other and word in other for other in keywords)]
    if shortest:
        spans = find(mine, shortest)
        fields["keywords"] = _rule(shortest[:8], 0.7, *spans)
    return fields
