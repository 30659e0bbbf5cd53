"""The channels of an Asterisk before 12, and which of them are held back. Pure.

Nothing names the call a new channel is part of. So one that somebody may be calling is held back, with all it
does, until it is known who called it; only then its Linkedid is written.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from domain.pbx.uniqueid import created
from gateway.replay.capture import Headers

Timed = tuple[float | None, Headers]


class OldChannel(Struct):
    uniqueid: str
    name: str
    state: str = ""
    number: str = ""
    person: str = ""
    context: str = ""
    exten: str = ""
    announced: bool = False
    """Its Newchannel was seen."""
    root: str = ""
    """Unique id of the channel that began its call: the Linkedid."""
    bridge: str = ""
    dialler: str = ""
    dialled: list[str] = field(default_factory=list)
    queue: str = ""


class OldEvent(Struct):
    number: int
    at: float | None
    headers: Headers
    about: dict[str, str]
    """Prefix of the channel's headers → unique id."""


class _Held(Struct):
    """Channels of which nobody knows yet whose call they are part of, and what they did."""

    members: list[str]
    events: list[OldEvent] = field(default_factory=list)


class Channels:
    """Channels by unique id and by name."""

    def __init__(self) -> None:
        self.by_id: dict[str, OldChannel] = {}
        self.names: dict[str, str] = {}
        self._held: dict[str, _Held] = {}
        self._count = 0
        self.at: float | None = None
        """When the message being translated was seen, if the capture tells."""
        self.stamp: Headers = {}
        """Its Timestamp, if it has one."""

    # -- channels ------------------------------------------------------------------------------------------
    def known(self, headers: Headers, uniqueid: str = "Uniqueid", name: str = "Channel") -> OldChannel | None:
        """The channel an event is about, by unique id or name; one not seen before is taken up."""
        who = headers.get(uniqueid) or headers.get(uniqueid.replace("id", "ID"), "")
        who = who or self.names.get(headers.get(name, ""), "")
        if not who:
            return None
        channel = self.by_id.get(who)
        if channel is None:
            channel = self.by_id[who] = OldChannel(who, headers.get(name, ""), root=who)
            self.names[channel.name] = who
        return channel

    def take(self, channel: OldChannel, headers: Headers) -> None:
        """Note what an event says of its channel."""
        number = headers.get("CallerIDNum", headers.get("CallerID", ""))
        channel.state = headers.get("ChannelStateDesc", headers.get("State", "")) or channel.state
        channel.number = number if number and not number.startswith("<") else channel.number
        person = headers.get("CallerIDName", "")
        channel.person = person if person and not person.startswith("<") else channel.person
        channel.context = headers.get("Context", "") or channel.context
        channel.exten = headers.get("Exten", headers.get("Extension", "")) or channel.exten

    def event(self, name: str, about: dict[str, OldChannel], **more: str) -> OldEvent:
        self._count += 1
        headers = {"Event": name, **self.stamp, **more}
        for prefix, one in about.items():
            headers |= {
                prefix + "Channel": one.name,
                prefix + "ChannelStateDesc": one.state,
                prefix + "CallerIDNum": one.number or "<unknown>",
                prefix + "CallerIDName": one.person or "<unknown>",
                prefix + "Context": one.context,
                prefix + "Exten": one.exten,
                prefix + "Uniqueid": one.uniqueid,
            }
        about_ids = {prefix: one.uniqueid for prefix, one in about.items()}
        return OldEvent(self._count, self.at, headers, about_ids)

    # -- held back -----------------------------------------------------------------------------------------
    def release(self, events: Iterable[OldEvent]) -> Iterator[Timed]:
        """Yield what may go; the rest waits with the channel it is about."""
        for event in events:
            held = next((self._held[one] for one in event.about.values() if one in self._held), None)
            if held is not None:
                held.events.append(event)
                continue
            for prefix, who in event.about.items():
                if (channel := self.by_id.get(who)) is not None:
                    event.headers[prefix + "Linkedid"] = channel.root
                    if event.headers["Event"] == "Newchannel" and not event.headers["Exten"]:
                        event.headers["Exten"] = channel.exten
            yield event.at, event.headers
            if event.headers["Event"] == "Hangup":
                self._forget(event.headers["Uniqueid"])

    def hold(self, channel: OldChannel) -> None:
        base, mark, _ = channel.name.rpartition(";")
        if channel.name.startswith("Local/") and mark:
            for half in ("1", "2"):
                twin = self.names.get(f"{base};{half}", "")
                if twin in self._held and twin != channel.uniqueid:
                    self._held[twin].members.append(channel.uniqueid)
                    self._held[channel.uniqueid] = self._held[twin]
                    return
        self._held[channel.uniqueid] = _Held([channel.uniqueid])

    def join(self, channel: OldChannel, to: OldChannel) -> Iterator[OldEvent]:
        """A channel turns out to be part of another one's call."""
        mine, other = self._held.get(channel.uniqueid), self._held.get(to.uniqueid)
        if mine is not None and other is not None:
            if mine is not other:
                other.members += mine.members
                other.events = sorted((*other.events, *mine.events), key=lambda one: one.number)
                self._held.update(dict.fromkeys(mine.members, other))
        elif mine is not None:
            yield from self.resolve(channel.uniqueid, to.root)
        elif other is not None:
            yield from self.resolve(to.uniqueid, channel.root)
        elif not channel.announced:
            channel.root = to.root
        elif not to.announced:
            to.root = channel.root

    def resolve(self, uniqueid: str, root: str = "") -> list[OldEvent]:
        """Let a held channel go, with all that are held with it."""
        held = self._held.get(uniqueid)
        if held is None:
            return []
        root = root or min(held.members, key=age)
        for one in held.members:
            self.by_id[one].root = root
            self._held.pop(one, None)
        return held.events

    def _forget(self, uniqueid: str) -> None:
        channel = self.by_id.pop(uniqueid, None)
        if channel is not None and self.names.get(channel.name) == uniqueid:
            del self.names[channel.name]

    def rest(self) -> Iterator[Timed]:
        """The capture ends: let everything go."""
        for held in list({id(one): one for one in self._held.values()}.values()):
            yield from self.release(self.resolve(held.members[0]))


def age(uniqueid: str) -> tuple[int, int]:
    """What channels are sorted by; one whose id tells nothing is the oldest."""
    return created(uniqueid) or (0, 0)
