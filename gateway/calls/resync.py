"""Rebuilds the tracker from a snapshot of the PBX, reconciled with what was known before. Pure.

Open calls that are no longer on the PBX have ended (`gateway/calls/outage.py`); calls on the PBX that nobody
saw begin are added. No call is lost and none is invented. What the PBX cannot report (holds, past legs,
transfers) is kept.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from msgspec import structs

from domain import facts as f
from domain.calls import Call, Direction, EndReason, Recording, Side
from domain.facts import AnyFact
from domain.pbx.records import PbxRecords
from domain.pbx.snapshot import ChannelSnapshot, PbxSnapshot
from domain.pbx.uniqueid import created
from domain.queues import QueueEntry
from gateway.calls.channels import Channel, is_listener
from gateway.calls.conversations import HOLDING
from gateway.calls.outage import (
    answered_away,
    ended_away,
    entries_of,
    entry_away,
    left_away,
    same_stay,
    served_away,
)
from gateway.calls.registry import CallRegistry, closed, survivor
from gateway.calls.tracker import CallTracker

NO_RECORDS = PbxRecords()
PARKING = "parking"
DIALLED = "AppDial"
"""Application of a channel that was called rather than calling."""


def resync(
    tracker: CallTracker,
    snapshot: PbxSnapshot,
    open_calls: Iterable[Call],
    records: PbxRecords = NO_RECORDS,
) -> list[AnyFact]:
    """Rebuild `tracker` from `snapshot` and return the resulting facts.

    `open_calls` are the calls that have not ended according to the journal, after a restart of the gateway.
    Where the tracker holds a call with the same id, its version is newer and wins. `records` may tell how
    those that are gone ended.
    """
    at, registry = snapshot.at, tracker.registry
    tracker.queue_state.learn_names(snapshot)
    known = {call.id: call for call in open_calls if call.pbx == tracker.pbx} | tracker.calls
    rows = sorted(
        (row for row in snapshot.channels if row.uniqueid and not is_listener(row.channel)),
        key=_age,
    )
    holding = {
        one.bridge for one in snapshot.bridges if one.bridge_type == PARKING or one.technology == HOLDING
    }
    home = _homes(registry, known, rows, holding)
    watched = dict(registry.channels)
    registry.clear()
    begun = _calls(tracker, known, rows, home)
    waiting_in = {entry.uniqueid: queue.queue for queue in snapshot.queues for entry in queue.entries}
    channels = [
        _channel(registry, row, home[row.uniqueid], holding, waiting_in, watched.get(row.uniqueid))
        for row in rows
    ]
    for call_id in begun:
        registry.tell(f.CallStarted(at=at, call=registry.calls[call_id]))
    for call_id, call in known.items():
        if call_id in registry.calls:
            continue
        kept = next(
            (home[leg.uniqueid] for leg in call.legs if home.get(leg.uniqueid) in registry.calls), None
        )
        if kept is None:
            registry.tell(f.CallEnded(at=at, call=ended_away(call, records, registry, at)))
            continue
        # Its parties hear those of another call: the two became one.
        ended = structs.replace(closed(call, at), end_reason=EndReason.MERGED, merged_into=kept)
        registry.tell(f.CallEnded(at=at, call=ended))
        registry.tell(f.CallsMerged(at=at, call=registry.calls[kept], merged=call_id))
    waited = dict(tracker.queue_state.entries.waiting)
    for fact in tracker.queue_state.resync(snapshot, home):
        registry.tell(*entry_away(fact, records, registry))
    _entries_away(tracker, snapshot, known, records, waited)
    for call in list(registry.calls.values()):
        _restore(tracker, snapshot, call)
    for channel in channels:
        tracker.conversations.settle(at, channel, partial(_since, registry, known, records, at))
    for call in list(registry.calls.values()):
        after = tracker.conversations.refresh(call, given_up=True)
        registry.tell(f.CallUpdated(at=at, call=after, what=f.RESYNC))
        for channel in registry.members(call.id):
            registry.show(at, channel.agent)
    return registry.take()


def _entries_away(
    tracker: CallTracker,
    snapshot: PbxSnapshot,
    known: Mapping[str, Call],
    records: PbxRecords,
    waited: Mapping[str, QueueEntry],
) -> None:
    """Tell of the queues that callers who are still there went through unseen, and who talks with them.

    And of the conversations that ended, of whomever.
    """
    registry, entries = tracker.registry, tracker.queue_state.entries
    for entry in list(entries.talking.values()):
        if (over := served_away(entry, records, registry)) is not None:
            registry.tell(*entries.served_unseen(snapshot.at, over))
    for entry in list(entries.waiting.values()):
        over = left_away(entry, records, registry) if entry.left_at is not None else None
        if over is not None:
            registry.tell(*entries.passed_unseen(snapshot.at, over, told=True))
    for channel in list(registry.channels.values()):
        passed = entries_of(channel.call_id, channel.uniqueid, records, registry)
        for entry in passed if channel.call_id not in known else passed[-1:]:
            if not entry.talking and channel.call_id in known:
                continue
            if entry.talking:
                _serve(registry, channel, entry)
            before = waited.get(channel.uniqueid)
            told = before is not None and same_stay(before, entry)
            registry.tell(*entries.passed_unseen(snapshot.at, entry, told=told))


def _serve(registry: CallRegistry, channel: Channel, entry: QueueEntry) -> None:
    """Note of which queue the caller on that channel is served, and since when they have been queued."""
    for one in registry.parties(channel):
        if one.agent is not None and one.agent == entry.agent:
            one.served = entry.queue
    call = registry.calls[channel.call_id]
    if call.queued_at is None:
        registry.change(call, queued_at=entry.entered_at)


def _since(
    registry: CallRegistry,
    known: Mapping[str, Call],
    records: PbxRecords,
    at: float,
    call: Call,
    channel: Channel,
) -> float:
    """Return when a conversation began that nobody saw begin.

    As the records say; else the earliest it can have been: both were there, and nobody watched. Of a PBX that
    was never watched there is no telling.
    """
    if not records.watched_until:
        return at
    parties = registry.parties(channel)
    told = answered_away(call, channel, [one.uniqueid for one in parties], records, registry)
    if told is not None:
        return told
    both_there = max(one.created_at for one in parties)
    return both_there if call.id not in known else max(both_there, min(at, records.watched_until))


def _age(row: ChannelSnapshot) -> tuple[float, int]:
    """Sort key by age: unique ids count up, while `Duration` has whole seconds only."""
    return created(row.uniqueid) or (row.started_at, 0)


def _homes(
    registry: CallRegistry, known: dict[str, Call], rows: list[ChannelSnapshot], holding: set[str]
) -> dict[str, str]:
    """Map each channel to a call: the one that had it, else its Linkedid's; bridged channels share one."""
    had = {leg.uniqueid: call.id for call in known.values() for leg in call.legs if leg.ended_at is None}
    home: dict[str, str] = {row.uniqueid: had[row.uniqueid] for row in rows if row.uniqueid in had}
    of_linkedid: dict[str, str] = {}
    for row in rows:
        if row.uniqueid in home:
            of_linkedid.setdefault(row.linkedid, home[row.uniqueid])
    for row in rows:
        linkedid = row.linkedid or row.uniqueid
        if row.uniqueid not in home:
            home[row.uniqueid] = of_linkedid.setdefault(linkedid, registry.call_id(linkedid))
    # Both halves of a Local channel belong to one call, and so do channels that hear each other.
    together: dict[str, str] = {}
    for row in rows:
        keys = [row.bridge] if row.bridge and row.bridge not in holding else []
        if row.channel.startswith("Local/"):
            keys.append(row.channel.partition(";")[0])
        for key in keys:
            one, other = together.setdefault(key, home[row.uniqueid]), home[row.uniqueid]
            if one == other:
                continue
            kept, gone = _which(known, one, other)
            for table in (home, together):
                for name, call_id in table.items():
                    if call_id == gone:
                        table[name] = kept
    return home


