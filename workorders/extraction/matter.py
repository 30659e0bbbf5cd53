"""What the call is about: type, category, urgency, confidentiality, title, summary, wish, keywords. Pure."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

from domain.calls import Side
from domain.orders import Method, RequestType
from domain.transcripts import Utterance
from workorders.directories.reference import Reference
from workorders.extraction.classifier import Classifier
from workorders.extraction.cues import Cue, CueBook
from workorders.extraction.offered import Found, field, rule
from workorders.extraction.spoken import SENTENCE, Span, answers, find, of, sentence_of
from workorders.extraction.units import matter_books

GREETING = re.compile(r"^(?:喂|你好|您好|嗯|那个|就是|我想|我要|快点|[，,。！!、\s])+")
WISH = ("希望", "要求", "请你们", "麻烦你们", "能不能", "想让", "最好", "要把", "想请")
WISH_ASKED = ("希望怎么", "怎么处理", "诉求是什么", "有什么诉求", "什么要求")
SECRET_ASKED = ("保密",)
NO = re.compile(r"^(?:不用|不需要|不必|无所谓|没关系|不要紧|可以公开|没事)")
YES = re.compile(r"^(?:要|需要|是的|嗯|对|好|可以|保密|麻烦)")
CALM = frozenset({RequestType.SUGGESTION, RequestType.CONSULTATION, RequestType.PRAISE})
MAX_TITLE, MAX_SUMMARY = 40, 400


@lru_cache(maxsize=4)
def _books(reference: Reference) -> dict[str, CueBook]:
    words = reference.words
    return {
        "outright": CueBook(words.outright),
        "type": CueBook(words.request_type),
        "category": CueBook(words.category),
        "urgent": CueBook({"urgent": words.urgent, "life_safety": words.life_safety}),
        "secret": CueBook({"yes": words.confidential, "no": words.not_confidential}),
        "taxonomy": CueBook(
            {
                f"{one}\t{two}\t{three}": tuple(
                    part for part in re.split(r"[、/和与及]", three) if len(part) > 1 and part != "其他"
                )
                + words.below.get(f"{two}/{three}", ())
                for one, two, three in reference.taxonomy
            }
        ),
        "telling": CueBook({"matter": [word for one in reference.functions for word in one.words]}),
    }


def request_type(
    utterances: Sequence[Utterance], form: str, reference: Reference, classifier: Classifier | None
) -> dict[str, Found]:
    """Determine the request type: explicit statements outweigh hints; the classifier adds to both."""
    mine = of(utterances, Side.CALLER)
    books = _books(reference)
    scores: dict[str, float] = defaultdict(float)
    spans: dict[str, list[Span]] = defaultdict(list)
    for place, said in enumerate(mine[:3]):
        stated = books["outright"].hear([said])
        for order, cue in enumerate(sorted(stated, key=lambda one: one.span.start)):
            early = 1.0 if cue.span.start < 25 and place < 2 else 0.6
            # People say 反映 in passing whatever they want: a weak word beside 投诉 and 举报.
            weak = 0.45 if cue.tag in (RequestType.HELP, RequestType.CONSULTATION) else 1.0
            scores[cue.tag] += 6.0 * cue.weight * early * weak * (1.0 if order == 0 else 0.5)
            spans[cue.tag].insert(0, cue.span)
    seen: set[tuple[str, str]] = set()
    for place, said in enumerate(mine):
        for cue in books["type"].hear([said]):
            if (cue.tag, cue.phrase) in seen:
                continue
            seen.add((cue.tag, cue.phrase))
            # People say early on what they want.
            scores[cue.tag] += (1.5 if place < 2 else 0.7) * cue.weight * (len(cue.phrase) - 1) ** 0.4
            spans[cue.tag].append(cue.span)
    if classifier is not None and "request_type" in classifier.heads and mine:
        told = "".join(said.text for said in mine[:3])
        for name, share in classifier.predict(told, "request_type").items():
            scores[name] += 1.6 * share
    if form == "talent":
        scores[RequestType.CONSULTATION] += 1.0
    elif form == "enterprise":
        scores[RequestType.CONSULTATION] += 0.4
    for cue in books["urgent"].hear(mine):
        # A cry for help is a request for help, however it is phrased.
        if cue.tag == "urgent" and cue.weight > 0.8:
            scores[RequestType.HELP] += 1.5
            spans[RequestType.HELP].append(cue.span)
            break
    scores = {name: score for name, score in scores.items() if score > 0.3}
    if not scores:
        return {}
    ranked = sorted(scores, key=lambda name: -scores[name])
    best = ranked[0]
    second = scores[ranked[1]] if len(ranked) > 1 else 0.0
    margin = (scores[best] - second) / (scores[best] + second + 0.5)
    sure = 0.5 + 0.47 * min(1.0, margin * 1.5)
    others = tuple(rule(str(name), (1 - sure) * 0.6, *spans[name][:1]) for name in ranked[1:2])
    return {"request_type": Found(rule(str(best), sure, *spans[best]), others)}


def category(
    utterances: Sequence[Utterance], form: str, reference: Reference, classifier: Classifier | None
) -> dict[str, Found]:
    """Extract `category`, and where words lead there the taxonomy's lower levels `category2`, `category3`."""
    mine = of(utterances, Side.CALLER)
    words = reference.words
    scores: dict[str, float] = defaultdict(float)
    spans: dict[str, list[Span]] = defaultdict(list)
    for cue in _books(reference)["category"].hear(mine):
        scores[cue.tag] += 0.35 * (len(cue.phrase) - 1) ** 0.6 * cue.weight
        spans[cue.tag].append(cue.span)
    by_function: dict[str, list[Cue]] = defaultdict(list)
    for cue in matter_books(reference)[0].hear(mine):
        by_function[cue.tag].append(cue)
    for function in reference.functions:
        for name in function.categories:
            for cue in by_function[function.id]:
                scores[name] += 0.2 * (len(cue.phrase) - 1) ** 0.6 * cue.weight
                spans[name].append(cue.span)
    prior = words.category_of_form.get(form)
    if prior is not None and scores.get(prior):
        scores[prior] += 0.4
    if classifier is not None and mine:
        for name, share in classifier.predict("".join(said.text for said in mine), "category").items():
            scores[name] += 1.2 * share
    if not scores:
        return {}
    ranked = sorted(scores, key=lambda name: -scores[name])
    best = ranked[0]
    second = scores[ranked[1]] if len(ranked) > 1 else 0.0
    sure = 0.4 + 0.5 * (scores[best] - second) / (scores[best] + second + 0.1)
    where = spans[best] or [Span(said, 0, len(said.text)) for said in mine[:1]]
    others = tuple(field(name, (1 - sure) * 0.6, Method.MODEL, *spans[name][:1]) for name in ranked[1:3])
    found = {"category": Found(field(best, sure, Method.MODEL, *where), others)}
    below: Counter[str] = Counter()
    first: dict[str, Span] = {}
    for cue in _books(reference)["taxonomy"].hear(mine):
        if cue.tag.startswith(f"{best}\t"):
            below[cue.tag] += round(100 * cue.weight * (len(cue.phrase) - 1))
            first.setdefault(cue.tag, cue.span)
    if below:
        (path, score), *rest = below.most_common(2)
        _, two, three = path.split("\t")
        sure = 0.35 + 0.3 * (score / (score + (rest[0][1] if rest else 0)))
        found["category2"] = Found(rule(two, sure, first[path]))
        found["category3"] = Found(rule(three, sure * 0.9, first[path]))
    return found


