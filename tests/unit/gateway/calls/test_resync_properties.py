"""Whatever was lost, doubled or reordered, a resync corrects the state, and a second one changes nothing."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calls import EndReason
from domain.facts import CallEnded, CallStarted
from domain.pbx.snapshot import PbxSnapshot
from gateway.calls.resync import resync
from tests.support.captures import NAMES, damaged, healed, interleaved, nothing_left, tracker, true_to
from tests.support.truth import Truth

SCENES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)
SEEDS = st.integers(0, 2**32)
DAMAGE = st.sampled_from([0.0, 0.02, 0.2, 0.6])


@given(SCENES, SEEDS, DAMAGE, st.floats(0, 1))
@settings(deadline=None, max_examples=100)
def test_a_second_resync_has_nothing_to_say(
    names: list[str], seed: int, how_much: float, share: float
) -> None:
    on, truth, _ = healed(names, seed, how_much, share)
    once = dict(on.calls)
    again = resync(on, truth.snapshot(), list(once.values()))
    true_to(on, truth)
    assert not [fact for fact in again if isinstance(fact, CallStarted | CallEnded)]
    assert on.calls == once


@given(SCENES, SEEDS, DAMAGE, st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None, max_examples=100)
def test_a_gateway_that_was_away_ends_what_is_over_and_keeps_what_goes_on(
    names: list[str], seed: int, how_much: float, died: float, back: float
) -> None:
    """It dies at one moment and is back at a later one; all it has then are the journal's open calls."""
    chance = random.Random(seed)
    stream = interleaved(names, chance)
    first, second = sorted((int(len(stream) * died), int(len(stream) * back)))
    before, truth = tracker(), Truth()
    for event in damaged(stream[:first], chance, how_much):
        before.apply(event)
    for event in stream[:second]:
        truth.see(event)
    journal = dict(before.calls)
    on = tracker()
    facts = resync(on, truth.snapshot(), list(journal.values()))
    true_to(on, truth)
    ended = [fact.call for fact in facts if isinstance(fact, CallEnded)]
    begun = [fact.call.id for fact in facts if isinstance(fact, CallStarted)]
    assert {call.id for call in ended} == set(journal) - set(on.calls)
    assert len(ended) == len(journal.keys() - on.calls.keys()), "each once"
    assert {call.end_reason for call in ended} <= {EndReason.UNSEEN, EndReason.MERGED}
    assert not any(talk.ended_at is None for call in ended for talk in call.conversations)
    assert set(begun) == set(on.calls) - set(journal)
    for event in stream[second:]:
        on.apply(event)
    nothing_left(on)


@given(SCENES, SEEDS, DAMAGE)
@settings(deadline=None, max_examples=100)
def test_no_ghost_outlives_an_empty_pbx(names: list[str], seed: int, how_much: float) -> None:
    """Damage from the first event to the last, then an Asterisk with nothing on it."""
    chance = random.Random(seed)
    stream = interleaved(names, chance)
    on = tracker()
    facts = [fact for event in damaged(stream, chance, how_much) for fact in on.apply(event)]
    facts += resync(on, PbxSnapshot(pbx="main", at=max(event.at for event in stream)), [])
    nothing_left(on)
    started = [fact.call.id for fact in facts if isinstance(fact, CallStarted)]
    ended = [fact.call.id for fact in facts if isinstance(fact, CallEnded)]
    assert sorted(started) == sorted(ended), "each call that began has ended, once"


@given(SCENES, SEEDS, st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_resyncs_in_mid_stream_change_nothing_in_the_end(names: list[str], seed: int, every: int) -> None:
    """A link that flaps: resynchronised again and again, missing nothing between."""
    chance = random.Random(seed)
    stream = interleaved(names, chance)
    plain, flapping, truth = tracker(), tracker(), Truth()
    for number, event in enumerate(stream):
        plain.apply(event)
        flapping.apply(event)
        truth.see(event)
        if number % (every * 7) == 0:
            resync(flapping, truth.snapshot(), [])
            true_to(flapping, truth)
        assert set(flapping.channels) == set(plain.channels)
    nothing_left(flapping)
