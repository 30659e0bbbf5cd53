"""Who is calling: name or surname, and form of address; only what callers say about themselves. Pure.

Surnames are single syllables, which recognisers write as any homophone, so several signs are weighed
together: what stands where the surname is expected (我姓曹 heard as 我信朝, 免贵姓林 as 连跪线林), the words
that distinguish it (陆地的陆), and what the agent then calls the person (顾女士, heard as 故女婿).
"""

import re
from collections.abc import Iterator, Sequence

from domain.calls import Side
from domain.transcripts import Utterance
from workorders.directories.reference import Reference
from workorders.directories.sound import SoundIndex, syllables_alike
from workorders.directories.syllables import INVENTORY, Sounds, sounds
from workorders.extraction.cues import CueBook
from workorders.extraction.offered import Found, rule
from workorders.extraction.spoken import Span, answers
from workorders.extraction.surnames import Sign, Surnames

ASKED = ("贵姓", "姓名", "称呼", "名字", "联系人", "怎么称", "贵信", "贵性", "姓啥", "姓什么", "尊姓")
SURNAME = re.compile(r"姓(?:的是|是)?(?![名氏啥什])([\u4e00-\u9fff]{1,2})")
SOMEBODY_ELSE = re.compile(
    r"(?:老板|经理|他|她|一个|有个|那个|人|位|同志|对方|负责人|法人|邻居|司机|房东|主任|书记)(?:也)?(?:是)?$"
)
NO_NAME = re.compile(r"[一个的了在那这]|公司|什么")
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
NO_SURNAME = ("", "贵")
"""What may be heard after a beginning although it is not a surname: 姓贵 of 免贵姓…"""
BARE = SoundIndex(["您贵姓", "贵姓"])
BARE_ALIKE = 0.79
"""A three-syllable utterance this similar can be nothing else: 民贵秀."""
FULL = re.compile(
    r"(?:我叫|名字叫|名字是|姓名是|我的名字叫做?|本人叫?|我是叫)([\u4e00-\u9fff]{2,4}?)"
    r"(?=[，,。.、；;！!？?\s]|$|电话|手机|住|今年|是|家住)"
)
ADDRESS = re.compile(r"([\u4e00-\u9fff]{1,2})(先生|女士|小姐|师傅|老师|阿姨|大爷|同志)")
MYSELF = re.compile(r"(?:我是|叫我|我就是)([\u4e00-\u9fff]{1,2})(?:先生|女士|小姐)")
NAME_QUESTION = "请问您贵姓？"
"""The usual wording of the question for the name."""
BEGINNINGS = ("我姓", "免贵姓", "姓", "我叫", "我的名字叫")
"""How answers to it begin, before the surname."""
DOUBT = 2e-5
"""Other answers (a number, a refusal) rarely score above this for such a beginning, names rarely below."""
UNASKED_DOUBT = 2e-4
NOBODY = frozenset("位的名个这那有些是好您女老男")
HEARD_RIGHT = 0.87
"""How often a recognised syllable is at all similar to what was said."""
TITLE = {"先生": "先生", "女士": "女士", "小姐": "女士"}
OF = re.compile(r"([\u4e00-\u9fff])([\u4e00-\u9fff])[的地得]([\u4e00-\u9fff])")
CLAUSE = re.compile(r"[^，。,.！!？?；;、《》﹑﹐\s]+")
# Where the caller's answer may begin: 我信朝, 我是姓…, 嗯我…
BEFORE = re.compile(r"(?:嗯|喂|啊|哦|好的?|那|是|我|我是|我的|叫|免贵)*$")


def _number(char: str) -> int:
    return int(sounds(char)[0][0])


XING, MIAN, GUI, HAO, DE = (_number(char) for char in "姓免贵好的")
TITLES = [(_number(one), _number(other)) for one, other in ("先生", "女士")]


def name_beginnings(said: Utterance) -> tuple[str, ...]:
    """Return how the answer to this utterance may begin; empty unless the agent asked for the name."""
    asks = any(word in said.text for word in ASKED) or _asks(said)
    return BEGINNINGS if asks else ()


