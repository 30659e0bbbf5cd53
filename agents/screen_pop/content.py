"""Builds the content of a screen-pop from what was looked up. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from domain.calls import Call
from domain.numbers import told, told_name
from domain.order_status import OrderStatus
from domain.orders import Order
from domain.screen_pop import (
    AlertKind,
    Contact,
    Level,
    PopAlert,
    PopCall,
    PopCaller,
    PopEnterprise,
    PopEntry,
    PopOrder,
    ScreenPop,
)
from domain.visibility.policy import WHOLE, Visibility
from domain.visibility.redact import redact

SHOWN = 10
"""Maximum number of earlier calls, and of earlier orders, shown."""
IVR_LABELS = {"menu": "按键菜单"}
"""Display labels of IVR variables; others are shown by name."""


class EarlierOrder(NamedTuple):
    """What was made of an earlier call, and what its work-order system told of it last."""

    order: Order
    status: OrderStatus | None = None


class EarlierCall(NamedTuple):
    """A call from the same number and its orders, by number."""

    call: Call
    orders: Sequence[EarlierOrder] = ()


class Known(Struct, frozen=True):
    """What was looked up about a caller."""

    place: str = ""
    carrier: str = ""
    contact: Contact | None = None
    enterprise: PopEnterprise | None = None
    earlier: Sequence[EarlierCall] = ()
    """Earlier calls from the same number, newest first, without the current one."""
    recent: int = 0
    """How many of them began within `PopRules.repeat_days`."""
    matters: Sequence[EarlierOrder] = ()
    """Orders of what was no call and gave the same number, newest first."""


class PopRules(Struct, frozen=True):
    """When a caller counts as a repeat caller, and what menu keys mean."""

    repeat_calls: int = 3
    """From which call on, the current one included, a caller is a repeat caller; 0 means never."""
    repeat_days: int = 7
    menu: Mapping[str, str] = {}
    """Digit → name of the line."""


def screen_pop(call: Call, known: Known, rules: PopRules, visibility: Visibility = WHOLE) -> ScreenPop:
    """Build the screen-pop for a call, masked according to `visibility`."""
    earlier = [
        EarlierCall(
            redact(one.call, visibility),
            [_redacted(order, visibility) for order in one.orders],
        )
        for one in known.earlier
    ]
    matters = [_redacted(one, visibility) for one in known.matters]
    orders = sorted(
        [*matters, *(order for one in earlier for order in one.orders)], key=lambda one: -one.order.created_at
    )
    contact = redact(known.contact, visibility)
    return ScreenPop(
        call_id=call.id,
        caller=PopCaller(
            visibility.number(told(call.caller.number)),
            visibility.name(told_name(call.caller.name)),
            known.place,
            known.carrier,
        ),
        person=contact,
        enterprise=known.enterprise,
        ivr=tuple(_entry(name, visibility.number(value), rules) for name, value in call.ivr.items()),
        calls=tuple(_call(one) for one in earlier[:SHOWN]),
        orders=tuple(_order(*one) for one in orders[:SHOWN]),
        alerts=tuple(_alerts(contact, known.recent, rules)),
    )


def _redacted(one: EarlierOrder, visibility: Visibility) -> EarlierOrder:
    return EarlierOrder(redact(one.order, visibility), redact(one.status, visibility))


def _entry(name: str, value: str, rules: PopRules) -> PopEntry:
    meaning = rules.menu.get(value) if name == "menu" else None
    return PopEntry(IVR_LABELS.get(name, name), f"{value} {meaning}" if meaning else value, name)


def _call(earlier: EarlierCall) -> PopCall:
    call, order = earlier.call, next((one.order for one in earlier.orders), None)
    return PopCall(
        id=call.id,
        started_at=call.started_at,
        line=call.line,
        agent=call.agent,
        state=call.state.value,
        end_reason=call.end_reason.value if call.end_reason else None,
        title=_text(order, "title"),
        order_id=order.id if order else None,
    )


def _order(order: Order, status: OrderStatus | None) -> PopOrder:
    return PopOrder(
        id=order.id,
        created_at=order.created_at,
        line=order.line,
        state=order.state.value,
        title=_text(order, "title"),
        category=_text(order, "category"),
        town=_text(order, "town"),
        external_id=order.external_id,
        outcome=order.outcome_kind,
        status=status,
        source=order.source,
    )


def _text(order: Order | None, name: str) -> str:
    field = order.fields.get(name) if order else None
    return str(field.value) if field is not None else ""


def _alerts(contact: Contact | None, recent: int, rules: PopRules) -> list[PopAlert]:
    alerts = []
    if contact is not None and contact.level is not Level.NONE:
        kind = AlertKind(contact.level.value)
        title = "黑名单" if kind is AlertKind.BLACKLIST else "重要来电人"
        about = "，".join(part for part in (contact.organisation, contact.name, contact.note) if part)
        alerts.append(PopAlert(kind, f"{title}：{about}" if about else title))
    nth = recent + 1
    if rules.repeat_calls and recent and nth >= rules.repeat_calls:
        text = f"重复来电：{rules.repeat_days} 天内第 {nth} 次"
        alerts.append(PopAlert(AlertKind.REPEAT, text, nth, rules.repeat_days))
    return alerts
