"""Streams cut, with an event lost or doubled, and then resynchronised; and what must be true all the same."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from domain.calls import Call
from domain.facts import AnyFact, CallEnded, CallStarted
from domain.pbx import events as e
from domain.pbx.events import AnyPbxEvent
from domain.pbx.records import PbxRecords
from domain.pbx.snapshot import PbxSnapshot
from gateway.asterisk.queue_log import queue_log_line
from gateway.calls.resync import NO_RECORDS, resync
from gateway.calls.stays import by_caller
from tests.support.captures import events, nothing_left, tracker
from tests.support.scenes import played
from tests.support.told import calls_told, figures_of, log_of
from tests.support.truth import Truth

CLOSE_S = 0.05
"""Two events of one moment may be told in either order."""


class Outcome(NamedTuple):
    """What came of a stream."""

    facts: list[AnyFact]
    calls: list[Call]

    @property
    def who(self) -> list[list[str]]:
        """Who talked, of each call."""
        return [[talk.agent or talk.party for talk in call.conversations] for call in self.calls]


SILENT = (
    e.DeviceStateChange, e.QueueMemberStatus, e.QueueMemberPause, e.QueueMemberAdded, e.QueueMemberRemoved,
    e.NewConnectedLine, e.BridgeDestroy, e.LocalBridge,
)  # fmt: skip
"""What tells nothing of a call: agents' and bridges' states, half of all events."""


def stream_of(name: str) -> tuple[AnyPbxEvent, ...]:
    """What a capture tells of calls."""
    return tuple(event for event in events(name) if not isinstance(event, SILENT))


def snapshots(name: str) -> list[PbxSnapshot]:
    """What the PBX would list before the first event of the stream, and after each."""
    truth = Truth()
    found = [truth.snapshot()]
    for event in stream_of(name):
        truth.see(event)
        found.append(truth.snapshot())
    return found


def whole(name: str) -> Outcome:
    """The stream as it is."""
    return _outcome(played(tracker(), stream_of(name)))


def cut_off(stream: Sequence[AnyPbxEvent], at: int, seen: PbxSnapshot) -> Outcome:
    """A gateway that starts at that event, knowing nothing."""
    on = tracker()
    facts = resync(on, seen, [])
    facts += played(on, stream[at:])
    nothing_left(on)
    return _outcome(facts)


def records_of(name: str, at: float) -> PbxRecords:
    """What the queue_log kept beside a capture said at that time; its seconds are whole."""
    lines = [line for text in log_of(name) if (line := queue_log_line(text)) is not None and line.at <= at]
    return PbxRecords(queue_log=by_caller(lines))


def lost(
    stream: Sequence[AnyPbxEvent], at: int, seen: PbxSnapshot, records: PbxRecords = NO_RECORDS
) -> Outcome:
    """That event never comes; a resync follows at once."""
    on = tracker()
    facts = played(on, stream[:at])
    facts += resync(on, seen, [], records)
    facts += played(on, stream[at + 1 :])
    nothing_left(on)
    return _outcome(facts)


def doubled(stream: Sequence[AnyPbxEvent], at: int) -> Outcome:
    """That event comes twice."""
    on = tracker()
    facts = played(on, [*stream[: at + 1], *stream[at:]])
    nothing_left(on)
    return _outcome(facts)


def _outcome(facts: list[AnyFact]) -> Outcome:
    return Outcome(facts, calls_told(facts))


def told_once(one: Outcome) -> None:
    """Each call that was told to begin has ended, once."""
    begun = Counter(fact.call.id for fact in one.facts if isinstance(fact, CallStarted))
    ended = Counter(fact.call.id for fact in one.facts if isinstance(fact, CallEnded))
    assert begun == ended
    assert set(ended.values()) <= {1}


def adds_up(call: Call) -> None:
    """No span is negative, outside the call, or twice at a time for one telephone."""
    assert call.ended_at is not None
    spans: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for talk in call.conversations:
        spans.setdefault(("talk", talk.channel), []).append((talk.started_at, talk.ended_at or -1))
    for hold in call.holds:
        spans.setdefault(("hold", hold.uniqueid), []).append((hold.started_at, hold.ended_at or -1))
    for leg in call.legs:
        spans.setdefault(("leg", leg.uniqueid), []).append((leg.created_at, leg.ended_at or -1))
    for (kind, _), those in spans.items():
        for start, end in those:
            assert start <= end, (kind, start, end)
            assert call.started_at - 1.0 <= start, (kind, "begins before the call")
            assert end <= call.ended_at + CLOSE_S, (kind, "ends after the call")
        for (_, end), (start, _) in zip(sorted(those), sorted(those)[1:], strict=False):
            assert end <= start, (kind, "twice at a time")


def figures(one: Outcome) -> dict[str, dict[str, int]]:
    return {queue: dict(counts) for queue, counts in figures_of(one.facts).items()}
