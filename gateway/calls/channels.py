"""What the call tracker remembers about each channel: mutable, private to the tracker."""

from typing import ClassVar

from msgspec import Struct

LISTENING = "@hotline-listen"
"""Dialplan context of the gateway's own listeners, whose channels are ignored."""
TAKE_BACK = "take-back"
"""The extension a phone dials to recover its call (RFC 3891); see docs/calls.md."""
LOCAL = "Local/"
MEDIA = "WebSocket/hotline-media"
"""Prefix of the channels that carry live audio over chan_websocket."""


class Channel(Struct):
    """One live channel. Other channels are referred to by unique id."""

    UNLISTED: ClassVar[tuple[str, ...]] = (
        "served", "abandoned", "refused_at", "parent", "dialled", "dialled_at", "ringing_at", "behind",
        "dial_status", "missed", "spoke_at", "sent_to", "silenced", "successor",
    )  # fmt: skip
    """What only watching tells: no list of the PBX has it, so a resync keeps it."""

    uniqueid: str
    linkedid: str
    name: str
    state: str
    created_at: float
    call_id: str
    caller_number: str = ""
    caller_name: str = ""
    exten: str = ""
    agent: str | None = None
    """The agent whose phone this is."""
    bridge: str | None = None
    """The bridge it talks in; `None` in a parking lot."""
    queue: str | None = None
    """The queue it waits in."""
    consults: bool = False
    """It waits (or waited) there for an agent who consults the queue, not for the caller."""
    served: str | None = None
    """The queue that connected it, as the agent's."""
    abandoned: bool = False
    """app_queue reported that the caller gave up."""
    refused_at: float | None = None
    """When a queue last did not let it in."""
    pair: str | None = None
    """The other half of a Local channel."""
    parent: str | None = None
    """The channel that dialled it."""
    dialled: str = ""
    """The number outside that was dialled to reach it."""
    dialled_at: float | None = None
    """When somebody began to call it; `None` once that is over."""
    ringing: bool = False
    """It rings. An agent's phone says so itself; one outside is taken to ring while it is called."""
    ringing_at: float | None = None
    """When it, or a phone behind this Local channel, said that it rings."""
    behind: str | None = None
    """The agent whose phone rings behind this Local channel."""
    dial_status: str = ""
    """How calling it ended (DIALSTATUS), as far as it says why."""
    missed: str | None = None
    """The agent app_queue gave up on before the phone rang: its hang-up cause will say why."""
    parked: str | None = None
    """The parking space."""
    spoke_at: str | None = None
    """The extension it was at when it last entered a bridge."""
    sent_to: str = ""
    """Where it has been sent since, so that the transfer is reported only once."""
    silenced: bool = False
    """On hold by a command: silenced both ways."""
    successor: str | None = None
    """The channel taking its place in a masquerade, possibly in a bridge without a BridgeEnter."""

    @property
    def number(self) -> str:
        """Its number. Asterisk gives a channel that was dialled the number of whoever calls, or none."""
        return self.caller_number if self.caller_number.endswith(self.dialled) else self.dialled

    @property
    def recovering(self) -> bool:
        """Whether it is about to replace another channel (call recovery) and must not be shown yet."""
        return self.exten == TAKE_BACK and self.bridge is None and self.spoke_at is None

    @property
    def local(self) -> bool:
        """Whether it is half of a Local channel: plumbing, not a telephone."""
        return self.name.startswith(LOCAL)


def is_listener(name: str) -> bool:
    """Whether the channel is one of the gateway's own listeners, which belong to no call."""
    return name.startswith(MEDIA) or (name.startswith(LOCAL) and LISTENING in name)


def phone_of(channel: str) -> str:
    """Return the device of a channel: `PJSIP/1001-0000002a` → `PJSIP/1001`; Local keeps its context."""
    base = channel.partition(";")[0]
    head, dash, tail = base.rpartition("-")
    return head if dash and len(tail) == 8 else base


def other_half(name: str) -> str:
    """Return the name of a Local channel's other half; "" for any other channel."""
    if not name.startswith(LOCAL):
        return ""
    base, mark, half = name.rpartition(";")
    return f"{base};{'2' if half == '1' else '1'}" if mark else ""


def number_dialled(dial_string: str) -> str:
    """Return the number outside that a DialString names: `trunk/sip:0513…@host`, `0513…@trunk`; else ""."""
    head, at, _ = dial_string.rpartition("@")
    number = head.rpartition("sip:")[2].rpartition("/")[2]
    return number[:64] if at and number.strip("+0123456789*#") == "" else ""
