"""Where: town or street, village or community, and the place as said. Pure."""

import re
from collections.abc import Sequence

from gateway.models.order import FieldValue, Method
from gateway.models.transcript import Utterance
from workorders.extraction.sound import search
from workorders.extraction.spoken import Span, sentence_of
from workorders.reference import Reference

BY_SOUND = 0.78
ENDING = re.compile(r"(?:街道|镇|乡)")
VILLAGE = re.compile(r"[\u4e00-\u9fff]{2,4}?(?:村|社区|居委会)")
NO_NAME = re.compile(r"[这那哪几各全本该某农乡]|我们|哪个|什么|一个")
WHERE = re.compile(r"(?:门口|路口|路|街|大道|小区|广场|市场|大桥|公园|学校|医院|厂区|号楼|单元|组)")


def place(utterances: Sequence[Utterance], reference: Reference) -> dict[str, FieldValue]:
    """`town`, `village`, `location`."""
    fields: dict[str, FieldValue] = {}
    town = _town(utterances, reference)
    village = _village(utterances, reference, town[0] if town else None)
    if village is not None:
        name, span, confidence, method = village
        home = reference.villages.get(name)
        fields["village"] = FieldValue(
            value=name, confidence=confidence, method=method, evidence=(span.evidence(),)
        )
        if town is None and home is not None:
            town = (home, span, min(confidence, 0.85), Method.GAZETTEER)
    if town is not None:
        name, span, confidence, method = town
        fields["town"] = FieldValue(
            value=name, confidence=confidence, method=method, evidence=(span.evidence(),)
        )
    where = _location(utterances, [found[1] for found in (village, town) if found is not None])
    if where is not None:
        fields["location"] = FieldValue(
            value=where.text.strip("，。 "), confidence=0.7, method=Method.RULE, evidence=(where.evidence(),)
        )
    return fields


Found = tuple[str, Span, float, Method]


def _town(utterances: Sequence[Utterance], reference: Reference) -> Found | None:
    for said in utterances:
        for name in reference.towns:
            start = said.text.find(name)
            if start >= 0:
                return name, Span(said, start, start + len(name)), 0.97, Method.GAZETTEER
    for said in utterances:
        # Without its ending (金沙 for 金沙街道) only where nothing longer was meant.
        for name in reference.towns:
            short = ENDING.sub("", name)
            start = said.text.find(short)
            if len(short) >= 2 and start >= 0:
                return name, Span(said, start, start + len(short)), 0.8, Method.GAZETTEER
    best: Found | None = None
    for said in utterances:
        for heard in search(said.text, reference.towns, BY_SOUND)[:1]:
            confidence = round(0.4 + 0.5 * (heard.likeness - BY_SOUND) / (1 - BY_SOUND), 3)
            if best is None or confidence > best[2]:
                best = heard.name, Span(said, heard.start, heard.end), confidence, Method.GAZETTEER
    return best


def _village(utterances: Sequence[Utterance], reference: Reference, town: str | None) -> Found | None:
    names = [name for name, home in reference.villages.items() if town is None or home == town]
    for candidates, certain in ((names, 0.96), (list(reference.villages), 0.85)):
        for said in utterances:
            for name in candidates:
                start = said.text.find(name)
                if start >= 0:
                    return name, Span(said, start, start + len(name)), certain, Method.GAZETTEER
    best: Found | None = None
    for said in utterances:
        # In a known town few names compete: a weaker likeness may do.
        for heard in search(said.text, names, BY_SOUND if town else 0.88)[:1]:
            confidence = round(0.4 + 0.5 * max(0.0, heard.likeness - BY_SOUND) / (1 - BY_SOUND), 3)
            if best is None or confidence > best[2]:
                best = heard.name, Span(said, heard.start, heard.end), confidence, Method.GAZETTEER
    if best is not None:
        return best
    for said in utterances:
        text = said.text
        if town is not None:
            start = text.find(town)
            match = VILLAGE.match(text, start + len(town)) if start >= 0 else None
            if match is not None and not NO_NAME.search(match.group()):
                return match.group(), Span(said, match.start(), match.end()), 0.6, Method.RULE
    return None


def _location(utterances: Sequence[Utterance], near: list[Span]) -> Span | None:
    """The fullest sentence about the place: one that holds a found place and says more, or names a road."""
    for span in near:
        sentence = sentence_of(span)
        if WHERE.search(sentence.text):
            return sentence
    for said in utterances:
        for match in WHERE.finditer(said.text):
            if said.side == "caller":
                return sentence_of(Span(said, match.start(), match.end()))
    return sentence_of(near[0]) if near else None
