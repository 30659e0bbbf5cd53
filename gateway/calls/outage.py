"""Calls that ended while the gateway was away, told from what the PBX left of them. Pure.

A call known before is closed with what the records say of its rest. A call that lies wholly inside the outage
is made of them alone, and marked so. The end of a call is the end of its recording or of its last record;
where there is neither, the last moment known: never the moment the gateway came back.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from msgspec import structs

from domain.calls import (
    Call,
    CallSource,
    CallState,
    Conference,
    Conversation,
    Direction,
    EndReason,
    Hold,
    Leg,
    Party,
    Recording,
    Side,
)
from domain.facts import AnyFact, QueueEntryChanged
from domain.pbx.records import DetailRecord, PbxRecords
from domain.queues import QueueEntry, QueueOutcome
from gateway.asterisk.queue_log import began_at
from gateway.calls.channels import Channel, phone_of
from gateway.calls.registry import CallRegistry, closed
from gateway.calls.stays import Stay, stays_of

SAME_S = 5.0
"""A conversation in the log is the one known if their beginnings differ by no more."""
REASONS = {
    QueueOutcome.ANSWERED: EndReason.COMPLETED,
    QueueOutcome.ABANDONED: EndReason.ABANDONED_QUEUE,
    QueueOutcome.TIMEOUT: EndReason.QUEUE_TIMEOUT,
    QueueOutcome.EMPTY: EndReason.QUEUE_TIMEOUT,
}


class Recovered(NamedTuple):
    """A call found in the records, and its stays in queues."""

    call: Call
    entries: tuple[QueueEntry, ...]


def ended_away(call: Call, records: PbxRecords, registry: CallRegistry, at: float) -> Call:
    """Return a call known before, and gone at `at`, with its end as far as it can be told."""
    uniqueids = [leg.uniqueid for leg in call.legs] or [call.linkedid]
    stays = [one for uniqueid in uniqueids for one in _stays(records, uniqueid, registry)]
    details = [one for uniqueid in uniqueids for one in records.details.get(uniqueid, ())]
    known = min(at, _last_known(call))
    ends = [one.ended_at or one.left_at or one.entered_at for one in stays]
    ends += [one.ended_at for one in details]
    ends += [
        one.started_at + records.lengths[one.path] for one in call.recordings if one.path in records.lengths
    ]
    end = max(known, min(at, max(ends, default=records.watched_until)))
    call = _with_conversations(call, stays, details, registry, end)
    recorded = any(records.lengths.get(one.path) for one in call.recordings)
    if not records.tells_answers and recorded and not call.conversations and end > known:
        # Nothing tells whether somebody answered: nobody's order may be lost for that.
        call = _talked(call, call.agent, known, end)
    reason = _told_reason(stays) or EndReason.UNSEEN
    return structs.replace(closed(call, end), end_reason=reason, source=CallSource.PARTLY)


def entry_away(fact: AnyFact, records: PbxRecords, registry: CallRegistry) -> list[AnyFact]:
    """Return what the log says of a stay in a queue whose end, or whose conversation's, was not seen."""
    if not isinstance(fact, QueueEntryChanged):
        return [fact]
    entry = fact.entry
    stay = _stay_of(entry, records, registry)
    if stay is None or stay.outcome is None:
        return [fact]
    if fact.stage == "left" and entry.outcome is QueueOutcome.UNSEEN:
        told = _as_logged(entry, stay)
        left: list[AnyFact] = [structs.replace(fact, entry=told)]
        return left if stay.talked is None else [*left, structs.replace(fact, entry=told, stage="served")]
    if fact.stage == "served" and entry.talked is None:
        entry = structs.replace(entry, talked=stay.talked, transferred=stay.transferred)
        return [structs.replace(fact, entry=entry)]
    return [fact]