def caller_name(utterances: Sequence[Utterance], reference: Reference) -> dict[str, Found]:
    """Extract `caller_name` and `form_of_address`."""
    surnames = Surnames.of(reference)
    asked = {said.id for said in answers(utterances, ASKED)} | _answered(utterances)
    posed = any(
        said.side is Side.AGENT and (_asks(said) or any(word in said.text for word in ASKED))
        for said in utterances
    )
    signs: list[Sign] = []
    full: tuple[str, Span] | None = None
    for said in utterances:
        if said.side is not Side.CALLER:
            continue
        named = _full(said, surnames, said.id in asked)
        if named is not None:
            full = named
            signs.append(_sign(named[1], surnames.head(named[0]), 0.95))
        weighed = _weighed(said, said.id in asked)
        # The recogniser's weighed alternatives say more than its text, which is only the likeliest of them.
        mine = [weighed] if weighed is not None else list(_surname(said, surnames, said.id in asked))
        signs += mine
        due = bool(mine) or named is not None or said.id in asked
        signs += _told_apart(said, surnames, due, apart=not mine and said.id not in asked)
    called, address = _addressed(utterances, surnames, posed)
    signs += called
    ranked = surnames.weigh(signs)
    if not ranked:
        return {}
    best, sure = ranked[0]
    full_name = full is not None and surnames.head(full[0]) == best
    value = best
    if full is not None and (full_name or syllables_alike(full[0][0], best[0]) > 0.9):
        value = best + full[0][len(surnames.head(full[0])) :]
    spans = [one.span for one in signs]
    written = any(one.written and best in (one.heard, one.told) for one in signs)
    if written and sure > 0.75:
        sure = 0.95
    elif len(value) > len(best):
        sure *= 0.8  # a given name is two more syllables to mishear, with nothing to check them against
    others = tuple(rule(name, share, *spans[:1]) for name, share in ranked[1:3])
    found = {"caller_name": Found(rule(value, sure, *spans), others)}
    if address is not None:
        found["form_of_address"] = Found(rule(address[0], 0.85, address[1]))
    return found


def _sign(span: Span, heard: str, trust: float) -> Sign:
    said = span.utterance
    written = not 0.0 < said.confidence < 0.97
    return Sign(span, heard, trust if written else min(trust, HEARD_RIGHT), written=written)


def _weighed(said: Utterance, asked: bool) -> Sign | None:
    """Return how an answer to the name question began, if the recogniser was asked to weigh it."""
    others = (SOMEBODY_ELSE.search(said.text[: match.start()]) for match in SURNAME.finditer(said.text))
    if any(other is not None for other in others) and "我姓" not in said.text:
        return None
    heard: dict[str, float] = {}
    for one in said.alternatives:
        for beginning in BEGINNINGS:
            if one.text.startswith(beginning) and one.text[len(beginning) :] not in NO_SURNAME:
                char = one.text[len(beginning)]
                heard[char] = heard.get(char, 0.0) + one.probability
    total = sum(heard.values())
    trust = min(HEARD_RIGHT, total / (total + (DOUBT if asked else UNASKED_DOUBT)))
    if trust < 0.2:
        return None
    shares = tuple((char, probability / total) for char, probability in heard.items())
    return Sign(Span(said, 0, len(said.text)), trust=trust, shares=shares)


def _full(said: Utterance, surnames: Surnames, asked: bool) -> tuple[str, Span] | None:
    """Find a full name: 我叫王建国."""
    found = None
    for match in FULL.finditer(said.text):
        name = match.group(1)
        if (surnames.head(name) in surnames.known or asked) and not NO_NAME.search(name):
            found = name, Span(said, match.start(), match.end(1))
    return found


def _surname(said: Utterance, surnames: Surnames, asked: bool) -> Iterator[Sign]:
    """Find what the caller says after 姓, or what was heard as 姓; the likeliest place comes first."""
    text = said.text
    found = False
    for match in SURNAME.finditer(text):
        if SOMEBODY_ELSE.search(text[: match.start()]) and not re.search(
            r"我(?:是)?$", text[: match.start()]
        ):
            continue
        head = surnames.head(match.group(1))
        found = True
        yield _sign(Span(said, match.start(), match.start(1) + len(head)), head, 0.97)
    for match in MYSELF.finditer(text):
        head = surnames.head(match.group(1))
        if head in surnames.known:
            found = True
            yield _sign(Span(said, match.start(), match.end()), head, 0.9)
    if not found:
        blurred = _blurred(said, surnames, asked)
        if blurred is not None:
            yield blurred


def _blurred(said: Utterance, surnames: Surnames, asked: bool) -> Sign | None:
    """Find 姓 by sound (我信朝, 连跪线林, 我认识), only where a name is expected or nothing else fits."""
    numbers, where = sounds(said.text)
    alike = INVENTORY.matrix
    best: Sign | None = None
    for at in range(min(8, len(numbers) - 1)):
        start, next_ = int(where[at]), int(where[at + 1])
        likeness = float(alike[int(numbers[at]), XING])
        modest = _modest(said.text, numbers, where, at)
        after = said.text[next_ + 1 : next_ + 2]
        ends = not after or bool(re.match(r"[，。,.！!﹑﹐、\s]", after))
        before = CLAUSE.findall(said.text[:start])[-1:] if said.text[start - 1 : start].isalnum() else [""]
        plain = bool(before) and BEFORE.fullmatch(before[0]) is not None
        if modest and likeness > 0.6:
            trust = 0.85
        elif not plain:
            continue
        elif asked:
            trust = likeness**2 * (0.9 if ends or at <= 1 else 0.6)
            if likeness < 0.6:
                trust = 0.35 if ends and at == 1 and said.text[start - 1] == "我" else 0.0
        else:
            trust = (0.6 if before[0] else 0.4) if likeness > 0.95 and ends else 0.0
        if trust > 0.05 and (best is None or trust > best.trust):
            best = _sign(Span(said, start, next_ + 1), surnames.head(said.text[next_ : next_ + 2]), trust)
    if best is None and asked:
        bare = re.match(r"^(?:我|嗯|叫|免贵)?([\u4e00-\u9fff])[，,。]?$", said.text)
        if bare is not None and bare.group(1) in surnames.known:
            best = _sign(Span(said, bare.start(1), bare.end(1)), bare.group(1), 0.6)
    return best


