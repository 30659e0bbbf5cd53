"""Reads Asterisk's channel event log (CEL) as `cel_custom` writes it: who talked with whom and when. Pure."""

import csv
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, structs

from domain.pbx.records import DetailRecord
from gateway.asterisk.queue_log import MAX_FIELD, began_at, local_time
from gateway.calls.channels import other_half

FIELDS = 20
"""Columns of the mapping in Asterisk's sample `cel_custom.conf`."""
GAP_S = 2.0
"""Two bridges shared with one party, no further apart, are one conversation (an optimised Local channel)."""


class CelEvent(Struct, frozen=True):
    """One line of the log."""

    kind: str
    """`CHAN_START`, `BRIDGE_ENTER`, `CHAN_END` …"""
    at: float
    """POSIX seconds."""
    number: str
    exten: str
    channel: str
    uniqueid: str
    linkedid: str
    bridge: str = ""
    """Where the event is about a bridge."""


class _Stay(Struct, frozen=True):
    """One channel's time in one bridge."""

    channel: str
    bridge: str
    start: float
    end: float


class _Talk(Struct, frozen=True):
    """The time a channel shared a bridge with `other`."""

    other: str
    start: float
    end: float


def cel_event(line: str) -> CelEvent | None:
    """Return the event, or `None`: the line is damaged, or has not the columns of the sample's mapping."""
    try:
        fields = next(csv.reader([line.rstrip("\r\n")]), [])
    except csv.Error:
        return None
    if len(fields) < FIELDS or "\0" in line:
        return None
    at = _instant(fields[1])
    if at is None or began_at(fields[14]) is None or began_at(fields[15]) is None:
        return None
    number, exten, channel = (fields[index][:MAX_FIELD] for index in (3, 7, 9))
    return CelEvent(fields[0], at, number, exten, channel, fields[14], fields[15], _bridge(fields[19]))


def cel_time(line: str) -> float | None:
    """Return when the line was written."""
    found = cel_event(line)
    return found.at if found is not None else None


def detail_records(events: Iterable[CelEvent]) -> list[DetailRecord]:
    """Return a record of each call as a whole, and one for each of its conversations.

    `uniqueid` is the call's linked id. A call is told from the side of its first channel, and when that is
    gone for good, from that of the party it left behind.
    """
    calls = _Calls(events)
    return [record for linkedid in calls.first for record in calls.records(linkedid)]


