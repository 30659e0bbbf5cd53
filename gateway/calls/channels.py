"""What the tracker remembers of each channel: mutable, private to the fold."""

from msgspec import Struct

LISTENERS = ("Local/spy@hotline-listen", "Local/feed@hotline-listen")
"""Channels of our own live audio: invisible in the picture."""


class Channel(Struct):
    """One live channel."""

    uniqueid: str
    linkedid: str
    name: str
    state: str
    created_at: float
    caller_number: str = ""
    caller_name: str = ""
    context: str = ""
    exten: str = ""
    bridge: str | None = None
    call_id: str | None = None
    queue: str | None = None
    """The queue it waits in, as caller."""


def is_listener(name: str) -> bool:
    """Whether the channel carries our own listening and belongs to no call."""
    return name.startswith(LISTENERS)


def phone_of(channel: str) -> str:
    """The device of a channel name: `PJSIP/1001-0000002a` → `PJSIP/1001`; Local keeps its context."""
    base = channel.partition(";")[0]
    head, dash, tail = base.rpartition("-")
    return head if dash and len(tail) == 8 else base