def _modest(text: str, numbers: Sounds, where: Sounds, at: int) -> bool:
    """Whether 免贵, or what was heard as it, precedes syllable `at` and begins its clause."""
    if at < 2:
        return False
    alike = INVENTORY.matrix
    both = alike[int(numbers[at - 2]), MIAN] >= 0.58 and alike[int(numbers[at - 1]), GUI] >= 0.9
    before = text[: int(where[at - 2])]
    return bool(both) and (not before or not before[-1].isalnum() or before[-1] in "我是喂嗯啊哦好")


def _told_apart(said: Utterance, surnames: Surnames, due: bool, apart: bool) -> Iterator[Sign]:
    """Find 陆地的陆, 耳东陈; where no name is expected, only if it can be nothing else (保护的保)."""
    text = said.text
    for match in OF.finditer(text):
        one, other, meant = match.groups()
        span = Span(said, match.start(), match.end())
        # Not the matter itself (公司的公司): the surname precedes the word that distinguishes it.
        led = match.start() > 0 and syllables_alike(text[match.start() - 1], meant) > 0.85
        if (due or (apart and led)) and meant in (one, other) and meant in surnames.known:
            # The word was written with that very character: 保护的保.
            yield Sign(span, trust=0.8, told=meant)
        elif due and max(syllables_alike(one, meant), syllables_alike(other, meant)) > 0.85:
            yield _sign(span, meant, 0.8)
    if due or "姓" in text:
        for name, likeness, start, end in surnames.told_apart(text):
            yield Sign(Span(said, start, end), trust=min(0.97, max(0.1, (likeness - 0.85) * 6.5)), told=name)


def _asks(said: Utterance) -> bool:
    """Whether this sounds like a question for the name: 您贵行."""
    if QUESTION.hear([said]):
        return True
    return len(sounds(said.text)[0]) <= 3 and bool(BARE.search(said.text, BARE_ALIKE, 1))


def _answered(utterances: Sequence[Utterance]) -> set[str]:
    """Return the ids of what the caller says right after such a question."""
    found = set()
    open_ = False
    for said in utterances:
        if said.side is Side.AGENT:
            open_ = _asks(said)
        elif open_:
            found.add(said.id)
    return found


def _addressed(
    utterances: Sequence[Utterance], surnames: Surnames, posed: bool
) -> tuple[list[Sign], tuple[str, Span] | None]:
    """Find what the agent calls the caller; this counts as a sign of the surname too."""
    signs: list[Sign] = []
    address = None
    for said in utterances:
        if said.side is not Side.AGENT:
            continue
        found = False
        for match in ADDRESS.finditer(said.text):
            name = match.group(1)
            head = name if name in surnames.known else name[-1]
            if head in NOBODY:
                continue
            found = True
            span = Span(said, match.end(1) - len(head), match.end())
            signs.append(_sign(span, head, 0.93 if match.group(2) in TITLE else 0.7))
            if match.group(2) in TITLE:
                address = TITLE[match.group(2)], span
        if not found and posed:
            blurred = _blurred_address(said)
            if blurred is not None:
                signs.append(blurred)
    return signs, address


def _blurred_address(said: Utterance) -> Sign | None:
    """Find surname and title by sound right after the agent's 好的: 好的故女婿, 号地毛险圣."""
    numbers, where = sounds(said.text)
    alike = INVENTORY.matrix
    if len(numbers) < 4 or alike[int(numbers[0]), HAO] < 0.9:
        return None
    for at in (2, 1) if alike[int(numbers[1]), DE] > 0.7 else (1,):
        if at + 2 >= len(numbers):
            continue
        likeness = max(
            float(alike[int(numbers[at + 1]), one] * alike[int(numbers[at + 2]), other])
            for one, other in TITLES
        )
        char = said.text[int(where[at])]
        if likeness >= 0.6 and char not in NOBODY:
            return _sign(Span(said, int(where[at]), int(where[at + 2]) + 1), char, min(0.85, likeness))
    return None
