"""Where: town or street, village or community, and the place as described. Pure.

Both sides count: the agent repeats the place and is easier to recognise. Town and village are chosen
together: a village in the named town is likelier than one that sounds a little closer but lies elsewhere.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from domain.calls import Side
from domain.orders import Method
from domain.transcripts import Utterance
from workorders.directories.reference import Reference
from workorders.directories.sound import Heard, syllables_alike
from workorders.extraction.offered import Found, field, rule
from workorders.extraction.spoken import Span, answers, sentence_of

TOWN_LEAST, VILLAGE_LEAST = 0.72, 0.76
AGAIN = 0.35
LEAST_SURE = 0.34
"""Anything less is a guess the agent would only have to remove."""
# Words found in every call; they do not occur in place names.
COMMON = re.compile(
    r"请问|您好|你好|希望|通州|什么|怎么|我想|咨询|再见|电话|谢谢|一下|我们|你们|他们|公司|请您|请你|帮您|记录|有限|号码|反映|反应|工程|姓名|手机|保密|处理|好的"
)
OTHER_ENDINGS = "区市县省路街厂店楼号户们个期"
NUMERAL = re.compile(r"[零一二三四五六七八九0-9]")
ENDING = re.compile(r"(?:街道|镇|乡)$")
VILLAGE = re.compile(r"([\u4e00-\u9fff]{2,5}?(?:村|社区|居委会|居))(?!民|住|委会主任|干部)")
NO_NAME = re.compile(r"[这那哪几各全本该某农乡我你他]|什么|一个|新农|回|邻|定|小区|街道|镇")
SUFFIX = re.compile(r"[村居区寸存准遵尊]|社区")
CUE = re.compile(r"(?:住在|家在|我在|位于|地址是|在|是)$")
WHICH = ("哪个村", "哪里", "什么位置", "具体位置", "哪个社区", "村或者", "哪个位置", "地址", "什么地方")
WHERE = re.compile(r"门口|路口|路|街|大道|小区|广场|市场|大桥|公园|学校|医院|厂区|号楼|单元|组|河|桥")


class Mention(Struct):
    """One mention of a place."""

    heard: Heard
    span: Span
    score: float


def place(utterances: Sequence[Utterance], reference: Reference) -> dict[str, Found]:
    """Extract `town`, `village` and `location`."""
    if utterances and utterances[0].side is Side.AGENT and utterances[0].text[:2] in ("您好", "你好"):
        utterances = utterances[1:]  # the greeting names the hotline's place, not the caller's
    towns = _towns(utterances, reference)
    villages = _villages(utterances, reference, towns)
    found: dict[str, Found] = {}
    near: list[Span] = []
    best_town = towns[0] if towns else None
    if villages:
        name, home, mention, sure, method = villages[0]
        others = tuple(
            field(one[0], one[3] * 0.5, one[4], one[2].span) for one in villages[1:3] if one[0] != name
        )
        found["village"] = Found(field(name, sure, method, mention.span), others)
        near.append(mention.span)
        if best_town is None and home:
            best_town = (home, sure * 0.9, mention.span)
    if best_town is not None:
        name, sure, span = best_town
        others = tuple(
            field(one[0], one[1] * 0.4, Method.GAZETTEER, one[2]) for one in towns[1:3] if one[0] != name
        )
        found["town"] = Found(field(name, sure, Method.GAZETTEER, span), others)
        near.append(span)
    where = _location(utterances, near)
    if where is not None:
        found["location"] = Found(rule(where.text.strip("，。 "), 0.7, where))
    return found


Town = tuple[str, float, Span]


def _towns(utterances: Sequence[Utterance], reference: Reference) -> list[Town]:
    scores: dict[str, float] = defaultdict(float)
    best: dict[str, Mention] = {}
    index = reference.town_index
    for said in utterances:
        mentions = []
        for heard in index.index.search(said.text, TOWN_LEAST):
            name = reference.towns[index.owner(heard.index)]
            if not heard.exact and not _likely(heard, said.text, 0.72):
                continue
            score = heard.telling * (1.6 if heard.exact else 1.0)
            if not heard.exact and heard.likeness < 0.8:
                score *= 0.7
            mentions.append((name, Mention(heard, Span(said, heard.start, heard.end), score)))
        for name in reference.towns:
            short = ENDING.sub("", name)
            at = said.text.find(short)
            if len(short) >= 2 and at >= 0 and not any(m.heard.exact for n, m in mentions if n == name):
                heard = Heard(0, name, at, at + len(short), 0.9, 3.2)
                mentions.append((name, Mention(heard, Span(said, at, at + len(short)), 3.2)))
        taken: list[Span] = []
        for name, mention in sorted(mentions, key=lambda one: -one[1].score):
            # Text understood as one place cannot be another as well.
            if any(span.start < mention.span.end and mention.span.start < span.end for span in taken):
                continue
            taken.append(mention.span)
            held = best.get(name)
            # Repetition counts, but less than being heard well once.
            scores[name] += AGAIN * mention.score
            if held is None or mention.score > held.score:
                best[name] = mention
    for name, mention in best.items():
        scores[name] += (1 - AGAIN) * mention.score
    ranked = sorted(scores, key=lambda name: -scores[name])
    if not ranked:
        return []
    result = []
    for position, name in enumerate(ranked):
        mention = best[name]
        rival = scores[ranked[1 - position]] if position < 2 and len(ranked) > 1 else 0.0
        margin = scores[name] / (scores[name] + rival)
        if mention.heard.exact:
            sure = 0.97 if margin > 0.6 else 0.8
        else:
            sure = 0.25 + 0.65 * (mention.heard.likeness - TOWN_LEAST) / (1 - TOWN_LEAST)
            sure *= 0.5 + 0.5 * min(1.0, (margin - 0.4) / 0.4) if margin < 0.8 else 1.0
        if mention.score >= 1.6 and sure >= LEAST_SURE:
            result.append((name, sure, mention.span))
    return result


Village = tuple[str, str, Mention, float, Method]


def _villages(utterances: Sequence[Utterance], reference: Reference, towns: Sequence[Town]) -> list[Village]:
    ranked: dict[int, tuple[float, Mention, int]] = {}
    asked = {said.id for said in answers(utterances, WHICH)}
    known = {name: (len(towns) - at, span) for at, (name, _, span) in enumerate(towns[:3])}
    index = reference.village_index
    for said in utterances:
        for heard in index.index.search(said.text, VILLAGE_LEAST, 40):
            at = index.owner(heard.index)
            if not heard.exact and not _likely(
                heard, said.text, 0.75 if heard.name.endswith(("村", "社区")) else 0.95
            ):
                continue
            home = reference.villages[at].town
            span = Span(said, heard.start, heard.end)
            score, signs = heard.telling, 0
            if heard.exact:
                score += 4.0
            if towns and home == towns[0][0]:
                score += 2.0
                signs += 1
            elif towns:
                score -= 2.0
            if home in known:
                town = known[home][1]
                if town.utterance.id == said.id and -1 <= span.start - town.end <= 4:
                    score += 1.5
                    signs += 1
            if (
                any(
                    one[2].utterance.id == said.id
                    and one[2].start < span.end - 1
                    and span.start < one[2].end - 1
                    for one in towns[:1]
                )
                and not heard.exact
            ):
                continue  # this text named the town
            if SUFFIX.search(span.text[-2:]):
                score += 1.0
                signs += 1
            if said.id in asked:
                score += 1.0
                signs += 1
            if said.side is Side.AGENT:
                score -= 0.5
            enough = 0.94 if signs == 0 else 0.88 if signs == 1 else 0.8 if signs == 2 else VILLAGE_LEAST
            if not heard.exact and heard.likeness < enough:
                continue
            if heard.exact and len(heard.name) < 3 and not signs:
                continue
            held = ranked.get(at)
            if held is None or score > held[0]:
                ranked[at] = (score, Mention(heard, span, score), signs)
    found: list[Village] = []
    order = sorted(ranked, key=lambda at: -ranked[at][0])
    for position, at in enumerate(order[:3]):
        score, mention, signs = ranked[at]
        one = reference.villages[at]
        rival = ranked[order[position + 1]][0] if position + 1 < len(order) else 0.0
        margin = min(1.0, max(0.0, score - rival) / 2.5)
        sure = 0.96 if mention.heard.exact else 0.2 + 0.08 * signs + 0.3 * margin
        if not mention.heard.exact:
            sure += 0.4 * max(0.0, mention.heard.likeness - VILLAGE_LEAST) / (1 - VILLAGE_LEAST)
        found.append((one.village, one.town, mention, sure, Method.GAZETTEER))
    spelt = _spelt(utterances, towns, asked)
    if spelt is not None and (not found or (not found[0][2].heard.exact and found[0][3] < 0.6)):
        found.insert(0, spelt)
    return found


def _likely(heard: Heard, text: str, ending: float) -> bool:
    """Whether this may be a place: it ends like one, and no pause or number interrupts it."""
    stretch = text[heard.start : heard.end]
    if re.search(r"[，。！？、；,.!?;]", stretch) or len(NUMERAL.findall(stretch)) > 1:
        return False
    if COMMON.search(stretch):
        return False
    if stretch[-1] in OTHER_ENDINGS and heard.name[-1] != stretch[-1]:
        return False
    return syllables_alike(heard.name[-1], stretch[-1]) >= ending


def _spelt(utterances: Sequence[Utterance], towns: Sequence[Town], asked: set[str]) -> Village | None:
    """Find a village that is not in the gazetteer, as written down.

    It follows its town, or answers "which village".
    """
    for said in utterances:
        if said.side is not Side.CALLER:
            continue
        starts = [at + len(name) for name, _, _ in towns[:1] if (at := said.text.find(name)) >= 0]
        if said.id in asked:
            starts += [match.end() for match in re.finditer(r"在|是|^|，", said.text)]
        for start in starts:
            match = VILLAGE.match(said.text, start)
            if match is not None and not NO_NAME.search(match.group(1)[:-1]):
                span = Span(said, match.start(1), match.end(1))
                heard = Heard(0, match.group(1), span.start, span.end, 1.0, 1.0)
                return match.group(1), "", Mention(heard, span, 1.0), 0.6, Method.RULE
    return None


def _location(utterances: Sequence[Utterance], near: list[Span]) -> Span | None:
    """Find the fullest sentence about the place: it says more than a found place, or names a road."""
    for span in near:
        sentence = sentence_of(span)
        if WHERE.search(sentence.text):
            return sentence
    for said in utterances:
        match = WHERE.search(said.text)
        if said.side is Side.CALLER and match is not None:
            return sentence_of(Span(said, match.start(), match.end()))
    return sentence_of(near[0]) if near else None