def _which(known: dict[str, Call], one: str, other: str) -> tuple[str, str]:
    """Return (the id that is kept, the id that is dropped)."""
    if one in known and other in known:
        winner, loser = survivor(known[one], known[other])
        return winner.id, loser.id
    return (other, one) if other in known else (one, other)


def _calls(
    tracker: CallTracker, known: dict[str, Call], rows: list[ChannelSnapshot], home: dict[str, str]
) -> list[str]:
    """Add the calls to the registry and return the ids of those nobody saw begin."""
    registry = tracker.registry
    groups: dict[str, list[ChannelSnapshot]] = {}
    for row in rows:
        groups.setdefault(home[row.uniqueid], []).append(row)
    begun = []
    for call_id, group in groups.items():
        if call_id in known:
            registry.begin(known[call_id])
            continue
        first = min(group, key=lambda row: _beginner(registry, row))
        channel = _channel_of(registry, first, call_id)
        call = tracker.lifecycle.begin(min(row.started_at for row in group), channel)
        if channel.agent is None and first.application == DIALLED:
            call = structs.replace(call, direction=Direction.OUTBOUND)
        elif first.application == DIALLED and len(group) == 1:
            # A phone that was called, and whose caller is gone already, called nobody.
            call = structs.replace(call, direction=Direction.INBOUND)
        registry.keep(structs.replace(call, legs=()))
        begun.append(call_id)
    return begun


def _beginner(registry: CallRegistry, row: ChannelSnapshot) -> int:
    """Sort key for who began a call: first a caller from outside, then an agent, then anybody else."""
    if row.application == DIALLED or row.channel.startswith("Local/"):
        return 2
    return 1 if registry.agent_of(row.channel) else 0