def entries_of(call_id: str, uniqueid: str, records: PbxRecords, registry: CallRegistry) -> list[QueueEntry]:
    """Return the stays of a caller who is still there, but the one that goes on."""
    stays = _stays(records, uniqueid, registry)
    return [_entry(call_id, None, uniqueid, one, registry) for one in stays if one.outcome is not None]


def served_away(entry: QueueEntry, records: PbxRecords, registry: CallRegistry) -> QueueEntry | None:
    """Return the entry with what the log says of its conversation; `None`: it goes on, or nothing is said."""
    stay = _stay_of(entry, records, registry)
    if stay is None or stay.agent != entry.agent or stay.talked is None:
        return None
    return structs.replace(entry, talked=stay.talked, transferred=stay.transferred)


def left_away(entry: QueueEntry, records: PbxRecords, registry: CallRegistry) -> QueueEntry | None:
    """Return the entry with what the log says of how its wait ended; `None`: nothing."""
    stay = _stay_of(entry, records, registry)
    return None if stay is None or stay.outcome is None else _as_logged(entry, stay)


def _as_logged(entry: QueueEntry, stay: Stay) -> QueueEntry:
    return structs.replace(
        entry, outcome=stay.outcome, left_at=stay.left_at, waited=stay.waited, agent=stay.agent,
        missed=max(entry.missed, stay.missed), talked=stay.talked, transferred=stay.transferred,
    )  # fmt: skip


def _stay_of(entry: QueueEntry, records: PbxRecords, registry: CallRegistry) -> Stay | None:
    """Return what the log says of that entry."""

    def apart(stay: Stay) -> float:
        return abs(stay.entered_at - entry.entered_at)

    # Handed over while it waited, the log goes on under the caller's unique id.
    own = (entry.uniqueid, entry.moved_to) if entry.moved_to else (entry.uniqueid,)
    stays = [one for uniqueid in own for one in _stays(records, uniqueid, registry)]
    same = [one for one in stays if same_stay(entry, one)]
    ended = [one for one in same if one.outcome is not None] if entry.moved_to else []
    return min(ended or same, key=apart, default=None)


def same_stay(one: QueueEntry, other: QueueEntry | Stay) -> bool:
    """Whether the log and the events tell of the same stay."""
    return one.queue == other.queue and abs(one.entered_at - other.entered_at) <= SAME_S


def answered_away(
    call: Call, channel: Channel, uniqueids: Iterable[str], records: PbxRecords, registry: CallRegistry
) -> float | None:
    """Return when whoever has that channel answered one of these callers and now talks; `None`: not told."""
    for uniqueid in uniqueids:
        last = next(reversed(_stays(records, uniqueid, registry)), None)
        served = last is not None and last.outcome is QueueOutcome.ANSWERED and last.ended_at is None
        if last is not None and served and last.agent is not None and last.agent == channel.agent:
            return last.left_at
    details = (one for uniqueid in (call.linkedid, *uniqueids) for one in records.details.get(uniqueid, ()))
    told = [one.answered_at for one in details if one.dest_channel == channel.name and one.answered]
    return max((one for one in told if one is not None), default=None)


def inside(
    records: PbxRecords, registry: CallRegistry, since: float, earliest: float, taken: Collection[str]
) -> list[Recovered]:
    """Return the calls of an outage that began about `since`, oldest first.

    Clocks differ, and a crash loses the last facts: calls since `earliest` count too. `taken` holds the
    unique ids that belong to calls known already, living or over. A detail record alone, which channels of
    many kinds leave, tells of a call only after `since`.
    """
    found = []
    records = _joined(records, taken)
    named = {*records.queue_log, *records.details, *records.recordings} - set(taken)
    for uniqueid in sorted(named, key=lambda one: (began_at(one) or 0.0, one)):
        began = began_at(uniqueid)
        alone = uniqueid not in records.queue_log and uniqueid not in records.recordings
        if began is None or began < (since if alone else earliest):
            continue
        if alone and all(one.channel.startswith("Local/") for one in records.details[uniqueid]):
            continue
        found.append(_call(records, registry, uniqueid, began))
    return found


