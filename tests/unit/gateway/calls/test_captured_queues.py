"""Captures through queues: what the figures count of them is what Asterisk's own queue_log says."""

import pytest

from agents.figures.day import DayFigures
from domain.calls import CallState
from domain.facts import CallQueued
from gateway.calls.resync import resync
from tests.support import told
from tests.support.captures import LINES, events, tracker
from tests.support.scenes import played
from tests.support.truth import Truth

IN_VAIN = ("queue-asked-in-vain", "queue-asked-answered", "queue-consulted-in-vain")


@pytest.mark.parametrize("name", IN_VAIN)
def test_an_agent_who_consults_a_queue_leaves_the_caller_where_they_are(name: str) -> None:
    on = tracker()
    stayed = waited = 0
    for event in events(name):
        facts = on.apply(event)
        call = next((one for one in on.calls.values() if one.queue), None)
        if call is None or call.ended_at is not None:
            continue
        leg = call.caller_leg
        assert leg is not None
        assert (call.queue, call.line, leg.channel.startswith("PJSIP/trunk")) == ("q12345", "12345", True)
        assert "yiqilai" not in [fact.queue for fact in facts if isinstance(fact, CallQueued)]
        stayed += call.talking
        waited += len(on.queue_state.queues["yiqilai"].waiting)
    assert stayed
    assert waited, "the consultation itself waits"


@pytest.mark.parametrize("name", ["queue-handed-over", "queue-called-waiting", "queue-asked-blonde-given-up"])
def test_a_caller_handed_over_into_a_queue_waits_there(name: str) -> None:
    on = tracker()
    seen = set()
    for event in events(name):
        on.apply(event)
        for call in on.calls.values():
            if call.transfers and not call.talking:
                seen.add((call.state, call.line, call.queue))
                waiting = on.queue_state.queues["yiqilai"].waiting
                if waiting:
                    assert [(one.call_id, one.caller) for one in waiting] == [(call.id, call.caller.number)]
    assert seen & {(CallState.QUEUED, "yiqilai", "yiqilai"), (CallState.RINGING, "yiqilai", "yiqilai")}


@pytest.mark.parametrize("share", [0.5, 0.6, 0.7, 0.8])
@pytest.mark.parametrize("name", ["queue-handed-over", "queue-called-waiting", "queue-called-answered"])
def test_a_restart_in_between_counts_the_same(name: str, share: float) -> None:
    """The open entries come from the figures, the calls from the journal, the rest from the PBX."""
    stream = events(name)
    cut = int(len(stream) * share)
    before, truth, figures = tracker(), Truth(), DayFigures(LINES)
    facts = played(before, stream[:cut])
    while any(one.left_at is not None for one in before.queue_state.entries.waiting.values()):
        # Between leaving the queue and the answer, which is a millisecond, the PBX lists neither.
        facts += before.apply(stream[cut])
        cut += 1
    for event in stream[:cut]:
        truth.see(event)
    for fact in facts:
        figures.apply(fact)
    after = tracker()
    after.queue_state.restore((), figures.open_entries.values())
    facts += resync(after, truth.snapshot(), list(before.calls.values()))
    facts += played(after, stream[cut:])
    assert told.figures_of(facts) == told.truth()[name][0].queues
