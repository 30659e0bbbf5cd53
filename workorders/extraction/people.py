"""Who calls: name or surname and form of address. Only what callers say of themselves. Pure.

Surnames are single syllables, and recognisers write them as any homophone, so several signs are weighed
together:
the character after 姓, the words that tell it apart (陆地的陆), and what the agent then calls the person
(顾女士).
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from gateway.models.call import Side
from gateway.models.transcript import Utterance
from workorders.extraction.cues import CueBook
from workorders.extraction.offered import Found, rule
from workorders.extraction.spoken import Span, answers
from workorders.extraction.surnames import Surnames
from workorders.reference import Reference
from workorders.sound import syllables_alike
from workorders.syllables import INVENTORY, sounds

ASKED = ("贵姓", "姓名", "称呼", "名字", "联系人", "怎么称", "贵信", "贵性", "姓啥", "姓什么", "尊姓")
SURNAME = re.compile(r"姓(?:的是|是)?([\u4e00-\u9fff]{1,2})")
SOMEBODY_ELSE = re.compile(
    r"(?:老板|经理|他|她|一个|有个|那个|人|位|同志|对方|负责人|法人|邻居|司机|房东|主任|书记)(?:也)?(?:是)?$"
)
NO_NAME = re.compile(r"[一个的了在那这]|公司|什么")
MODEST = re.compile(r"免贵[^姓\W]([\u4e00-\u9fff]{1,2})")
QUESTION = CueBook(
    {
        "name": [
            "请问您贵姓",
            "您贵姓",
            "怎么称呼您",
            "您怎么称呼",
            "怎么称呼",
            "您的姓名",
            "您的名字",
            "叫什么名字",
        ]
    }
)
FULL = re.compile(
    r"(?:我叫|名字叫|名字是|姓名是|我的名字叫做?|本人叫?|我是叫)([\u4e00-\u9fff]{2,4}?)"
    r"(?=[，,。.、；;！!？?\s]|$|电话|手机|住|今年|是|家住)"
)
ADDRESS = re.compile(r"([\u4e00-\u9fff]{1,2})(先生|女士|小姐|师傅|老师|阿姨|大爷|同志)")
TITLE = {"先生": "先生", "女士": "女士", "小姐": "女士"}
OF = re.compile(r"([\u4e00-\u9fff])([\u4e00-\u9fff])[的地得]([\u4e00-\u9fff])")
# Where 姓 was heard as something like it: only right at the start of an answer to "your name, please".
LIKE_XING = ("xing", "xin", "xian", "xiang", "jing", "qing", "xun", "zhen", "zheng")


def caller_name(utterances: Sequence[Utterance], reference: Reference) -> dict[str, Found]:
    """`caller_name` and `form_of_address`."""
    surnames = Surnames.of(reference)
    votes: dict[str, float] = defaultdict(float)
    spans: dict[str, list[Span]] = defaultdict(list)
    full: tuple[str, Span] | None = None
    asked = {said.id for said in answers(utterances, ASKED)} | _answered(utterances)
    spelt: set[str] = set()

    def vote(sound: str, weight: float, span: Span) -> None:
        for name, share in surnames.meant(sound):
            votes[name] += weight * share
            spans[name].append(span)

    for said in utterances:
        if said.side is not Side.CALLER:
            continue
        text = said.text
        for match in FULL.finditer(text):
            name = match.group(1)
            if (surnames.head(name) in surnames.known or said.id in asked) and not NO_NAME.search(name):
                full = name, Span(said, match.start(), match.end(1))
                vote(surnames.head(name), 1.6, full[1])
                if surnames.head(name) in surnames.known:
                    spelt.add(surnames.head(name))
        for match in MODEST.finditer(text):
            head = surnames.head(match.group(1))
            vote(head, 1.3, Span(said, match.start(), match.start(1) + len(head)))
        for match in SURNAME.finditer(text):
            if SOMEBODY_ELSE.search(text[: match.start()]) and said.id not in asked:
                continue
            if SOMEBODY_ELSE.search(text[: match.start()]) and not re.search(
                r"我(?:是)?$", text[: match.start()]
            ):
                continue
            head = surnames.head(match.group(1))
            if head in surnames.known:
                spelt.add(head)
            vote(head, 1.6, Span(said, match.start(), match.start(1) + len(head)))
        if not any(span.utterance.id == said.id for some in spans.values() for span in some):
            heard = _like_xing(said, said.id in asked)
            if heard is not None:
                vote(heard[0], 0.9, heard[1])
        named = any(span.utterance.id == said.id for some in spans.values() for span in some)
        for match in OF.finditer(text):
            one, other, meant = match.groups()
            if meant in (one, other) and meant in surnames.known and not named and said.id not in asked:
                # 保护的保: said of nothing but a name.
                vote(meant, 1.2, Span(said, match.start(), match.end()))
        if said.id in asked or named or "姓" in text:
            for match in OF.finditer(text):
                one, other, meant = match.groups()
                alike = [char for char in (one, other) if syllables_alike(char, meant) > 0.85]
                for char in alike[:1]:
                    span = Span(said, match.start(), match.end())
                    vote(meant, 0.8, span)
                    vote(char, 0.8, span)
            for name, likeness, start, end in surnames.told_apart(text):
                votes[name] += 1.8 * likeness
                spans[name].append(Span(said, start, end))
            if said.id in asked and not votes:
                bare = re.match(r"^(?:我|嗯|叫|免贵)?([\u4e00-\u9fff])[，,。]", text)
                if bare is not None and bare.group(1) in surnames.known:
                    vote(bare.group(1), 0.7, Span(said, bare.start(1), bare.end(1)))
    address = _addressed(utterances, surnames, votes, spans)
    if not votes:
        return {}
    ranked = sorted(votes, key=lambda name: -votes[name])
    best = ranked[0]
    total = sum(votes.values())
    sure = votes[best] / total
    value = best
    if full is not None and surnames.head(full[0]) == best:
        value = full[0]
    elif full is not None and syllables_alike(full[0][0], best[0]) > 0.9:
        value = best + full[0][1:]
    heard_sure = 0.95 if best in spelt and sure > 0.75 else min(0.9, 0.15 + 0.75 * sure)
    recognised = any(0.0 < span.utterance.confidence < 0.97 for span in spans[best])
    signs = len({(span.utterance.id, span.start) for span in spans[best]})
    if recognised and (signs < 2 or len(value) > len(best)):
        # One syllable, once, over the telephone: often a homophone.
        heard_sure = min(heard_sure, 0.72)
    others = tuple(rule(name, votes[name] / total * 0.6, *spans[name][:1]) for name in ranked[1:3])
    found = {"caller_name": Found(rule(value, heard_sure, *spans[best]), others)}
    if address is not None:
        found["form_of_address"] = Found(rule(address[0], 0.85, address[1]))
    return found


def _answered(utterances: Sequence[Utterance]) -> set[str]:
    """What the caller says right after a question that sounded like one for the name (您贵行)."""
    questions = {
        cue.span.utterance.id for cue in QUESTION.hear([u for u in utterances if u.side is Side.AGENT])
    }
    found = set()
    open_ = False
    for said in utterances:
        if said.side is Side.AGENT:
            open_ = said.id in questions
        elif open_:
            found.add(said.id)
    return found


def _like_xing(said: Utterance, asked: bool) -> tuple[str, Span] | None:
    """The character after what was 姓, where that was written as something like it; `我信朝麻烦你们`.

    Unasked (the question may not have been heard) only `我信朝。`: a clause of its own with the likeliest
    sounds.
    """
    numbers, where = sounds(said.text)
    like = {INVENTORY.number(one) for one in (LIKE_XING if asked else LIKE_XING[:2])}
    for at in range(min(3, len(numbers) - 1)):
        if int(numbers[at]) not in like:
            continue
        start, next_ = int(where[at]), int(where[at + 1])
        before, char = said.text[:start], said.text[next_]
        if not asked:
            ends = next_ + 1 == len(said.text) or said.text[next_ + 1] in "，。,.！!"
            if not (ends and re.fullmatch(r"(?:我|免贵|我是|是|喂我)?", before)):
                continue
        return char, Span(said, start, next_ + 1)
    return None


def _addressed(
    utterances: Sequence[Utterance],
    surnames: Surnames,
    votes: dict[str, float],
    spans: dict[str, list[Span]],
) -> tuple[str, Span] | None:
    """What the agent calls the caller: counts for the surname too."""
    address = None
    for said in utterances:
        if said.side is not Side.AGENT:
            continue
        for match in ADDRESS.finditer(said.text):
            name = match.group(1)
            head = name if name in surnames.known else name[-1]
            span = Span(said, match.end(1) - len(head), match.end())
            for meant, share in surnames.meant(head):
                votes[meant] += 0.9 * share
                spans[meant].append(span)
            if match.group(2) in TITLE:
                address = TITLE[match.group(2)], span
    return address
