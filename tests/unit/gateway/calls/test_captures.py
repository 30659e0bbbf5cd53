"""Real AMI logs (Asterisk 22; `-16`: Asterisk 16): what their table of truth has no column for; damaged."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from domain.calls import Call, CallState, EndReason
from domain.facts import CallAnswered, CallEnded, CallStarted, CallUpdated
from domain.pbx.events import AttendedTransfer
from gateway.calls.resync import resync
from tests.support.captures import NAMES, events, healed, nothing_left, tracker, true_to
from tests.support.truth import Truth

Story = tuple[str, list[str], list[tuple[str, str, str]], int]


def told(call: Call) -> Story:
    return (
        str(call.end_reason),
        [talk.agent or talk.party for talk in call.conversations],
        [(str(one.transfer_type), one.origin, one.target) for one in call.transfers],
        len(call.holds),
    )


@pytest.mark.parametrize("name", ["atxfer-hang-up", "atxfer-three-way"])
def test_a_colleague_who_answers_a_consultation_is_told_before_the_caller_is_with_them(name: str) -> None:
    on = tracker()
    facts = [fact for event in events(name) for fact in on.apply(event)]
    with_the_caller = next(
        index for index, fact in enumerate(facts) if isinstance(fact, CallAnswered) and fact.agent == "1002"
    )
    last = [
        fact.call
        for fact in facts[:with_the_caller]
        if isinstance(fact, CallUpdated) and fact.what == "consultation"
    ][-1]
    legs = {leg.agent: leg for leg in last.legs if leg.ended_at is None}
    assert legs["1002"].answered_at is not None
    assert None not in (legs["1001"].bridge, legs["1002"].bridge)
    assert legs[None].bridge not in (legs["1001"].bridge, legs["1002"].bridge)
    assert last.state is CallState.HELD


@pytest.mark.parametrize("name", ["consult-only", "conference"])
def test_who_leaves_a_call_that_goes_on_is_told_to_have_left(name: str) -> None:
    on = tracker()
    shown: dict[str, Call] = {}
    for event in events(name):
        for fact in on.apply(event):
            if isinstance(fact, CallEnded):
                shown.pop(fact.call.id, None)
            elif (call := getattr(fact, "call", None)) is not None:
                shown[call.id] = call
        for call in on.calls.values():
            if call.id in shown:
                told_live = {
                    leg.uniqueid for leg in shown[call.id].legs if leg.answered_at and not leg.ended_at
                }
                assert told_live <= {channel.uniqueid for channel in on.registry.members(call.id)}


def test_an_old_call_of_a_colleague_does_not_take_over_the_callers() -> None:
    on = tracker()
    facts = [fact for event in events("attended-colleague-first") for fact in on.apply(event)]
    older, ended = [fact.call for fact in facts if isinstance(fact, CallEnded)]
    assert older.started_at < ended.started_at
    assert (older.end_reason, older.merged_into) == (EndReason.MERGED, ended.id)
    assert told(ended)[1:3] == (["1001", "1002"], [("attended", "1001", "1002")])


def test_a_target_that_is_gone_already_is_who_is_in_the_bridge() -> None:
    on = tracker()
    stream = [
        structs.replace(event, target_uniqueid="gone") if isinstance(event, AttendedTransfer) else event
        for event in events("attended")
    ]
    facts = [fact for event in stream for fact in on.apply(event)]
    main = [fact.call for fact in facts if isinstance(fact, CallEnded)][-1]
    assert told(main) == ("completed", ["1001", "1002"], [("attended", "1001", "1002")], 1)


# A channel that came once more after its end, in a call that then became part of its first one.
@example(["blind-nowhere", "attended-outgoing", "take-back"], 7751342, 0.6, 0.875)
@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
    seed=st.integers(0, 2**32),
    how_much=st.sampled_from([0.0, 0.02, 0.2, 0.6]),
    share=st.floats(0, 1),
)
@settings(deadline=None, max_examples=150)
def test_a_damaged_stream_never_crashes_and_a_resync_heals_it(
    names: list[str], seed: int, how_much: float, share: float
) -> None:
    on, truth, rest = healed(names, seed, how_much, share)
    true_to(on, truth)
    for event in rest:
        on.apply(event)
        truth.see(event)
        assert set(on.channels) == truth.channels
    nothing_left(on)


@given(name=st.sampled_from(NAMES), share=st.floats(0, 1))
@settings(deadline=None, max_examples=150)
def test_a_resync_changes_nothing_for_who_has_watched(name: str, share: float) -> None:
    stream = events(name)
    cut = int(len(stream) * share)
    on, truth = tracker(), Truth()
    for event in stream[:cut]:
        on.apply(event)
        truth.see(event)
    before = {call.id: told(call)[1:] for call in on.calls.values()}
    facts = resync(on, truth.snapshot(), [])
    true_to(on, truth)
    assert not any(isinstance(fact, CallStarted | CallEnded) for fact in facts)
    assert {call.id: told(call)[2:] for call in on.calls.values()} == {
        one: story[1:] for one, story in before.items()
    }
    for event in stream[cut:]:
        on.apply(event)
    nothing_left(on)
