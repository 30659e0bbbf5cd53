"""The screen-pop (来电弹屏): what an agent should know of a caller while the phone rings."""

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How the contacts directory marks a number."""

    NONE = ""
    VIP = "vip"
    BLACKLIST = "blacklist"


class AlertKind(StrEnum):
    VIP = "vip"
    BLACKLIST = "blacklist"
    REPEAT = "repeat"


class Contact(Struct, frozen=True):
    """A line of the contacts directory: whose number it is."""

    name: str = ""
    organisation: str = ""
    level: Level = Level.NONE
    note: str = ""


class PopCaller(Struct, frozen=True):
    """Who calls, as far as the network tells. `name` is hostile input."""

    number: str
    name: str
    place: str = ""
    """Where the number belongs, e.g. 江苏省南通市; empty: not known."""
    carrier: str = ""


class PopEnterprise(Struct, frozen=True):
    """An enterprise of the directory that the caller belongs to, or called about before."""

    name: str
    credit_code: str = ""
    town: str = ""


class PopEntry(Struct, frozen=True):
    """What the caller entered in the IVR."""

    label: str
    """What people call it, in Chinese."""
    value: str
    name: str = ""
    """The IVR's variable."""


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
    """The order of an earlier call from the same number."""

    id: str
    created_at: float
    line: str
    state: str
    title: str = ""
    category: str = ""
    town: str = ""
    external_id: str | None = None


class PopAlert(Struct, frozen=True):
    """What the agent must see first."""

    kind: AlertKind
    text: str
    """For people, in Chinese."""
    count: int | None = None
    """Repeat callers: the how manieth call this is."""
    days: int | None = None
    """Repeat callers: within so many days."""


class ScreenPop(Struct, frozen=True):
    """The whole of it; lists are newest first."""

    call_id: str
    caller: PopCaller
    person: Contact | None = None
    enterprise: PopEnterprise | None = None
    ivr: tuple[PopEntry, ...] = ()
    calls: tuple[PopCall, ...] = ()
    orders: tuple[PopOrder, ...] = ()
    alerts: tuple[PopAlert, ...] = ()
