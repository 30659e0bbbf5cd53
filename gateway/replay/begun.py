"""What went on already when a capture begins, from what its first events take for granted. Pure.

A channel that is mentioned before any Newchannel of it was there; one that leaves a bridge it never entered
was in it; one that leaves a queue it never joined waited there. Together they make a snapshot of the PBX, and
the calls continue from it as after a resync.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct, structs

from domain.pbx.snapshot import (
    BridgeSnapshot,
    ChannelSnapshot,
    PbxSnapshot,
    QueueEntrySnapshot,
    QueueSnapshot,
)
from domain.pbx.uniqueid import created
from gateway.asterisk.normalise import WANTED, caller, number, text
from gateway.calls.channels import is_listener
from gateway.replay.capture import Headers

_PREFIXES = (
    "", "Dest", "Transferer", "Transferee", "OrigTransferer", "SecondTransferer", "TransferTarget", "Target",
    "Spyer", "Spyee", "Parkee", "Retriever", "LocalOne", "LocalTwo",
)  # fmt: skip
_WAITED = frozenset(
    {"QueueCallerLeave", "QueueCallerAbandon", "AgentCalled", "AgentConnect", "AgentRingNoAnswer"}
)
EARLIEST = 10**8
"""POSIX seconds; what tells an earlier time is no time."""
_ID = re.compile(r"[\w.-]*\d+\.\d+")
_TALKED = frozenset({"AgentComplete"})


def channels(headers: Headers) -> Iterator[tuple[str, str]]:
    """Yield the channels an event is about, as (prefix of the headers, unique id)."""
    for prefix in _PREFIXES:
        uniqueid = headers.get(prefix + "Uniqueid", "")
        if uniqueid and not is_listener(headers.get(prefix + "Channel", "")):
            yield prefix, uniqueid


def epoch(uniqueid: str) -> float | None:
    """When the channel was created, POSIX seconds, from its unique id."""
    found = created(uniqueid)
    return float(found[0]) if found is not None and found[0] >= EARLIEST else None


class Begun(Struct):
    """Collects what the first events of a capture take for granted."""

    rows: dict[str, ChannelSnapshot] = {}
    """Channels that were there, by unique id."""
    bridges: dict[str, dict[str, None]] = {}
    queues: dict[str, QueueEntrySnapshot] = {}
    _new: set[str] = set()
    _bridged: set[str] = set()
    _queued: set[str] = set()

    def see(self, headers: Headers) -> None:
        """Take the next event, in order."""
        name = headers.get("Event", "")
        if name not in WANTED or name == "VarSet":
            return
        if name == "Newchannel":
            self._new.add(headers.get("Uniqueid", ""))
            return
        for prefix, uniqueid in channels(headers):
            if uniqueid not in self._new and uniqueid not in self.rows and _ID.fullmatch(uniqueid):
                self.rows[uniqueid] = _row(headers, prefix, uniqueid)
        self._place(name, headers, headers.get("Uniqueid", ""))

    def _place(self, name: str, headers: Headers, uniqueid: str) -> None:
        """Where a channel was that leaves a place it never came to."""
        if name in ("BridgeEnter", "BridgeLeave"):
            bridge = headers.get("BridgeUniqueid", "")
            if name == "BridgeLeave" and uniqueid in self.rows and uniqueid not in self._bridged and bridge:
                self.bridges.setdefault(bridge, {})[uniqueid] = None
            self._bridged.add(uniqueid)
        elif name == "QueueCallerJoin":
            self._queued.add(uniqueid)
        elif name in _WAITED | _TALKED and uniqueid in self.rows and uniqueid not in self._queued:
            self._queued.add(uniqueid)
            if name in _WAITED:
                self.queues[uniqueid] = QueueEntrySnapshot(
                    queue=text(headers, "Queue"),
                    uniqueid=uniqueid,
                    channel=self.rows[uniqueid].channel,
                    position=int(number(headers, "Position")) or 1,
                    wait=number(headers, "HoldTime"),
                    caller_number=self.rows[uniqueid].caller_number,
                )

    def snapshot(self, pbx: str, at: float) -> PbxSnapshot:
        """Return the PBX as it was when the capture began, POSIX seconds."""
        # One created later began within the capture: its Newchannel was lost.
        self.rows = {one: row for one, row in self.rows.items() if row.started_at <= at}
        bridge_of = {one: bridge for bridge, members in self.bridges.items() for one in members}
        rows = tuple(
            structs.replace(row, bridge=bridge_of.get(uniqueid, ""), started_at=min(row.started_at or at, at))
            for uniqueid, row in self.rows.items()
        )
        bridges = {
            bridge: tuple(one for one in members if one in self.rows)
            for bridge, members in self.bridges.items()
        }
        queues: dict[str, list[QueueEntrySnapshot]] = {}
        for entry in (one for one in self.queues.values() if one.uniqueid in self.rows):
            queues.setdefault(entry.queue, []).append(entry)
        return PbxSnapshot(
            pbx=pbx,
            at=at,
            channels=rows,
            bridges=tuple(BridgeSnapshot(bridge=one, channels=it) for one, it in bridges.items() if it),
            queues=tuple(QueueSnapshot(queue=name, entries=tuple(it)) for name, it in queues.items()),
        )


def begun(messages: Iterable[Headers]) -> Begun:
    """What the messages take for granted."""
    found = Begun()
    for headers in messages:
        found.see(headers)
    return found


def _row(headers: Headers, prefix: str, uniqueid: str) -> ChannelSnapshot:
    linkedid = text(headers, prefix + "Linkedid") or uniqueid
    called = linkedid != uniqueid
    state = text(headers, prefix + "ChannelStateDesc")
    if headers.get("Event") == "Newstate" and not prefix and state in ("Up", "Ringing"):
        # It was not so yet.
        state = ("Ringing" if state == "Up" else "Down") if called else "Ring"
    exten, who = text(headers, prefix + "Exten"), caller(headers, prefix)
    return ChannelSnapshot(
        uniqueid=uniqueid,
        linkedid=linkedid,
        channel=text(headers, prefix + "Channel"),
        state=state,
        connected_number=text(headers, prefix + "ConnectedLineNum"),
        connected_name=text(headers, prefix + "ConnectedLineName"),
        context=text(headers, prefix + "Context"),
        # Where the dialplan is by now need not be what was dialled; a number may be.
        exten=exten if exten.lstrip("+").isdigit() and not called else "",
        application="AppDial" if called else "",
        started_at=epoch(uniqueid) or 0.0,
        caller_number=who["caller_number"],
        caller_name=who["caller_name"],
    )
