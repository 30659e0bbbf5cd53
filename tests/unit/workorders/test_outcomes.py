"""What an agent may say became of a call, and what the call itself suggests."""

from typing import Any

import pytest
from msgspec import structs

from domain.calls import Call, Conference, Conversation, Member, Side
from domain.orders import FieldValue, KnowledgeHit, Method, Order, RelatedOrder
from domain.outcomes import OUTCOMES, Detail, OutcomeKind, Sends
from domain.transcripts import Utterance, utterance_id
from tests.support.orders import AT, a_call
from workorders import filling
from workorders.errors import OrderRefusedError
from workorders.extraction.outcome import suggest
from workorders.outcomes import MAX_ANSWER, OutcomeChoice, checked

APPOINTMENT = OutcomeKind("appointment", "预约", "Appointment", Sends.CLOSED, (Detail.TARGET,))
EARLIER = "6f0c8f6e-3b7e-5d1a-9c55-12345c0ffee5"


def choose(**choice: Any) -> Any:
    return checked((*OUTCOMES, APPOINTMENT), OutcomeChoice(**choice), by="wangfang", at=AT)


@pytest.mark.parametrize(
    "choice",
    [
        {"kind": "order"},
        {"kind": "answered", "answer": " 可以在线办理 ", "article": "kb-12"},
        {"kind": "joined", "order_id": EARLIER, "urges": True},
        {"kind": "joined", "order_id": EARLIER, "answer": "又坏了一盏"},
        {"kind": "transferred", "target": "区住建局"},
        {"kind": "invalid", "reason": "silent"},
        {"kind": "appointment", "target": "政务中心"},
    ],
)
def test_an_outcome_with_its_details(choice: dict[str, Any]) -> None:
    outcome = choose(**choice)
    assert (outcome.by, outcome.at) == ("wangfang", AT)
    for name, value in choice.items():
        assert getattr(outcome, name) == (value.strip() if isinstance(value, str) else value)


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        ({"kind": "nonsense"}, "outcome_unknown"),
        ({"kind": ""}, "outcome_unknown"),
        ({"kind": "order", "answer": "是的"}, "outcome_detail"),
        ({"kind": "answered", "target": "110"}, "outcome_detail"),
        ({"kind": "order", "order_id": EARLIER}, "outcome_detail"),
        ({"kind": "answered", "urges": True}, "outcome_detail"),
        ({"kind": "invalid"}, "outcome_reason"),
        ({"kind": "invalid", "reason": "boring"}, "outcome_reason"),
        ({"kind": "joined"}, "outcome_order"),
        ({"kind": "answered", "answer": "长" * (MAX_ANSWER + 1)}, "outcome_text"),
        ({"kind": "transferred", "target": "长" * 201}, "outcome_text"),
    ],
)
def test_what_is_no_outcome_is_refused_with_the_reason(choice: dict[str, Any], code: str) -> None:
    with pytest.raises(OrderRefusedError) as refused:
        choose(**choice)
    assert (refused.value.message.code, refused.value.status) == (code, 422)


# -- what the call suggests --------------------------------------------------------------------------------
def said(*lines: str) -> list[Utterance]:
    """`a: …` and `c: …`, five seconds apart."""
    found = []
    for index, line in enumerate(lines):
        side = Side.AGENT if line.startswith("a") else Side.CALLER
        at = 5.0 * index
        found.append(Utterance(utterance_id("main-1", side, at), "main-1", side, at, at + 4, line[3:]))
    return found


def order(**values: str) -> Order:
    fields = {name: FieldValue(value, 0.9, Method.RULE) for name, value in values.items()}
    return structs.replace(filling.new_order(a_call(1), "12345", AT), fields=fields)


def suggested(
    *lines: str, call: Call | None = None, related: bool = False, hits: float = 0.0, **values: str
) -> Any:
    earlier = (RelatedOrder(EARLIER, AT, "caller"),) if related else ()
    articles = (KnowledgeHit("kb-1", "居住证", hits, ""),) if hits else ()
    return suggest(said(*lines), call or a_call(1), order(**values), earlier, articles)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (("c: 我们这儿路灯坏了", "a: 好的，我给您登记，转给住建部门处理"), "order"),
        (("c: 楼上漏水", "a: 我们会派单到街道"), "order"),
        (("c: 喂，是物业吗", "a: 这里是12345", "c: 哦不好意思我打错了"), "invalid"),
        (("a: 您好请讲", "a: 您好，听得到吗", "a: 您好，没有声音我先挂机了"), "invalid"),
    ],
)
def test_words_that_speak_for_an_outcome(lines: tuple[str, ...], kind: str) -> None:
    assert suggested(*lines).outcome.kind == kind


@pytest.mark.parametrize(
    "lines",
    [
        ("c: 我不想登记", "a: 好的，那我就不登记了"),
        ("a: 您好，请讲",),
        ("c: 我昨天打错了水电费", "a: 请您慢慢说"),
        ("c: 你们不要转给社区",),
    ],
)
def test_words_that_speak_for_none(lines: tuple[str, ...]) -> None:
    assert suggested(*lines) is None


def test_a_question_that_was_answered() -> None:
    lines = ("c: 居住证怎么办", "a: 带身份证到派出所窗口就可以", "c: 好的，明白了，谢谢")
    found = suggested(*lines, request_type="咨询", hits=0.8)
    assert (found.outcome.kind, found.outcome.article) == ("answered", "kb-1")
    assert suggested(*lines, request_type="咨询", hits=0.2).outcome.article == ""
    assert suggested(*lines, request_type="投诉") is None


def test_the_same_matter_again_joins_the_callers_earlier_order() -> None:
    urges = suggested("c: 我上周打过电话反映路灯，到现在还没处理，催一下", related=True)
    assert (urges.outcome.kind, urges.outcome.order_id, urges.outcome.urges) == ("joined", EARLIER, True)
    adds = suggested("c: 我昨天反映过漏水的，想补充一下，门牌是12号", related=True)
    assert (adds.outcome.kind, adds.outcome.urges) == ("joined", False)
    # Without an order of this caller there is nothing to join.
    assert suggested("c: 我上周打过电话反映路灯，到现在还没处理，催一下") is None


def test_who_was_handed_over_outside_was_handed_over() -> None:
    call = structs.replace(
        a_call(1),
        conversations=(
            Conversation("1001", "PJSIP/1001-1", AT, AT + 20),
            Conversation(None, "PJSIP/trunk-2", AT + 25, None, "051312345"),
        ),
    )
    found = suggested("a: 我给您登记", call=call)
    assert (found.outcome.kind, found.outcome.target) == ("transferred", "051312345")
    members = (
        Member("1.1", "13800138000", AT),
        Member("1.2", "1001", AT),
        Member("1.3", "051312345", AT),
    )
    joint = structs.replace(a_call(1), conferences=(Conference(AT, members),))
    assert suggested(call=joint).outcome.target == "051312345"


def test_the_same_words_suggest_the_same() -> None:
    lines = ("c: 路灯坏了", "a: 我给您登记")
    assert suggested(*lines) == suggested(*lines)
