"""What the tracker remembers of each channel: mutable, private to the fold."""

from msgspec import Struct

LISTENING = "@hotline-listen"
"""The context of our own live audio: whatever is in it is invisible in the picture."""
TAKE_BACK = "take-back"
"""What a phone dials that takes its call back (RFC 3891); docs/calls.md."""
LOCAL = "Local/"
MEDIA = "WebSocket/hotline-media"
"""Live audio where it goes by chan_websocket."""


class Channel(Struct):
    """One live channel. Other channels are named by their unique ids."""

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
    """Whose phone it is."""
    bridge: str | None = None
    """The bridge it speaks in; `None` in a parking lot."""
    queue: str | None = None
    """The queue it waits in, as caller."""
    abandoned: bool = False
    """app_queue said that the caller gave up."""
    pair: str | None = None
    """The other half of a Local channel."""
    parent: str | None = None
    """Who dialled it."""
    ringing: bool = False
    parked: str | None = None
    """The place in the parking lot."""
    spoke_at: str | None = None
    """The extension it was at when it last entered a bridge."""
    sent_to: str = ""
    """Where it was sent since, so that the way there is told once."""
    silenced: bool = False
    """Held by a command: silenced both ways."""
    successor: str | None = None
    """Who takes its place where it is (a masquerade): maybe in a bridge, with no BridgeEnter."""

    @property
    def taking_back(self) -> bool:
        """On its way to another's place: nothing yet to be seen."""
        return self.exten == TAKE_BACK and self.bridge is None and self.spoke_at is None

    @property
    def local(self) -> bool:
        """Half of a Local channel: plumbing, not a telephone."""
        return self.name.startswith(LOCAL)


def is_listener(name: str) -> bool:
    """Whether the channel carries our own listening and belongs to no call."""
    return name.startswith(MEDIA) or (name.startswith(LOCAL) and LISTENING in name)


def phone_of(channel: str) -> str:
    """The device of a channel name: `PJSIP/1001-0000002a` → `PJSIP/1001`; Local keeps its context."""
    base = channel.partition(";")[0]
    head, dash, tail = base.rpartition("-")
    return head if dash and len(tail) == 8 else base


def other_half(name: str) -> str:
    """The name of a Local channel's other half; "" for any other channel."""
    if not name.startswith(LOCAL):
        return ""
    base, mark, half = name.rpartition(";")
    return f"{base};{'2' if half == '1' else '1'}" if mark else ""
