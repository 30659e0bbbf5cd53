"""The screen-pop (来电弹屏): what an agent should know about a caller while the phone rings."""

from enum import StrEnum

from msgspec import Struct

from domain.order_status import OrderStatus
from domain.orders import CALL


class Level(StrEnum):
    """How the contacts directory classifies a number."""

    NONE = ""
    VIP = "vip"
    BLACKLIST = "blacklist"


class AlertKind(StrEnum):
    VIP = "vip"
    BLACKLIST = "blacklist"
    REPEAT = "repeat"


class Contact(Struct, frozen=True):
    """An entry of the contacts directory: who a number belongs to."""

    name: str = ""
    organisation: str = ""
    level: Level = Level.NONE
    note: str = ""


class PopCaller(Struct, frozen=True):
    """The caller, as far as the network tells. `name` is untrusted input."""

    number: str
    name: str
    place: str = ""
    """Where the number is registered, e.g. 江苏省南通市; empty if unknown."""
    carrier: str = ""


class PopEnterprise(Struct, frozen=True):
    """An enterprise from the directory that the caller belongs to, or has called about before."""

    name: str
    credit_code: str = ""
    town: str = ""


class PopEntry(Struct, frozen=True):
    """An input the caller made in the IVR."""

    label: str
    """Display label, in Chinese."""
    value: str
    name: str = ""
    """The IVR variable."""


class PopCall(Struct, frozen=True):
    """An earlier call from the same number."""

    id: str
    started_at: float
    line: str | None
    agent: str | None
    state: str
    end_reason: str | None
    title: str = ""
    order_id: str | None = None


class PopOrder(Struct, frozen=True):
    """The order of an earlier call from the same number, or of a matter that gave it to be called back at."""

    id: str
    created_at: float
    line: str
    state: str
    title: str = ""
    category: str = ""
    town: str = ""
    external_id: str | None = None
    outcome: str | None = None
    status: OrderStatus | None = None
    """What its work-order system told of it last."""
    source: str = CALL
    """`call`, or where the matter came from (`domain.intake.MatterSource`)."""


class PopAlert(Struct, frozen=True):
    """A notice the agent must see first."""

    kind: AlertKind
    text: str
    """Text for display, in Chinese."""
    count: int | None = None
    """For repeat callers: which call this is, counted within `days`."""
    days: int | None = None
    """For repeat callers: the period considered, in days."""


class ScreenPop(Struct, frozen=True):
    """The complete screen-pop; lists are newest first."""

    call_id: str
    caller: PopCaller
    person: Contact | None = None
    enterprise: PopEnterprise | None = None
    ivr: tuple[PopEntry, ...] = ()
    calls: tuple[PopCall, ...] = ()
    orders: tuple[PopOrder, ...] = ()
    alerts: tuple[PopAlert, ...] = ()