def flags(utterances: Sequence[Utterance], reference: Reference, kind: str | None = None) -> dict[str, Found]:
    """Extract `urgent`, `life_safety` and `confidential`; an explicit "no" counts as much as a "yes".

    `kind` is the request type. In a suggestion or question, "dangerous" means what may happen, not what is
    happening.
    """
    mine = of(utterances, Side.CALLER)
    books = _books(reference)
    danger = [cue for cue in books["urgent"].hear(mine) if cue.exact or len(cue.phrase) > 2]
    if not any(cue.exact or len(cue.phrase) > 3 for cue in danger) and len({c.phrase for c in danger}) < 2:
        danger = []  # three syllables, once, by sound alone: 有微信 is easily heard as 有危险
    if kind in CALM and all("危险" in cue.phrase for cue in danger):
        danger = []
    urgent = [cue for cue in danger if cue.tag == "urgent"]
    life = [cue.span for cue in danger if cue.tag == "life_safety"]
    strongest = max((cue.weight for cue in urgent), default=0.0)
    found = {
        "urgent": Found(
            rule(bool(urgent), 0.55 + 0.42 * strongest if urgent else 0.93, *(cue.span for cue in urgent))
        )
    }
    if life:
        found["life_safety"] = Found(rule(True, 0.5 + 0.45 * strongest, *life))
    secrets = books["secret"].hear(mine)
    # 需要保密 sounds much like 不需要保密: a "no" only counts if spelt out.
    no = [cue for cue in secrets if cue.tag == "no" and cue.span.text[0] in "不无可"]
    yes = [
        cue
        for cue in secrets
        if cue.tag == "yes"
        and not any(
            one.span.utterance.id == cue.span.utterance.id and one.span.start <= cue.span.start < one.span.end
            for one in no
        )
    ]
    for said in answers(utterances, SECRET_ASKED):
        text = said.text.strip()
        if (NO.search(text) or re.search(r"不用|不需要", text)) and not yes:
            no.append(Cue("no", text, Span(said, 0, len(said.text)), 1.0))
        elif YES.search(text) and not no and _asked_secret(utterances, said):
            yes.append(Cue("yes", text, Span(said, 0, len(said.text)), 0.8))
    best = max((cue.weight for cue in yes), default=0.0)
    if yes:
        found["confidential"] = Found(rule(True, 0.5 + 0.46 * best, *(cue.span for cue in yes)))
    else:
        # It was asked, but no answer was understood: it may have been a yes.
        unanswered = any(said.side is Side.AGENT and "保密吗" in said.text for said in utterances) and not no
        sure = 0.7 if unanswered else 0.96 if no else 0.93
        found["confidential"] = Found(rule(False, sure, *(cue.span for cue in no)))
    return found


