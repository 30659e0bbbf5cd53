"""Calls and orders as a year would leave them."""

from msgspec import structs

from domain import facts as f
from domain.calls import Call, CallState, Conversation, Direction, EndReason, Party, Recording, Side
from domain.orders import FieldValue, Method, Order, OrderState
from domain.transcripts import Utterance, utterance_id

HOSTILE = "%_\\'\"); DROP TABLE calls;-- =1+1"


def call(number: int, at: float, **more: object) -> Call:
    """A call of two minutes, talked by agent 1001."""
    made = Call(
        id=f"main-{number}.1",
        pbx="main",
        linkedid=f"{number}.1",
        direction=Direction.INBOUND,
        state=CallState.ENDED,
        caller=Party(f"1390000{number:04d}", "季"),
        called="12345",
        started_at=at,
        line="12345",
        agent="1001",
        queued_at=at + 5,
        answered_at=at + 15,
        ended_at=at + 120,
        end_reason=EndReason.COMPLETED,
        conversations=(Conversation("1001", "PJSIP/1001-1", at + 15, at + 120),),
        recordings=(Recording("/rec/x.raw", "PJSIP/trunk-1", at),),
    )
    return structs.replace(made, **more)


def said(of: Call, start: float, text: str, side: Side = Side.CALLER) -> f.UtteranceHeard:
    """A final utterance of that call."""
    one = Utterance(utterance_id(of.id, side, start), of.id, side, start, start + 2, text)
    return f.UtteranceHeard(at=of.started_at + start, utterance=one)


def order(of: Call, number: int, state: OrderState = OrderState.DRAFT, **fields: object) -> Order:
    """An order of that call with those fields."""
    return Order(
        id=f"00000000-0000-5000-8000-{number:012d}",
        call_id=of.id,
        line=of.line or "",
        state=state,
        fields={name: FieldValue(value, 0.9, Method.RULE) for name, value in fields.items()},
        created_at=of.started_at + 15,
        updated_at=of.started_at + 60,
    )
