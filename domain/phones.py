"""An agent's phones: a browser phone, a desk phone, or both, with a choice between them."""

from enum import StrEnum

from msgspec import Struct


class PhoneKind(StrEnum):
    """The kind of phone an agent uses."""

    BROWSER = "browser"
    """WebRTC phone, registered only while the desk page is open."""
    DESK = "desk"
    """A separate SIP phone."""


class AgentProfile(Struct, frozen=True):
    """An agent as configured."""

    id: str
    name: str
    phone: str
    kind: PhoneKind = PhoneKind.DESK
    """The kind of `phone`."""
    desk_phone: str = ""
    """The desk phone used alongside the browser phone; empty if there is no choice."""


CHOICE = "Custom:hotline-desk-"
DESK_CHOSEN, BROWSER_CHOSEN = "INUSE", "NOT_INUSE"


def choice_device(agent: str) -> str:
    """Return the custom device whose state holds the agent's choice: `INUSE` means the desk phone.

    The choice lives in the PBX, so that the dialplan can read it even while the gateway is away. It survives
    restarts of either, changes arrive as events, and a resync lists it.
    """
    return CHOICE + agent


def chooser(device: str) -> str | None:
    """Return the agent whose choice that device holds; `None` if it is another kind of device."""
    return device.removeprefix(CHOICE) if device.startswith(CHOICE) else None
