"""The outcome that a call so far speaks for, from what was said and done on it. Pure.

What a person did (a transfer outside, a third party in the call) counts more than words, the agent's words
more than the caller's: it is the agent who says what will be done.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from domain.calls import Call, Side
from domain.orders import KnowledgeHit, Order, RelatedOrder
from domain.outcomes import (
    ANSWERED,
    INVALID,
    JOINED,
    ORDER,
    TRANSFERRED,
    CallOutcome,
    OutcomeSuggestion,
)
from domain.transcripts import Utterance

SILENT_AFTER_S = 8.0
"""Who has said nothing for so long, with an agent who speaks, says nothing."""
GOOD_HIT = 0.5
"""From this score on an article may be what the answer is from."""

_NOT = r"(?<![不没别未])"
REGISTERS = re.compile(
    _NOT + r"(?:登记|记录(?:下来|一下|好)|派单|转交|转办|转给|交办|反映给|反馈给|上报|下单|生成工单|形成工单"
    r"|联系(?:相关|承办|责任|属地)?(?:部门|单位)|安排(?:人|工作人员))"
)
"""The agent says that the matter is passed on."""
MISDIALLED = re.compile(
    r"打错(?:电话|号码?|了(?=[,，。.!！?？吧啊呀\s]|$))|拨错|按错(?:了|号)|不是打给你们|我找错"
)
JOKES = re.compile(r"(?:没事[儿,，]?|就是)?(?:打着玩|闹着玩|逗你|随便打打|试一?试(?:能不能)?打通)")
URGES = re.compile(
    r"催(?:一下|一催|促|办)|(?:还|一直|到现在)(?:是)?没(?:有)?(?:人)?(?:处理|解决|来|回复|答复|结果|动静|修)"
    r"|什么时候能(?:处理|解决|办好|修好)|(?:处理|办)得?怎么样了|有(?:没有)?(?:什么)?结果了?[吗没]|进度|查一下.{0,6}工单"
)
ADDS = re.compile(r"补充(?:一下|一点|说明|材料)?|再说一点|还有一点(?:要)?说|漏(?:了|说)|忘(?:了|记)说")
BEFORE = re.compile(
    r"(?:上次|上回|之前|前几天|前两天|昨天|上周|上个?星期|上个?月|已经).{0,12}(?:打过|反映|投诉|报过|说过|登记|打了)"
    r"|打过(?:好?几|两|三)次|又(?:来)?打"
)
THANKS = re.compile(r"明白了|知道了|清楚了|了解了|好的?[,，]?谢谢|(?:那|好)[,，]?我(?:去|就|自己)")


def suggest(
    said: Sequence[Utterance],
    call: Call,
    order: Order,
    related: Sequence[RelatedOrder] = (),
    articles: Sequence[KnowledgeHit] = (),
) -> OutcomeSuggestion | None:
    """Return the outcome that most speaks for itself; `None`: nothing does yet.

    `said` in order of start; the outcome's time is the call's latest word, so that the same words give the
    same suggestion.
    """
    return next(_candidates(said, call, order, related, articles), None)


def _candidates(
    said: Sequence[Utterance],
    call: Call,
    order: Order,
    related: Sequence[RelatedOrder],
    articles: Sequence[KnowledgeHit],
) -> Iterator[OutcomeSuggestion]:
    """The surest first."""
    at = call.started_at + max((one.end for one in said), default=0.0)
    callers = [one for one in said if one.side is Side.CALLER]
    agents = [one for one in said if one.side is Side.AGENT]
    if target := _handed_to(call):
        yield _suggested(TRANSFERRED, 0.9, at, target=target)
    if not callers and agents and agents[-1].end - agents[0].start >= SILENT_AFTER_S:
        yield _suggested(INVALID, 0.8, at, reason="silent")
    if found := _first(MISDIALLED, callers):
        yield _suggested(INVALID, 0.9, at, found, reason="misdialled")
    if found := _first(JOKES, callers):
        yield _suggested(INVALID, 0.7, at, found, reason="nuisance")
    earlier = next((one for one in related if one.reason == "caller"), None)
    if earlier is not None and (found := _first(BEFORE, callers)):
        urges, adds = _first(URGES, callers), _first(ADDS, callers)
        if urges or adds:
            yield _suggested(JOINED, 0.8, at, found, order_id=earlier.order_id, urges=not adds)
    if found := _first(REGISTERS, agents):
        yield _suggested(ORDER, 0.85, at, found)
    asked = order.fields.get("request_type")
    if asked is not None and asked.value == "咨询" and (found := _first(THANKS, callers[-2:])):
        hit = next((one for one in articles if one.score >= GOOD_HIT), None)
        yield _suggested(ANSWERED, 0.75, at, found, article=hit.id if hit else "")


def _handed_to(call: Call) -> str:
    """Who talked with the caller last, where that is none of our agents, or was called into a conference."""
    talk = call.conversations[-1] if call.conversations else None
    if talk is not None and talk.party and talk.agent is None and len(call.conversations) > 1:
        return talk.party
    members = [member for one in call.conferences for member in one.members]
    known = {call.caller.number, *call.agents, *(leg.agent for leg in call.legs)}
    return next((one.party for one in reversed(members) if one.party and one.party not in known), "")


def _first(pattern: re.Pattern[str], said: Sequence[Utterance]) -> str:
    """The first words that fit; empty if none do."""
    return next((found.group() for one in said if (found := pattern.search(one.text))), "")


def _suggested(kind: str, confidence: float, at: float, quote: str = "", **details: Any) -> OutcomeSuggestion:
    return OutcomeSuggestion(CallOutcome(kind=kind, at=at, **details), confidence, quote)
