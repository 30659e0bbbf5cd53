"""The content of screen-pops, from plain data; callers' numbers in all their forms."""

from msgspec import structs

from agents.screen_pop.content import EarlierCall, EarlierOrder, Known, PopRules, screen_pop
from domain.calls import Call, CallState, Direction, EndReason, Party
from domain.orders import FieldValue, Method, Order, OrderState
from domain.screen_pop import AlertKind, Contact, Level, PopEntry
from domain.visibility.policy import Visibility

CALL = Call(
    id="main-9",
    pbx="main",
    linkedid="9",
    direction=Direction.INBOUND,
    state=CallState.RINGING,
    caller=Party("13800138000", "<img src=x> 13800138000"),
    called="12345",
    started_at=1000.0,
    ivr={"menu": "1", "code": "320612198001011234"},
)
RULES = PopRules(repeat_calls=3, repeat_days=7, menu={"1": "一企来"})
CONTACT = Contact("王小芳", "示例公司", Level.VIP, "手机 13900139000")


def earlier(number: int, title: str | None) -> EarlierCall:
    call = structs.replace(CALL, id=f"main-{number}", started_at=float(number), state=CallState.ENDED)
    call = structs.replace(call, end_reason=EndReason.COMPLETED, agent="1001", line="12345")
    if title is None:
        return EarlierCall(call)
    fields = {"title": FieldValue(title, 1.0, Method.AGENT), "town": FieldValue("川姜镇", 0.9, Method.RULE)}
    order = Order(f"o{number}", call.id, "12345", OrderState.DELIVERED, fields, 5.0, 6.0)
    return EarlierCall(call, [EarlierOrder(order)])


def test_earlier_calls_and_orders_and_a_repeat_caller() -> None:
    known = Known(place="江苏省南通市", earlier=[earlier(3, "路灯不亮"), earlier(2, None)], recent=2)
    pop = screen_pop(CALL, known, RULES)
    assert [(one.id, one.title, one.order_id) for one in pop.calls] == [
        ("main-3", "路灯不亮", "o3"),
        ("main-2", "", None),
    ]
    assert [(one.id, one.town, one.category) for one in pop.orders] == [("o3", "川姜镇", "")]
    assert [(one.kind, one.count, one.days) for one in pop.alerts] == [(AlertKind.REPEAT, 3, 7)]
    assert pop.ivr == (
        PopEntry("按键菜单", "1 一企来", "menu"),
        PopEntry("code", "320612198001011234", "code"),
    )
    assert screen_pop(CALL, structs.replace(known, recent=1), RULES).alerts == ()
    assert screen_pop(CALL, known, structs.replace(RULES, repeat_calls=0)).alerts == ()
    # A first call is no repeat, however low the limit.
    assert screen_pop(CALL, Known(), structs.replace(RULES, repeat_calls=1)).alerts == ()


def test_marked_numbers_are_told_first() -> None:
    (alert,) = screen_pop(CALL, Known(contact=CONTACT), RULES).alerts
    assert (alert.kind, alert.text) == (AlertKind.VIP, "重要来电人：示例公司，王小芳，手机 13900139000")
    black = Known(contact=Contact(level=Level.BLACKLIST), recent=9)
    assert [one.kind for one in screen_pop(CALL, black, RULES).alerts] == [
        AlertKind.BLACKLIST,
        AlertKind.REPEAT,
    ]
    assert screen_pop(CALL, Known(contact=Contact("陈")), RULES).alerts == ()


def test_masked_nothing_whole_is_left_anywhere() -> None:
    titled = [earlier(3, "回电 13700137000")]
    pop = screen_pop(
        CALL, Known(contact=CONTACT, earlier=titled), RULES, Visibility(numbers=False, names=False)
    )
    text = str(pop)
    for whole in ("13800138000", "13900139000", "王小芳", "320612198001011234", "13700137000"):
        assert whole not in text
    assert pop.caller.number == "138****8000"
    assert pop.person is not None
    assert (pop.person.name, pop.person.organisation) == ("王**", "示例公司")
    named = screen_pop(CALL, Known(contact=CONTACT), RULES, Visibility(numbers=False))
    assert named.person is not None
    assert (named.person.name, named.caller.name) == ("王小芳", "<img src=x> 138****8000")
