"""An agent's phones: the browser, a phone on the desk, or both, of which the agent chooses one."""

from enum import StrEnum

from msgspec import Struct


class PhoneKind(StrEnum):
    """What an agent telephones with."""

    BROWSER = "browser"
    """WebRTC: there only while the desk's page is open."""
    DESK = "desk"
    """A SIP phone of its own."""


class AgentProfile(Struct, frozen=True):
    """An agent as configured."""

    id: str
    name: str
    phone: str
    kind: PhoneKind = PhoneKind.DESK
    """What `phone` is."""
    desk_phone: str = ""
    """The phone on the desk beside the browser; empty: there is no choice."""


CHOICE = "Custom:hotline-desk-"
DESK_CHOSEN, BROWSER_CHOSEN = "INUSE", "NOT_INUSE"


def choice_device(agent: str) -> str:
    """The PBX's device whose state says which phone the agent has chosen: in use, the one on the desk.

    The choice lives in the PBX: its dialplan reads it, with the gateway away too; it is kept over restarts of
    either, told as an event, and listed when the picture is made anew.
    """
    return CHOICE + agent


def chooser(device: str) -> str | None:
    """Whose choice that device's state is; `None`: nobody's."""
    return device.removeprefix(CHOICE) if device.startswith(CHOICE) else None
