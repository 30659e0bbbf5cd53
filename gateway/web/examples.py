"""Examples for the API's document: a call about a broken street lamp, its order, and what goes with them."""

from collections.abc import Mapping
from typing import Any, get_args, get_origin

import msgspec

from agents.accounts.identity import SYSTEM, Role, Scope
from domain.alarms import AlarmRule, Level, Measure
from domain.audit import AuditEntry
from domain.calls import (
    Call,
    CallState,
    Conversation,
    Direction,
    EndedBy,
    EndReason,
    Leg,
    Party,
    Recording,
    Side,
)
from domain.deliveries import DeliveryView
from domain.deployment import AgentView, EndpointState, Overview, PbxView, Place
from domain.directory import Directory, DirectoryAgent, DirectoryLine, DirectoryUnit
from domain.history import CallSummary, OrderOfCall, OrderSummary, order_summary_of, summary_of
from domain.leases import Lease
from domain.lines import Line
from domain.messages import Message
from domain.order_status import OrderStatus, Step
from domain.orders import Evidence, FieldValue, Method, Order, OrderState
from domain.outcomes import CallOutcome
from domain.queues import AgentState
from domain.screen_pop import Contact, PopCall, PopCaller, PopOrder, ScreenPop
from domain.softphones import IceServer, Softphone
from domain.transcripts import Utterance
from domain.unfinished import UnfinishedCall

AT = 1_767_323_045.0
CALL_ID, RECORDING_ID = "main-1767323045.1", "main-1767323045.1-1"
ORDER_ID = "6f0c4a3e-2a5e-5b4f-9c1d-3f2b8a7d6e51"
TOKEN_ID = "3f9a1c07be52"  # noqa: S105 - the part that is no secret
NUMBER = "138****8000"

PARAMETERS: Mapping[str, Any] = {
    "call_id": CALL_ID,
    "order_id": ORDER_ID,
    "recording_id": RECORDING_ID,
    "delivery_id": "73535a92-8ea0-57a7-9e29-08fa2d2d11fc",
    "token_id": TOKEN_ID,
    "username": "wangfang",
    "endpoint": "main",
    "form": "csv",
    "limit": 50,
    "hours": 24,
    "q": "路灯",
    "line": "12345",
    "number": "8000",
    "points": 800,
    "Idempotency-Key": "app-20260302-0001",
    "webhook-id": "status-1",
    "webhook-timestamp": "1767330000",
    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
}
"""Of the parameters of that name, wherever they stand."""

CALL = Call(
    CALL_ID, "main", "1767323045.1", Direction.INBOUND, CallState.ENDED, Party(NUMBER, ""), "12345", AT,
    line="12345", queue="q12345", agent="1001", queued_at=AT + 4, ringing_at=AT + 5, answered_at=AT + 9,
    ended_at=AT + 97, end_reason=EndReason.COMPLETED, ended_by=EndedBy.CALLER, hangup_cause=16,
    legs=(Leg("1767323045.1", "PJSIP/trunk-00000001", Side.CALLER, Party(NUMBER, ""), AT, ended_at=AT + 97),),
    conversations=(Conversation("1001", "PJSIP/1001-00000002", AT + 9, AT + 97),),
    recordings=(Recording("hotline/1767323045.1.raw", "PJSIP/trunk-00000001", AT + 9, AT + 97),),
)  # fmt: skip
UTTERANCE = Utterance(
    f"{CALL_ID}/caller/000012300", CALL_ID, Side.CALLER, 12.3, 16.9, "人民路的路灯坏了三天，晚上很黑。",
    confidence=0.93,
)  # fmt: skip
STATUS = OrderStatus(
    "main/status-1", ORDER_ID, "main", Step.SIGNED, AT + 4000, AT + 4001, "区住建局", "李工", AT + 260_000
)
ORDER = Order(
    ORDER_ID, CALL_ID, "12345", OrderState.DELIVERED,
    {
        "title": FieldValue("人民路路灯损坏", 0.86, Method.RULE),
        "category": FieldValue("城市管理", 0.81, Method.MODEL),
        "unit": FieldValue("区住建局", 0.77, Method.RULE),
        "summary": FieldValue(
            "人民路的路灯坏了三天，晚上很黑。", 0.9, Method.RULE,
            (Evidence(UTTERANCE.id, 0, 16, "人民路的路灯坏了三天，晚上很黑。", 12.3, 16.9),),
        ),
        "phone": FieldValue(NUMBER, 0.97, Method.SIGNALLING),
        "urgent": FieldValue(False, 0.9, Method.RULE),
        "keywords": FieldValue(["路灯"], 0.7, Method.RULE),
    },
    AT + 9, AT + 130, 1, AT + 120, AT + 121, "GD-77", outcome=CallOutcome("order", AT + 100, "wangfang"),
)  # fmt: skip
LINE = Line("12345", "12345 热线", ("12345",), "q12345", digit="1")
AGENT = AgentView(id="1001", name="王芳", phone="PJSIP/1001", desk_phone="", pbx="main", lines={"12345": 0})
PBX = PbxView(name="main", host="127.0.0.1", up=True, reason="", live_audio="audiosocket")
ENDPOINT = EndpointState(id="main", host="orders.example.cn", delivered=120, last_success_at=AT + 121)
RULE = AlarmRule(id="queue", name="排队过多", measure=Measure.WAITING, above=5, for_s=30, level=Level.WARNING)

