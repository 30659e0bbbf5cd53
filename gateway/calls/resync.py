"""The picture anew from what the PBX says now, reconciled with what was known. Pure.

Calls known to be open but no longer on the PBX are closed as `unseen`; calls on the PBX that nobody saw begin
are begun; none is lost, none is invented.
"""

from collections.abc import Iterable

from msgspec import structs

from gateway.calls.channels import Channel, is_listener, phone_of
from gateway.calls.tracker import CallTracker
from gateway.models import facts as f
from gateway.models.call import Call, CallState, Direction, EndReason, Leg, Party, Recording, Side, Talk
from gateway.models.facts import AnyFact
from gateway.pbx.snapshot import ChannelSnapshot, PbxSnapshot


def resync(tracker: CallTracker, snapshot: PbxSnapshot, open_calls: Iterable[Call]) -> list[AnyFact]:
    """Rebuild `tracker` from `snapshot`.

    `open_calls` are those the journal holds as not ended (after a restart of ours); calls the tracker itself
    holds are newer than those of the same id.
    """
    known = {call.id: call for call in open_calls if call.pbx == tracker.pbx} | tracker.calls
    rows = [row for row in snapshot.channels if not is_listener(row.channel)]
    tracker.calls.clear()
    tracker.channels.clear()
    waiting_in = {entry.uniqueid: queue.queue for queue in snapshot.queues for entry in queue.entries}
    by_call: dict[str, list[ChannelSnapshot]] = {}
    for row in sorted(rows, key=lambda row: row.started_at):
        by_call.setdefault(tracker.call_id(row.linkedid or row.uniqueid), []).append(row)
    facts: list[AnyFact] = []
    call_of_channel = {row.uniqueid: call_id for call_id, legs in by_call.items() for row in legs}
    for call_id, call in known.items():
        if call_id not in by_call:
            tracker.calls[call_id] = call
            facts += tracker.end(snapshot.at, call, EndReason.UNSEEN)
    floor_facts = tracker.floor.resync(snapshot, call_of_channel)
    for call_id, legs in by_call.items():
        facts += _restore(tracker, snapshot, known.get(call_id), call_id, legs, waiting_in)
    return [*facts, *floor_facts]


def _restore(
    tracker: CallTracker,
    snapshot: PbxSnapshot,
    known: Call | None,
    call_id: str,
    rows: list[ChannelSnapshot],
    waiting_in: dict[str, str],
) -> list[AnyFact]:
    at = snapshot.at
    for row in rows:
        tracker.channels[row.uniqueid] = Channel(
            uniqueid=row.uniqueid,
            linkedid=row.linkedid,
            name=row.channel,
            state=row.state,
            created_at=row.started_at,
            caller_number=row.caller_number,
            caller_name=row.caller_name,
            context=row.context,
            exten=row.exten,
            bridge=row.bridge or None,
            call_id=call_id,
            queue=waiting_in.get(row.uniqueid),
        )
    facts: list[AnyFact] = []
    call = known
    if call is None:
        call = _begun(tracker, call_id, rows)
        facts.append(f.CallStarted(at=at, call=call))
    call = structs.replace(call, legs=_legs(tracker, call, rows, at))
    for row in rows:
        call = _variables(tracker, call, row)
    queued = next((waiting_in[row.uniqueid] for row in rows if row.uniqueid in waiting_in), None)
    agent_leg = next(
        (
            leg
            for leg in call.legs
            if leg.side is Side.AGENT and leg.agent and leg.bridge and not leg.ended_at
        ),
        None,
    )
    if queued is not None:
        call = structs.replace(
            call, state=CallState.QUEUED, queue=queued, queued_at=call.queued_at or at, agent=None
        )
    talks = tuple(
        structs.replace(talk, ended_at=at)
        if talk.ended_at is None and (agent_leg is None or talk.agent != agent_leg.agent)
        else talk
        for talk in call.talks
    )
    call = structs.replace(call, talks=talks)
    tracker.calls[call_id] = call
    if agent_leg is not None and agent_leg.agent is not None:
        running = next((talk for talk in talks if talk.ended_at is None), None)
        if running is None:
            call = structs.replace(
                call,
                state=CallState.TALKING,
                agent=agent_leg.agent,
                answered_at=call.answered_at or at,
                talks=(*talks, Talk(agent=agent_leg.agent, channel=agent_leg.channel, started_at=at)),
            )
            fact: AnyFact = f.CallAnswered(
                at=at, call=call, agent=agent_leg.agent, channel=agent_leg.channel, waited=0.0
            )
        else:
            call = structs.replace(call, state=CallState.TALKING)
            fact = f.CallUpdated(at=at, call=call, what="resync")
        tracker.calls[call_id] = call
        return [*facts, fact, *tracker.floor.phone(at, agent_leg.agent, call_id=call_id, talking=True)]
    return [*facts, f.CallUpdated(at=at, call=call, what="resync")]


def _begun(tracker: CallTracker, call_id: str, rows: list[ChannelSnapshot]) -> Call:
    first = rows[0]
    agent = tracker.floor.agent_of_phone(phone_of(first.channel))
    return Call(
        id=call_id,
        pbx=tracker.pbx,
        linkedid=first.linkedid or first.uniqueid,
        direction=Direction.OUTBOUND if agent else Direction.INBOUND,
        state=CallState.IVR,
        caller=Party(first.caller_number, first.caller_name),
        called=first.exten,
        started_at=first.started_at,
    )


def _legs(tracker: CallTracker, call: Call, rows: list[ChannelSnapshot], at: float) -> tuple[Leg, ...]:
    live = {row.uniqueid: row for row in rows}
    legs: list[Leg] = []
    for leg in call.legs:
        row = live.pop(leg.uniqueid, None)
        if row is not None:
            legs.append(structs.replace(leg, channel=row.channel, bridge=row.bridge or None))
        else:
            legs.append(leg if leg.ended_at is not None else structs.replace(leg, ended_at=at, bridge=None))
    for row in live.values():
        agent = tracker.floor.agent_of_phone(phone_of(row.channel))
        has_caller = any(leg.side is Side.CALLER for leg in legs)
        legs.append(
            Leg(
                uniqueid=row.uniqueid,
                channel=row.channel,
                side=Side.AGENT if has_caller else Side.CALLER,
                party=Party(row.caller_number, row.caller_name),
                created_at=row.started_at,
                agent=agent,
                bridge=row.bridge or None,
            )
        )
    return tuple(legs)


def _variables(tracker: CallTracker, call: Call, row: ChannelSnapshot) -> Call:
    line = row.variables.get("HOTLINE_LINE", "")
    if line and tracker.knows_line(line):
        call = structs.replace(call, line=line)
    path = row.variables.get("HOTLINE_RECORDING", "")
    if path and not any(one.path == path for one in call.recordings):
        recording = Recording(path=path, channel=row.channel, started_at=row.started_at)
        call = structs.replace(call, recordings=(*call.recordings, recording))
    return call