def _joined(records: PbxRecords, taken: Collection[str]) -> PbxRecords:
    """Put agents' recordings with their calls: the called channel is recorded, the calling one has the CDR.

    They are the same where a recording that nothing else names lasts from the answer to the end.
    """
    recordings = {name: one for name, one in records.recordings.items() if name not in taken}
    nameless = [one for one in recordings.values() if not _named(records, one.uniqueid)]
    for uniqueid, rows in records.details.items():
        for row in rows:
            if row.answered_at is None or uniqueid in recordings or uniqueid in taken:
                continue
            apart = {
                abs(one.written_at - row.ended_at)
                + abs(one.written_at - one.duration - row.answered_at): one.uniqueid
                for one in nameless
                if one.uniqueid in recordings
            }
            if apart and min(apart) <= SAME_S:
                recordings[uniqueid] = recordings.pop(apart[min(apart)])
    return structs.replace(records, recordings=recordings)


def _named(records: PbxRecords, uniqueid: str) -> bool:
    return uniqueid in records.queue_log or uniqueid in records.details


def _call(records: PbxRecords, registry: CallRegistry, uniqueid: str, began: float) -> Recovered:
    stays = _stays(records, uniqueid, registry)
    details, raw = records.details.get(uniqueid, ()), records.recordings.get(uniqueid)
    agent = next((found for one in details if (found := registry.agent_of(one.channel))), None)
    direction = _direction(stays, details, agent, records, registry)
    ends = [one.ended_at or one.left_at or one.entered_at for one in stays]
    ends += [one.ended_at for one in details]
    start = began
    if raw is not None:
        # The recording begins with the answer; its own length and end tell when that was.
        start = max(began, raw.written_at - raw.duration)
        answers = [began, *(one.answered_at for one in details if one.answered_at is not None)]
        start = start if start - max(answers) <= SAME_S else max(answers)
        ends.append(start + raw.duration)
    end = max([began, *ends])
    first = stays[0] if stays else None
    number = next((one.caller for one in stays if one.caller), details[0].source if details else "")
    party = Party(number[:64])
    queue = stays[-1].queue if stays else None
    called = details[0].destination[:64] if details and not stays else ""
    side = Side.AGENT if agent is not None else Side.CALLER
    call = Call(
        id=registry.call_id(uniqueid),
        pbx=registry.pbx,
        linkedid=uniqueid,
        direction=direction,
        state=CallState.ENDED,
        caller=party,
        called=called,
        started_at=began,
        line=registry.line_of_queue.get(queue or "") or registry.line_of_number.get(called),
        queue=queue,
        agent=agent,
        queued_at=first.entered_at if first else None,
        legs=(Leg(uniqueid, details[0].channel if details else "", side, party, began, agent=agent),),
        recordings=(Recording(raw.path, "", start, start + raw.duration),) if raw is not None else (),
        source=CallSource.RECORDS,
    )
    call = _with_conversations(call, stays, details, registry, end)
    if not call.conversations and raw is not None and _assumed_answered(call, records, stays, details):
        call = _talked(call, agent, start, end)
    call = structs.replace(closed(call, end), end_reason=_reason(call, stays))
    return Recovered(call, tuple(_entry(call.id, call.ended_at, uniqueid, stay, registry) for stay in stays))


def _stays(records: PbxRecords, uniqueid: str, registry: CallRegistry) -> list[Stay]:
    return stays_of(records.queue_log.get(uniqueid, ()), registry.agent_of_member)


def _direction(
    stays: Sequence[Stay],
    details: Sequence[DetailRecord],
    agent: str | None,
    records: PbxRecords,
    registry: CallRegistry,
) -> Direction:
    """Who called whom. Whom neither log nor detail record knows as a caller, an agent called outside."""
    if stays or (details and agent is None) or not records.tells_answers:
        return Direction.INBOUND
    called = [one.dest_channel for one in details if one.dest_channel]
    internal = called and all(registry.agent_of(one) for one in called)
    return Direction.INTERNAL if internal else Direction.OUTBOUND


