"""Orders as they may come, to try mappings on and to show in the documentation. Pure; of nobody real."""

from typing import Any

from msgspec import structs

from domain.calls import Call, CallState, Conversation, Direction, EndedBy, EndReason, Party, Side
from domain.orders import (
    Evidence,
    FieldValue,
    Method,
    Order,
    OrderState,
    RelatedOrder,
    RequestType,
    Withdrawal,
)
from domain.outcomes import ORDER, CallOutcome, Supplement
from domain.transcripts import Utterance, utterance_id
from workorders.delivery.links import DocumentLinks
from workorders.delivery.payload import LinksFor, RecordingRef, build_payload
from workorders.forms import COMMON, FORMS, Field

AT = 1_780_000_000.0
ID = "6f1c0f5e-9d5b-5c5a-8a44-0d9b6a3f2c11"
EARLIER = "0b7f2b43-5b0e-5e0f-9a53-8f3a4f0f7d22"
TEXTS = {
    "title": "路灯不亮",
    "summary": "刘桥镇英雄村三组的路灯坏了三天，晚上看不见路。",
    "category": "城乡建设",
    "category2": "市政设施",
    "category3": "路灯照明",
    "town": "刘桥镇",
    "village": "英雄村",
    "location": "英雄村三组路口",
    "caller_name": "王女士",
    "phone": "13800138000",
    "unit": "区住建局",
    "wish": "尽快修好",
}
LINKS = LinksFor(DocumentLinks("https://hotline.example.cn", "for samples alone", 30.0), "main")
UTTERANCE = utterance_id("main-1.1", Side.CALLER, 3.0)


def documents() -> dict[str, bytes]:
    """A name for each → the document: a full order, its revision, a sparse one, one that is withdrawn."""
    full = _order(_fields(every=True))
    return {
        "an order with every field": _document(full),
        "its revision, with a supplement": _document(_revised(full)),
        "an order with the required fields alone": _document(_order(_fields(every=False))),
        "an order that is withdrawn": _document(_withdrawn(full)),
    }


def _document(order: Order) -> bytes:
    said = Utterance(UTTERANCE, "main-1.1", Side.CALLER, 3.0, 7.5, TEXTS["summary"], confidence=0.9)
    recording = RecordingRef(sha256="0" * 64, duration=42.0, path="2026/05/28/main-1.1.wav", id="main-1.1/0")
    return build_payload(order, _call(), [said], [recording], links=LINKS)


def _call() -> Call:
    return Call(
        id="main-1.1", pbx="main", linkedid="1.1", direction=Direction.INBOUND, state=CallState.ENDED,
        caller=Party("13800138000", ""), called="12345",
        started_at=AT, line="12345", queue="q12345", agent="1001",
        queued_at=AT + 2, answered_at=AT + 8, ended_at=AT + 50, end_reason=EndReason.COMPLETED,
        ended_by=EndedBy.CALLER, hangup_cause=16,
        conversations=(Conversation("1001", "PJSIP/1001-1", AT + 8, AT + 50),),
        ivr={"digit": "0"},
    )  # fmt: skip


def _order(fields: dict[str, FieldValue]) -> Order:
    return Order(
        id=ID, call_id="main-1.1", line="12345", state=OrderState.SUBMITTED, fields=fields, created_at=AT + 8,
        updated_at=AT + 70, revision=1, submitted_at=AT + 70,
        offers={"town": (FieldValue("五接镇", 0.3, Method.GAZETTEER),)},
        related=(RelatedOrder(EARLIER, AT - 86_400.0, "caller", "路灯闪烁"),),
        outcome=CallOutcome(kind=ORDER, at=AT + 60, by="1001"),
    )  # fmt: skip


def _revised(order: Order) -> Order:
    added = Supplement(
        call_id="main-2.1", at=AT + 90_000, by="1002", urges=True, text="又坏了一盏，请尽快处理。"
    )
    return structs.replace(
        order, revision=2, changes=("supplements",), supplements=(added,), submitted_at=AT + 90_100
    )


def _withdrawn(order: Order) -> Order:
    gone = Withdrawal(at=AT + 95_000, by="1001", reason="来电人已自行解决")
    return structs.replace(
        order, revision=3, changes=("withdrawn",), withdrawn=gone, submitted_at=AT + 95_000
    )


def _fields(*, every: bool) -> dict[str, FieldValue]:
    named = (
        {one.name: one for form in FORMS.values() for one in form}
        if every
        else {one.name: one for one in COMMON}
    )
    return {name: _value(one) for name, one in named.items() if every or one.required}


def _value(field: Field) -> FieldValue:
    value: Any = TEXTS.get(field.name, f"{field.label}示例")
    if field.choices:
        value = RequestType.HELP.value
    elif field.kind == "bool":
        value = False
    elif field.kind == "list":
        value = ["路灯", "英雄村"]
    elif field.kind == "code":
        value = "91320612MA1MXXXX00"
    evidence = (Evidence(UTTERANCE, 0, 3, "刘桥镇", 3.0, 3.6),) if field.name == "town" else ()
    return FieldValue(value, 0.9, Method.AGENT, evidence)
