"""Captures through queues: what the figures count of them is what Asterisk's own queue_log says."""

from collections.abc import Iterable

import pytest

from agents.figures.day import DayFigures
from domain.calls import CallState
from domain.facts import AnyFact, CallQueued
from gateway.calls.resync import resync
from tests.support.captures import LINES, events, tracker
from tests.support.scenes import played
from tests.support.truth import Truth

Counts = dict[str, float]
FIGURES: dict[str, dict[str, Counts]] = {
    "queue-consulted-in-vain": {
        "q12345": {"offered": 1, "answered": 1, "talk_s": 58, "served": 1},
        "yiqilai": {"offered": 1, "abandoned": 1},
    },
    "queue-handed-over": {
        "q12345": {"offered": 1, "answered": 1, "transferred": 1, "talk_s": 25, "served": 1},
        "yiqilai": {"offered": 1, "answered": 1, "talk_s": 40, "served": 1},
    },
    "queue-asked-answered": {
        "q12345": {"offered": 1, "answered": 1, "served": 1, "talk_s": 3},
        "yiqilai": {"offered": 1, "answered": 1, "served": 1, "talk_s": 2},
    },
    "queue-asked-blonde-given-up": {
        "q12345": {"offered": 1, "answered": 1, "transferred": 1, "served": 1, "talk_s": 1},
        "yiqilai": {"offered": 1, "short_abandoned": 1},
    },
    "queue-asked-handed-over": {
        "q12345": {"offered": 1, "answered": 1, "transferred": 1, "served": 1, "talk_s": 1},
        "yiqilai": {"offered": 1, "answered": 1, "served": 1, "talk_s": 3},
    },
    "queue-called-answered": {
        "q12345": {"offered": 1, "answered": 1, "transferred": 1, "served": 1, "talk_s": 2},
        "yiqilai": {"offered": 1, "answered": 1, "served": 1, "talk_s": 2},
    },
    "queue-called-waiting": {
        "q12345": {"offered": 1, "answered": 1, "transferred": 1, "served": 1},
        "yiqilai": {"offered": 1, "answered": 1, "served": 1, "talk_s": 1},
    },
    "queue-timeout": {"yiqilai": {"offered": 1, "timeout": 1}},
    "queue-joinempty": {"yiqilai": {"offered": 1, "other": 1}},
    "queue-withdrawn": {"yiqilai": {"offered": 1, "withdrawn": 1}},
    "queue-full": {"q12345": {"offered": 1, "other": 1}},
    "blonde-consultation-named": {
        "q12345": {"offered": 1, "answered": 1, "transferred": 1, "talk_s": 22, "served": 1},
    },
}
"""Scenario: queue: what was counted there; all the rest is 0."""
COUNTED = (
    *("offered", "answered", "abandoned", "short_abandoned", "timeout", "other", "withdrawn", "unseen"),
    *("transferred", "served", "talk_s"),
)


def counted(facts: Iterable[AnyFact]) -> dict[str, Counts]:
    """What the figures say of each queue, without what is 0."""
    figures = DayFigures(LINES)
    last = 0.0
    for fact in facts:
        figures.apply(fact)
        last = max(last, fact.at)
    days = {line.queue: figures.day(("main", line.queue), last) for line in LINES}
    found = {name: {one: getattr(day, one) for one in COUNTED} for name, day in days.items()}
    return {
        name: kept for name, day in found.items() if (kept := {one: day[one] for one in COUNTED if day[one]})
    }


@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_of_a_capture(name: str) -> None:
    on = tracker()
    facts = played(on, events(name))
    assert counted(facts) == FIGURES[name]
    assert on.queue_state.entries.talking == {}
    assert on.queue_state.entries.waiting == {}


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
    assert counted(facts) == FIGURES[name]