def _assumed_answered(
    call: Call, records: PbxRecords, stays: Sequence[Stay], details: Sequence[DetailRecord]
) -> bool:
    """Whether a recording alone tells of a conversation: an agent's call is recorded from its answer on."""
    if call.direction is Direction.OUTBOUND:
        return not details
    return not records.tells_answers and not stays


def _with_conversations(
    call: Call, stays: Sequence[Stay], details: Sequence[DetailRecord], registry: CallRegistry, end: float
) -> Call:
    for stay in stays:
        if stay.outcome is QueueOutcome.ANSWERED and stay.left_at is not None:
            call = _talked(call, stay.agent, stay.left_at, stay.ended_at or end)
    if stays:
        return call
    for one in details:
        caller, called = registry.agent_of(one.channel), registry.agent_of(one.dest_channel)
        if not one.answered or one.answered_at is None or not one.dest_channel:
            continue
        agent = called or caller
        party = "" if agent is not None else one.destination[:64] or phone_of(one.dest_channel)
        call = _talked(call, agent, one.answered_at, one.ended_at, party)
    return call


def _talked(call: Call, agent: str | None, start: float, end: float, party: str = "") -> Call:
    """Return the call with that conversation, or with its end where its beginning is known already."""
    for index, talk in enumerate(call.conversations):
        if abs(talk.started_at - start) <= SAME_S and agent in (None, talk.agent):
            if talk.ended_at is not None:
                return call
            over = structs.replace(talk, ended_at=max(end, talk.started_at))
            talks = (*call.conversations[:index], over, *call.conversations[index + 1 :])
            return structs.replace(call, conversations=talks)
    talk = Conversation(agent, "", start, max(start, end), party)
    return structs.replace(
        call,
        conversations=(*call.conversations, talk),
        agent=agent or call.agent,
        answered_at=start if call.answered_at is None else call.answered_at,
    )


def _reason(call: Call, stays: Sequence[Stay]) -> EndReason:
    if stays:
        return _told_reason(stays) or EndReason.UNSEEN
    return EndReason.COMPLETED if call.conversations else EndReason.UNSEEN


def _told_reason(stays: Sequence[Stay]) -> EndReason | None:
    """What the log says of the end; nothing where a conversation has none, as when the PBX died."""
    last = stays[-1] if stays else None
    if last is None or last.outcome is None:
        return None
    over = last.outcome is not QueueOutcome.ANSWERED or last.ended_at is not None
    return REASONS.get(last.outcome) if over else None


def _entry(
    call_id: str, ended_at: float | None, uniqueid: str, stay: Stay, registry: CallRegistry
) -> QueueEntry:
    return QueueEntry(
        pbx=registry.pbx,
        queue=stay.queue,
        line=registry.line_of_queue.get(stay.queue),
        call_id=call_id,
        uniqueid=uniqueid,
        entered_at=stay.entered_at,
        outcome=stay.outcome or QueueOutcome.UNSEEN,
        left_at=stay.left_at or ended_at,
        waited=stay.waited,
        agent=stay.agent,
        talked=stay.talked,
        transferred=stay.transferred,
        missed=stay.missed,
    )


def _last_known(call: Call) -> float:
    """The latest instant that stands in what is known of the call."""
    instants = [call.started_at, call.queued_at, call.ringing_at, call.answered_at]
    for leg in call.legs:
        instants += [leg.created_at, leg.answered_at, leg.ended_at]
    spans: tuple[Conversation | Recording | Hold | Conference, ...] = (
        *call.conversations, *call.recordings, *call.holds, *call.conferences,
    )  # fmt: skip
    for one in spans:
        instants += [one.started_at, one.ended_at]
    instants += [transfer.at for transfer in call.transfers]
    return max(one for one in instants if one is not None)
