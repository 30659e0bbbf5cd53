"""Every capture, cut off at every event, with every single event lost, with every single event doubled.

What holds for all of them: each call is told to begin and to end once; no span is negative, outside its call
or twice at a time; nothing is left over. Doubled, nothing changes at all. After a loss and the resync that
follows at once, as many calls are told as were made, each conversation once, and the figures are those of
queue_log. Where the lost event is the PBX's only word of something, that cannot be known, and is named below
by the kind of event.
"""

from collections.abc import Mapping

import pytest

from domain.facts import CallsMerged
from domain.pbx import events as e
from tests.support import damage
from tests.support.captures import NAMES
from tests.support.told import log_of

TWO_IN_ONE = (e.AttendedTransfer,)
"""Alone says that two calls of a phone became one, where their parties are in no common bridge yet."""
WHO_TALKS = (
    *TWO_IN_ONE,
    e.DialBegin,  # who called whom: a phone that forwarded, or stands behind a Local channel
    e.BridgeEnter,  # who takes over whose place (take-back); a moment later the two may be elsewhere
    e.BridgeLeave,  # who moves between two bridges looks as if they had left
    e.Hangup,  # of the agent: the caller who is handed over was never seen without them
    e.QueueCallerLeave,  # a consultation of a queue that waits no longer looks like the caller's
    e.AgentConnect,  # a member's name, where the phone is nobody's
    e.AgentComplete,  # of a caller who is parked: the talk ended before the phone was put down
)
LOGGED = (
    *TWO_IN_ONE,
    e.QueueCallerAbandon,  # and the caller is still listed when the log is read
    e.AgentComplete,  # of a caller who is in the next queue already
    e.VarSet,  # QUEUESTATUS of a consultation whose end the log puts with the caller's
)
"""What the resync cannot make up for though it reads the queue_log."""
COUNTED = (
    *TWO_IN_ONE,  # and the caller takes the consultation's place in the queue
    e.QueueCallerJoin,  # of who leaves again at once
    e.QueueCallerLeave,  # the queue does not list them, and whoever answered is not named
    e.QueueCallerAbandon,
    e.AgentConnect,
    e.AgentComplete,  # the seconds talked, and whether the caller was transferred
    e.VarSet,  # QUEUESTATUS: why the queue let somebody go, or did not let them in
    e.Hangup,  # of the caller: AgentComplete comes after the resync has closed the entry
)


def known(figures: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """`unseen` and `other` together: app_queue says nothing of who leaves by a key."""
    found = {}
    for queue, counts in figures.items():
        other = counts.get("unseen", 0) + counts.get("other", 0)
        found[queue] = {name: count for name, count in counts.items() if name not in ("unseen", "other")}
        found[queue] |= {"other": other} if other else {}
    return found


def sound(outcome: damage.Outcome) -> None:
    damage.told_once(outcome)
    for call in outcome.calls:
        damage.adds_up(call)


@pytest.mark.parametrize("name", NAMES)
def test_cut_off_at_every_event(name: str) -> None:
    stream, seen, true = damage.stream_of(name), damage.snapshots(name), damage.whole(name)
    # When two calls have just become one, the channel that hangs up now is a call to who did not see them.
    apart = any(isinstance(fact, CallsMerged) for fact in true.facts)
    for at, event in enumerate(stream):
        outcome = damage.cut_off(stream, at, seen[at])
        sound(outcome)
        going_on = sum(call.ended_at is not None and call.ended_at >= event.at for call in true.calls)
        assert going_on <= len(outcome.calls) <= going_on + apart, (at, event)


@pytest.mark.parametrize("name", NAMES)
def test_every_event_lost(name: str) -> None:
    stream, seen, true = damage.stream_of(name), damage.snapshots(name), damage.whole(name)
    for at, event in enumerate(stream):
        outcome = damage.lost(stream, at, seen[at + 1], damage.records_of(name, seen[at + 1].at))
        sound(outcome)
        if not isinstance(event, TWO_IN_ONE):
            assert len(outcome.calls) == len(true.calls), (at, event)
        if not isinstance(event, WHO_TALKS):
            assert sorted(outcome.who) == sorted(true.who), (at, event)
        if not isinstance(event, LOGGED if log_of(name) else COUNTED):
            assert known(damage.figures(outcome)) == known(damage.figures(true)), (at, event)


@pytest.mark.parametrize("name", NAMES)
def test_every_event_doubled(name: str) -> None:
    stream, true = damage.stream_of(name), damage.whole(name)
    for at, event in enumerate(stream):
        outcome = damage.doubled(stream, at)
        sound(outcome)
        assert outcome.who == true.who, (at, event)
        assert damage.figures(outcome) == damage.figures(true), (at, event)