EXAMPLES: dict[Any, Any] = {
    Call: CALL,
    Utterance: UTTERANCE,
    Order: ORDER,
    OrderStatus: STATUS,
    CallSummary: summary_of(CALL, ORDER),
    OrderSummary: order_summary_of(OrderOfCall(ORDER, CALL, STATUS)),
    AuditEntry: AuditEntry(
        seq=1, at=AT, username=f"token:{TOKEN_ID}", role=SYSTEM, agent=None,
        command_id="0b0f8a4e-8f36-4d2f-9a7e-1f6f0a9f5a11", name="export.feed.orders",
        args='{"rows": 120}', ok=True, code="", message="",
    ),
    DeliveryView: DeliveryView(
        PARAMETERS["delivery_id"], ORDER_ID, "main", "delivered", 1, AT + 120, tried_at=AT + 121,
        delivered_at=AT + 121,
    ),
    UnfinishedCall: UnfinishedCall(CALL_ID, "main", "12345", "1001", AT, True, "TimeoutError"),
    Directory: Directory(
        (DirectoryAgent("1001", "王芳", AgentState.AVAILABLE, ("12345",), "王芳 wangfang wf"),),
        (DirectoryLine("12345", "12345 热线", "q12345", 0, 3, "12345 热线"),),
        (DirectoryUnit("区住建局", "051312345678", "区住建局 quzhujianju"),),
    ),
    ScreenPop: ScreenPop(
        CALL_ID, PopCaller(NUMBER, "", "江苏省南通市", "中国移动"), Contact("王先生", "", note="常来电"),
        calls=(PopCall("main-1767000000.1", AT - 9000, "12345", "1002", "ended", "completed", "噪音扰民"),),
        orders=(PopOrder(ORDER_ID, AT - 9000, "12345", "delivered", "噪音扰民", status=STATUS),),
    ),
    Softphone: Softphone(
        "1001", "a password of the PBX", "pbx.example.cn", "wss://pbx.example.cn:8089/ws", "王芳",
        (IceServer(("stun:stun.example.cn:3478",)),),
    ),
    Place: Place(town="城东街道", village="新华社区", count=7, categories={"城市管理": 5, "交通": 2}),
    Overview: Overview(
        source="/etc/hotline/hotline.toml", lines=[LINE], agents=[AGENT], pause_reasons=["小休"],
        alarms=[RULE], pbxs=[PBX], endpoints=[ENDPOINT],
        leases=[Lease("pbx:main", "gw1:4711:a1b2", "gw1:8600", 3, AT, 4.2)], where={"lines": "[[lines]]"},
    ),
    Message: Message("database", {}, "database"),
    Role: Role.AGENT,
    Scope: Scope.EXPORT_READ,
}  # fmt: skip
"""By type; routes add those of their own answers."""


def of(kind: Any) -> Any:
    """An example of that type; `None`: there is none."""
    if get_origin(kind) is list:
        one = of(get_args(kind)[0])
        return None if one is None else [one]
    return EXAMPLES.get(kind)


def add(example: Any) -> Any:
    """Take `example` for its type, and return it."""
    EXAMPLES[type(example)] = example
    return example


def plain(example: Any) -> Any:
    """The example as plain values, as JSON has them."""
    return msgspec.to_builtins(example)
