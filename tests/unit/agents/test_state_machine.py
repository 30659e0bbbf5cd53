"""Agent states on plain data: what the PBX says, what time does, what must be done."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from agents import state_machine as m
from agents.state_machine import Seen, SetPause, state_of
from domain.queues import MISSED_REASON, AgentState, reserved_reason

READY = Seen(logged_in=True, device="NOT_INUSE")


def seen(**changes: Any) -> Seen:
    return structs.replace(READY, **changes)


def pbx(before: Seen, paused: bool, reason: str = "", logged_in: bool = True) -> Seen:
    return m.membership(before, logged_in=logged_in, paused=paused, reason=reason, device="NOT_INUSE")


def test_what_happens_on_the_phone_outranks_what_was_arranged() -> None:
    assert state_of(Seen(), 0.0) is AgentState.LOGGED_OUT
    assert state_of(READY, 0.0) is AgentState.AVAILABLE
    paused = seen(paused=True, reason="小休")
    assert state_of(paused, 0.0) is AgentState.PAUSED
    assert state_of(structs.replace(paused, talking=True), 0.0) is AgentState.TALKING
    assert state_of(structs.replace(paused, talking=True, held=True), 0.0) is AgentState.ON_HOLD
    assert state_of(structs.replace(paused, device="UNAVAILABLE"), 0.0) is AgentState.UNREACHABLE
    assert state_of(structs.replace(paused, device="INUSE"), 0.0) is AgentState.TALKING
    assert state_of(Seen(ringing=True), 0.0) is AgentState.RINGING


def test_wrap_up_is_a_pause_in_the_pbx_and_ends_by_itself() -> None:
    after, effects = m.talk_over("1001", seen(talking=True), 100.0, 30.0)
    assert effects == (SetPause("1001", True, "wrap-up:130"),)
    after = structs.replace(after, talking=False)
    # In the gap before the PBX has paused, the state is wrap-up already.
    assert state_of(after, 100.1) is AgentState.WRAP_UP
    held = pbx(after, True, "wrap-up:130")
    assert state_of(held, 101.0) is AgentState.WRAP_UP
    assert m.due(held, 101.0) == 130.0
    over, effects = m.time_passed("1001", held, 130.0)
    assert effects == (SetPause("1001", False),)
    # Until the PBX has followed, nobody is told that calls will come; and it is asked again.
    assert state_of(over, 130.0) is AgentState.WRAP_UP
    assert m.due(over, 130.0) == 130.0 + m.RETRY_S
    free = pbx(over, False)
    assert state_of(free, 130.2) is AgentState.AVAILABLE
    assert m.due(free, 130.2) is None


def test_wrap_up_is_extended_up_to_its_limit_and_ended_early() -> None:
    held = pbx(m.talk_over("1001", READY, 100.0, 30.0)[0], True, "wrap-up:130")
    more = m.extend_wrap_up("1001", held, 120.0, 60.0, 300.0)
    assert more is not None
    assert more[0].wrap_up_until == 190.0
    assert more[1] == (SetPause("1001", True, "wrap-up:190"),)
    most = m.extend_wrap_up("1001", more[0], 120.0, 9999.0, 300.0)
    assert most is not None
    assert most[0].wrap_up_until == 400.0
    done = m.finish_wrap_up("1001", most[0], 150.0)
    assert done is not None
    assert done[1] == (SetPause("1001", False),)
    assert m.finish_wrap_up("1001", READY, 150.0) is None
    assert m.extend_wrap_up("1001", READY, 150.0, 10.0, 300.0) is None


def test_pausing_in_wrap_up_replaces_it_and_nothing_unpauses_later() -> None:
    held = pbx(m.talk_over("1001", READY, 100.0, 30.0)[0], True, "wrap-up:130")
    paused = pbx(held, True, "小休")
    assert state_of(paused, 110.0) is AgentState.PAUSED
    assert m.time_passed("1001", paused, 130.0) == (paused, ())


def test_who_paused_during_the_call_wraps_up_first_and_stays_paused() -> None:
    paused = seen(paused=True, reason="用餐", talking=True)
    after, effects = m.talk_over("1001", paused, 100.0, 30.0)
    assert effects == ()
    after = structs.replace(after, talking=False)
    assert state_of(after, 110.0) is AgentState.WRAP_UP
    over, effects = m.time_passed("1001", after, 130.0)
    assert effects == ()
    assert state_of(over, 130.0) is AgentState.PAUSED


def test_a_restart_of_the_gateway_finds_the_wrap_up_in_the_pbx() -> None:
    held = pbx(READY, True, "wrap-up:130")
    again, effects = m.rejoined("1001", held, Seen(), 110.0)
    assert effects == ()
    assert (again.wrap_up_until, state_of(again, 110.0)) == (130.0, AgentState.WRAP_UP)
    # Its time went by while nobody watched: the first look at the clock ends it.
    late, _ = m.rejoined("1001", held, Seen(), 500.0)
    assert m.time_passed("1001", late, 500.0)[1] == (SetPause("1001", False),)


def test_a_pause_lost_with_the_link_is_asked_for_again() -> None:
    before, _ = m.talk_over("1001", READY, 100.0, 30.0)
    again, effects = m.rejoined("1001", READY, before, 110.0)
    assert effects == (SetPause("1001", True, "wrap-up:130"),)
    assert again.wrap_up_from == 100.0
    assert m.rejoined("1001", READY, before, 140.0) == (READY, ())


def test_missed_calls_in_a_row_pause_the_agent() -> None:
    one, effects = m.rang_unanswered("1001", READY, 2)
    assert effects == ()
    two, effects = m.rang_unanswered("1001", one, 2)
    assert effects == (SetPause("1001", True, MISSED_REASON),)
    assert m.answered(two).missed == 0
    assert pbx(pbx(two, True, MISSED_REASON), False).missed == 0
    assert m.rang_unanswered("1001", structs.replace(READY, missed=50), 0)[1] == ()


def test_own_reasons_are_reserved() -> None:
    assert reserved_reason("wrap-up:1")
    assert reserved_reason(MISSED_REASON)
    assert not reserved_reason("小休")
    assert m.wrap_up_end("wrap-up:x") is None
    assert m.wrap_up_end("wrap-up:12\n") is None


STEPS = st.one_of(
    st.tuples(st.just("pbx"), st.booleans(), st.sampled_from(["", "小休", "wrap-up:150", "wrap-up:x"])),
    st.tuples(st.just("talk"), st.floats(0, 100)),
    st.tuples(st.just("tick")),
    st.tuples(st.just("extend"), st.floats(0, 500)),
    st.tuples(st.just("finish")),
    st.tuples(st.just("miss")),
    st.tuples(st.just("logout")),
)


@given(st.lists(STEPS, max_size=30))
def test_wrap_up_never_outlasts_its_time_once_the_pbx_obeys(steps: list[Any]) -> None:
    """Whatever happened before: a PBX that does what the effects say ends every wrap-up."""
    now, state = 100.0, READY
    for step in steps:
        now += 1.0
        outcome: Any = None
        match step:
            case ("pbx", paused, reason):
                state = pbx(state, paused, reason)
            case ("talk", seconds):
                outcome = m.talk_over("a", state, now, seconds)
            case ("tick",):
                outcome = m.time_passed("a", state, now)
            case ("extend", seconds):
                outcome = m.extend_wrap_up("a", state, now, seconds, 200.0)
            case ("finish",):
                outcome = m.finish_wrap_up("a", state, now)
            case ("miss",):
                outcome = m.rang_unanswered("a", state, 3)
            case _:
                state = pbx(state, False, logged_in=False)
        if outcome is not None:
            state, effects = outcome
            for effect in effects:
                state = pbx(state, effect.paused, effect.reason)
    while (when := m.due(state, now)) is not None:
        assert when > now
        now = when
        state, effects = m.time_passed("a", state, now)
        for effect in effects:
            state = pbx(state, effect.paused, effect.reason)
    assert state_of(state, now) is not AgentState.WRAP_UP