def _asked_secret(utterances: Sequence[Utterance], answer: Utterance) -> bool:
    """Whether confidentiality was the last thing the agent asked about before this answer."""
    before = [one for one in utterances if one.side is Side.AGENT and one.start < answer.start]
    return bool(before) and "保密" in before[-1].text[-14:]


def texts(utterances: Sequence[Utterance], reference: Reference, where: str) -> dict[str, Found]:
    """Extract `title` (led by `where`), `summary`, `wish` and `keywords`, in the caller's own words."""
    mine = of(utterances, Side.CALLER)
    found: dict[str, Found] = {}
    told = [
        span
        for said in mine
        for match in SENTENCE.finditer(said.text)
        if len((span := Span(said, match.start(), match.end())).text.strip("，。 ")) > 3
    ]
    telling = _books(reference)["telling"].hear(mine)
    heavy = [
        span
        for span in told
        if any(
            cue.span.utterance.id == span.utterance.id and span.start <= cue.span.start < span.end
            for cue in telling
        )
    ] or told[:2]
    if heavy:
        title = GREETING.sub("", heavy[0].text).strip("，。 ")
        if where and where not in title:
            title = f"{where}：{title}"
        if title:
            found["title"] = Found(rule(title[:MAX_TITLE], 0.7, heavy[0]))
        summary = "".join(GREETING.sub("", span.text) for span in heavy)[:MAX_SUMMARY]
        if summary:
            found["summary"] = Found(rule(summary, 0.7, *heavy))
    wished = [sentence_of(span) for span in find(mine, WISH)]
    wished += [Span(said, 0, len(said.text)) for said in answers(utterances, WISH_ASKED)[:1]]
    if wished:
        best = wished[-1] if len(wished) > 1 and wished[-1].start == 0 else wished[0]
        found["wish"] = Found(rule(best.text.strip("，。 "), 0.7, best))
    counted = Counter(cue.phrase for cue in telling)
    words = [word for word, _ in counted.most_common(8)]
    if words:
        found["keywords"] = Found(rule(words, 0.7, *(cue.span for cue in telling)))
    return found
