"""Captures through queues: what the figures count of them is what Asterisk's own queue_log says."""

from collections.abc import Iterable

import pytest

from agents.figures.day import DayFigures
from domain.facts import AnyFact
from tests.support.captures import LINES, events, tracker
from tests.support.scenes import played

Counts = dict[str, float]
FIGURES: dict[str, dict[str, Counts]] = {
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