class _Calls:
    def __init__(self, events: Iterable[CelEvent]) -> None:
        self.first: dict[str, CelEvent] = {}
        """Each call's first channel that is not Local, by the call's linked id."""
        self._born: dict[str, str] = {}
        """The linked id each channel was created with: transfers change it later."""
        self._last: dict[str, float] = {}
        self._calls_last: dict[str, float] = {}
        self._numbers: dict[str, str] = {}
        self._extens: dict[str, str] = {}
        inside: dict[tuple[str, str], float] = {}
        stays: list[_Stay] = []
        for event in events:
            self._note(event)
            place = event.channel, event.bridge
            if event.kind == "BRIDGE_ENTER" and event.bridge:
                inside[place] = event.at
            elif event.kind == "BRIDGE_EXIT" and (began := inside.pop(place, None)) is not None:
                stays.append(_Stay(*place, began, max(began, event.at)))
        # Whoever was not seen to leave was there as long as anything is known of the call: the PBX died.
        stays += [_Stay(*place, began, self._known_until(place[0])) for place, began in inside.items()]
        self._of_channel, self._of_bridge = _grouped(stays, "channel"), _grouped(stays, "bridge")
        self._firsts = {one.channel: linkedid for linkedid, one in self.first.items()}

    def _note(self, event: CelEvent) -> None:
        if event.kind == "CHAN_START":
            self._born[event.channel] = event.linkedid
            if not event.channel.startswith("Local/"):
                self.first.setdefault(event.linkedid, event)
        self._last[event.channel] = max(event.at, self._last.get(event.channel, event.at))
        call = self._born.get(event.channel, "")
        self._calls_last[call] = max(event.at, self._calls_last.get(call, 0.0))
        if event.number:
            self._numbers.setdefault(event.channel, event.number)
        if event.exten not in ("", "s"):
            self._extens.setdefault(event.channel, event.exten)

    def _known_until(self, channel: str) -> float:
        call = self._born.get(channel, "")
        return max(self._last[channel], self._calls_last.get(call, 0.0))

    def records(self, linkedid: str) -> list[DetailRecord]:
        first = self.first[linkedid]
        whole = DetailRecord(
            uniqueid=linkedid,
            source=self._numbers.get(first.channel, ""),
            destination=self._extens.get(first.channel, ""),
            channel=first.channel,
            dest_channel="",
            started_at=first.at,
            ended_at=self._last[first.channel],
        )
        return [whole] + [
            structs.replace(
                whole, dest_channel=one.other, answered_at=one.start, ended_at=one.end, answered=True
            )
            for one in self._talks_of(linkedid)
        ]

    def _talks_of(self, linkedid: str) -> list[_Talk]:
        party, since, told, followed = self.first[linkedid].channel, float("-inf"), list[_Talk](), set[str]()
        while party not in followed:
            followed.add(party)
            talks = [
                one
                for one in self._with_whom(party, followed)
                if one.end > since and self._teller(party, one.other) == linkedid
            ]
            if not talks:
                break
            told += talks
            last = max(talks, key=lambda one: one.end)
            party, since = last.other, last.end
        return _joined(told)

    def _teller(self, one: str, other: str) -> str:
        """Return the call that tells of the two: whose first channel is among them, else the older."""
        own = [self._firsts[name] for name in (one, other) if name in self._firsts]
        born = [self._born[name] for name in (one, other) if name in self._born]
        return min(own or born, key=lambda linkedid: began_at(linkedid) or 0.0, default="")

    def _with_whom(self, party: str, through: set[str]) -> list[_Talk]:
        """Return whom a channel shared bridges with; behind a Local channel, whoever is at its other half."""
        found = []
        for mine in self._of_channel.get(party, ()):
            for stay in self._of_bridge[mine.bridge]:
                start, end = max(mine.start, stay.start), min(mine.end, stay.end)
                if stay.channel != party and stay.channel not in through and start <= end:
                    found += self._behind(_Talk(stay.channel, start, end), {*through, party})
        return found

    def _behind(self, talk: _Talk, through: set[str]) -> list[_Talk]:
        half = other_half(talk.other)
        if not half:
            return [talk]
        return [
            _Talk(one.other, max(one.start, talk.start), min(one.end, talk.end))
            for one in self._with_whom(half, {*through, talk.other})
            if one.start <= talk.end and one.end >= talk.start
        ]


def _grouped(stays: Iterable[_Stay], by: str) -> dict[str, list[_Stay]]:
    groups: dict[str, list[_Stay]] = {}
    for stay in stays:
        groups.setdefault(getattr(stay, by), []).append(stay)
    return groups


def _joined(talks: Sequence[_Talk]) -> list[_Talk]:
    joined: list[_Talk] = []
    for talk in sorted(talks, key=lambda one: (one.start, one.end)):
        for index, one in enumerate(joined):
            if one.other == talk.other and talk.start - one.end <= GAP_S:
                joined[index] = structs.replace(one, end=max(one.end, talk.end))
                break
        else:
            joined.append(talk)
    return joined


def _instant(text: str) -> float | None:
    """Return POSIX seconds of `<seconds>.<microseconds>`, or of a `dateformat` as `%F %T` in local time."""
    seconds, _, rest = text.strip().partition(".")
    if seconds.isdecimal() and len(seconds) <= 11 and (rest.isdecimal() or not rest):
        return float(f"{seconds}.{rest or 0}")
    return local_time(text)


def _bridge(extra: str) -> str:
    try:
        found = msgspec.json.decode(extra) if extra else {}
    except (msgspec.MsgspecError, RecursionError):
        return ""
    bridge = found.get("bridge_id") if isinstance(found, dict) else None
    return bridge[:MAX_FIELD] if isinstance(bridge, str) else ""