def _channel_of(registry: CallRegistry, row: ChannelSnapshot, call_id: str) -> Channel:
    """Build the channel of a row, not yet in any queue or bridge."""
    return Channel(
        uniqueid=row.uniqueid,
        linkedid=row.linkedid or row.uniqueid,
        name=row.channel,
        state=row.state,
        created_at=row.started_at,
        call_id=call_id,
        caller_number=row.caller_number,
        caller_name=row.caller_name,
        exten=row.exten,
        agent=registry.agent_of(row.channel),
    )


def _channel(
    registry: CallRegistry,
    row: ChannelSnapshot,
    call_id: str,
    holding: set[str],
    waiting_in: dict[str, str],
    watched: Channel | None,
) -> Channel:
    channel = _channel_of(registry, row, call_id)
    if watched is not None:
        # No list says who called it, whose phone rings behind it, where it was sent.
        for name in Channel.UNLISTED:
            setattr(channel, name, getattr(watched, name))
    channel.queue = waiting_in.get(row.uniqueid)
    channel.ringing = row.state == "Ringing"
    if channel.ringing_at is None and channel.ringing:
        channel.ringing_at = row.started_at
    channel.parked = "" if row.bridge in holding else None
    registry.add(channel)
    if watched is not None and channel.local:
        # A member's Local channel is nobody's phone once the phone behind it is known.
        registry.set_agent(channel, watched.agent)
    registry.alias(channel.linkedid, call_id)
    if row.bridge and row.bridge not in holding:
        registry.set_bridge(channel, row.bridge)
    return channel


def _restore(tracker: CallTracker, snapshot: PbxSnapshot, call: Call) -> None:
    """Update a call's legs, queue and variables from the snapshot, and end what is over."""
    at, registry = snapshot.at, tracker.registry
    live = {channel.uniqueid: channel for channel in registry.members(call.id)}
    for leg in call.legs:
        here = live.get(leg.uniqueid)
        if here is not None:
            here.ringing_at = leg.ringing_at or here.ringing_at
            if here.agent is None and leg.agent is not None and here.local:
                registry.set_agent(here, leg.agent)
            call = registry.set_leg(
                call, leg.uniqueid, channel=here.name, bridge=here.bridge, agent=here.agent
            )
        elif leg.ended_at is None:
            call = tracker.conversations.set_held(at, call, leg.uniqueid, False)
            call = registry.set_leg(call, leg.uniqueid, ended_at=at, bridge=None)
            call = tracker.conversations.end_conversation(at, call, leg.channel)
    real = [one for one in live.values() if not one.local or one.agent or one.queue]
    for channel in real or list(live.values())[:1]:
        leg_before = call.leg(channel.uniqueid)
        call = registry.add_leg(call, channel)
        if leg_before is None and channel.queue is not None and call.direction is Direction.INBOUND:
            if not tracker.queueing.waits_for_caller(call, channel):
                call = registry.drop_leg(call, channel.uniqueid)
                continue
            call = registry.set_leg(call, channel.uniqueid, side=Side.CALLER)
    names = {channel.name for channel in live.values()}
    for talk in call.conversations:
        if talk.ended_at is None and talk.channel not in names:
            call = tracker.conversations.end_conversation(at, call, talk.channel)
    for one in live.values():
        one.consults = one.queue is not None and not tracker.queueing.waits_for_caller(call, one)
    queued = next((one for one in live.values() if one.queue is not None and not one.consults), None)
    if queued is not None:
        since = next(
            (
                at - entry.wait
                for queue in snapshot.queues
                for entry in queue.entries
                if entry.uniqueid == queued.uniqueid
            ),
            at,
        )
        queued_at = call.queued_at if call.queued_at is not None else since
        call = registry.change(
            call,
            queue=queued.queue,
            queued_at=queued_at,
            line=registry.line_of_queue.get(queued.queue or "", call.line),
        )
        call = registry.classify(call)
    ringing = next((one.agent for one in live.values() if one.ringing and one.agent), None)
    if ringing is not None and not call.talking:
        call = registry.change(call, agent=ringing)
    for row in snapshot.channels:
        if row.uniqueid in live:
            call = _variables(registry, call, row)
            if row.variables.get("HOTLINE_HELD") == "1":
                live[row.uniqueid].silenced = True
                call = tracker.conversations.set_held(at, call, row.uniqueid, True)
            if (muted := row.variables.get("HOTLINE_MUTED")) is not None:
                call = registry.set_leg(call, row.uniqueid, muted=muted == "1")


def _variables(registry: CallRegistry, call: Call, row: ChannelSnapshot) -> Call:
    line = row.variables.get("HOTLINE_LINE", "")
    if line in registry.lines and line != call.line:
        call = registry.change(call, line=line)
    path = row.variables.get("HOTLINE_RECORDING", "")
    if path and not any(one.path == path for one in call.recordings):
        recording = Recording(path=path, channel=row.channel, started_at=row.started_at)
        call = registry.change(call, recordings=(*call.recordings, recording))
    return call
