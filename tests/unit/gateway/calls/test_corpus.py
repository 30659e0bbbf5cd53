"""The corpus: what is told of every capture is what its table says, its figures are Asterisk's own."""

import pytest

from domain.facts import CallEnded
from tests.support.captures import FOLDER, NAMES, events, nothing_left, tracker
from tests.support.damage import adds_up
from tests.support.scenes import played
from tests.support.told import calls_told, figures_of, log_of, logged_figures, told_of, truth


def test_every_capture_has_a_row_and_every_row_a_capture() -> None:
    assert set(truth()) == set(NAMES)
    assert len(NAMES) >= 100
    assert {path.stem for path in FOLDER.glob("*.queue_log")} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_is_told_right(name: str) -> None:
    on = tracker()
    facts = played(on, events(name))
    calls = calls_told(facts)
    rows = truth()[name]
    assert [told_of(call) for call in calls] == [row.told for row in rows]
    assert figures_of(facts) == rows[0].queues
    assert on.queue_state.entries.talking == {}
    assert on.queue_state.entries.waiting == {}
    nothing_left(on)
    own = {call.id for call in calls}
    for fact in facts:
        if isinstance(fact, CallEnded):
            assert fact.call.merged_into is None or fact.call.merged_into in own
            adds_up(fact.call)
            # A member who is nowhere has no better channel than the Local one that was called.
            answered = [leg for leg in fact.call.legs if leg.answered_at is not None]
            assert not any(leg.channel.startswith("Local/") for leg in answered)


@pytest.mark.parametrize("name", [name for name in NAMES if log_of(name)])
def test_the_table_is_what_asterisks_own_log_of_queues_says(name: str) -> None:
    """But for who was not let in, of whom the log has no line."""
    refused = {"queue-joinempty", "queue-full"}
    if name.removesuffix("-16") not in refused:
        assert truth()[name][0].queues == logged_figures(log_of(name))
