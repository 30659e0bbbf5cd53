"""Who talks without being an agent of ours: a number outside, a phone or a PBX nobody configured."""

from collections.abc import Callable

import pytest

from domain.calls import Call, CallState, Direction, EndReason
from domain.facts import CallAnswered
from gateway.calls.resync import resync
from gateway.calls.tracker import CallTracker
from tests.support.captures import NAMES, events, nothing_left, tracker
from tests.support.scenario import essentials
from tests.support.scenes import Scene, ends, played, talks
from tests.support.truth import Truth

UNIT = "051300000001"
MOBILE = "13900000009"


def stranger() -> CallTracker:
    """A tracker of a PBX of which it knows neither lines nor agents."""
    return CallTracker("main", (), ())


def answered_by_agent(scene: Scene, bridge: str = "b1") -> None:
    """A caller speaks with 1001 for 20 s."""
    scene.new("caller", "PJSIP/trunk-00000001", "13900000001", "12345", state="Ring")
    scene.dial("caller", "agent", "PJSIP/1001-00000002", "1001")
    scene.wait(4).answer("caller", "agent")
    scene.bridge(bridge, "agent", "caller")
    scene.wait(20)


def blind(scene: Scene) -> None:
    answered_by_agent(scene)
    scene.blind("agent", "caller", UNIT)
    scene.leave("b1", "agent", "caller")
    scene.hang_up("agent")
    scene.dial("caller", "unit", "PJSIP/trunk-00000003", UNIT)
    scene.wait(5).answer("caller", "unit")
    scene.bridge("b2", "unit", "caller")


def attended(scene: Scene) -> None:
    answered_by_agent(scene)
    scene.new("second", "PJSIP/1001-00000004", "1001", UNIT)
    scene.dial("second", "unit", "PJSIP/trunk-00000003", UNIT)
    scene.wait(3).answer("second", "unit")
    scene.bridge("b2", "unit", "second")
    scene.wait(2)
    scene.leave("b1", "caller")
    scene.leave("b2", "second")
    scene.bridge("b2", "caller")
    scene.attended("agent", "second", "caller", "unit")
    scene.leave("b1", "agent")
    scene.hang_up("second")
    scene.hang_up("agent")


def blonde(scene: Scene) -> None:
    answered_by_agent(scene)
    scene.new("second", "PJSIP/1001-00000004", "1001", UNIT)
    scene.dial("second", "unit", "PJSIP/trunk-00000003", UNIT)
    scene.wait(3)
    scene.attended("agent", "second", "caller", "", second_state="Ring", destination_type="App")
    scene.leave("b1", "caller", "agent")
    scene.hang_up("agent")
    scene.hang_up("second")
    scene.wait(2).answer("caller", "unit")
    scene.bridge("b2", "unit", "caller")


@pytest.mark.parametrize("transfer", [blind, attended, blonde])
def test_a_caller_handed_over_to_a_number_outside_talks_there(transfer: Callable[[Scene], None]) -> None:
    scene, on = Scene(), tracker()
    transfer(scene)
    facts = played(on, scene.events)
    (call,) = on.calls.values()
    assert call.state is CallState.TALKING
    before = len(scene.events)
    scene.wait(60)
    scene.leave("b2", "caller", "unit")
    scene.hang_up("caller")
    scene.hang_up("unit")
    facts += played(on, scene.events[before:])
    over = ends(facts)[-1]
    assert talks(over) == [("1001", 4, talks(over)[0][2]), (UNIT, 29, 60)]
    assert talks(over)[0][2] in (20, 23, 25)
    assert over.end_reason is EndReason.COMPLETED
    assert over.agents == ("1001",)
    assert (over.has_work_order, over.conversations[-1].with_agent) == (True, False)
    told = [fact for fact in facts if isinstance(fact, CallAnswered)][-1]
    assert (told.agent, told.party) == (None, UNIT)
    nothing_left(on)


def test_a_phone_nobody_configured_is_no_reason_for_an_order() -> None:
    facts = played(tracker(), events("phone-not-configured"))
    (call,) = ends(facts)
    assert (talks(call), call.end_reason) == ([("800", 4, 60)], EndReason.COMPLETED)
    assert call.answered_at == pytest.approx(call.started_at + 4.2, abs=0.02)
    assert (call.agent, call.agents, call.direction) == (None, (), Direction.INBOUND)
    assert not call.has_work_order and not call.needs_post_call


def test_a_phone_without_a_number_is_named_by_its_device() -> None:
    scene, on = Scene(), tracker()
    scene.new("caller", "PJSIP/trunk-00000001", "13900000001", "12345", state="Ring")
    scene.dial("caller", "phone", "PJSIP/reception-00000002")
    scene.answer("caller", "phone")
    scene.bridge("b1", "phone", "caller")
    played(on, scene.events)
    (call,) = on.calls.values()
    assert call.conversations[0].party == "PJSIP/reception"


def test_forwarded_on_no_answer_to_a_mobile() -> None:
    scene, on = Scene(), tracker()
    scene.new("caller", "PJSIP/trunk-00000001", "13900000001", "12345", state="Ring")
    scene.dial("caller", "agent", "PJSIP/1001-00000002", "1001")
    scene.wait(15).not_answered("caller", "agent")
    scene.dial("caller", "mobile", "PJSIP/trunk-00000003", MOBILE)
    scene.wait(3).answer("caller", "mobile")
    scene.bridge("b1", "caller", "mobile")
    scene.wait(30).leave("b1", "mobile", "caller")
    scene.hang_up("mobile")
    scene.hang_up("caller")
    (call,) = ends(played(on, scene.events))
    assert (talks(call), call.end_reason, call.has_work_order) == (
        [(MOBILE, 18, 30)], EndReason.COMPLETED, False,
    )  # fmt: skip


def handed_over_by_the_caller(scene: Scene, how: str) -> None:
    """1001 calls 1002, and hands them over to 1003."""
    scene.new("first", "PJSIP/1001-00000001", "1001", "1002", state="Ring")
    scene.dial("first", "second", "PJSIP/1002-00000002", "1002")
    scene.answer("first", "second")
    scene.bridge("b1", "second", "first")
    scene.wait(20)
    if how == "blind":
        scene.blind("first", "second", "1003")
        scene.leave("b1", "first", "second")
        scene.hang_up("first")
        scene.dial("second", "third", "PJSIP/1003-00000003", "1003")
        scene.answer("second", "third")
        scene.bridge("b2", "third", "second")
    else:
        scene.new("again", "PJSIP/1001-00000004", "1001", "1003", state="Ring")
        scene.dial("again", "third", "PJSIP/1003-00000003", "1003")
        scene.answer("again", "third")
        scene.bridge("b2", "third", "again")
        scene.leave("b1", "second")
        scene.leave("b2", "again")
        scene.bridge("b2", "second")
        if how == "attended":
            scene.attended("first", "again", "second", "third")
        scene.leave("b1", "first")
        scene.hang_up("again")
        scene.hang_up("first")
    scene.wait(40).leave("b2", "second", "third")
    scene.hang_up("second")
    scene.hang_up("third")


@pytest.mark.parametrize("how", ["blind", "attended", "unannounced"])
@pytest.mark.parametrize("known", [tracker, stranger])
def test_who_is_handed_over_by_the_caller_is_the_next_ones_caller(
    how: str, known: Callable[[], CallTracker]
) -> None:
    scene, on = Scene(), known()
    handed_over_by_the_caller(scene, how)
    call = ends(played(on, scene.events))[-1]
    assert (talks(call), call.end_reason) == ([("1002", 0, 20), ("1003", 20, 40)], EndReason.COMPLETED)
    assert call.caller.number == "1001"
    nothing_left(on)


def test_colleagues_who_consult_go_on_without_the_caller() -> None:
    """The caller gives up on hold: what the agents say to each other then is not said to the caller."""
    scene, on = Scene(), tracker()
    answered_by_agent(scene)
    scene.leave("b1", "agent")
    scene.dial("agent", "colleague", "PJSIP/1002-00000003", "1002")
    scene.answer("agent", "colleague")
    scene.bridge("b2", "colleague", "agent")
    scene.wait(5).leave("b1", "caller")
    scene.hang_up("caller")
    scene.wait(30)
    played(on, scene.events)
    (call,) = on.calls.values()
    assert call.state is CallState.TALKING
    before = len(scene.events)
    scene.leave("b2", "agent", "colleague")
    scene.hang_up("agent")
    scene.hang_up("colleague")
    (call,) = ends(played(on, scene.events[before:]))
    assert (talks(call), call.end_reason) == ([("1001", 4, 25)], EndReason.COMPLETED)
    nothing_left(on)


OF_THE_COLLEAGUES_CALL = "attended-colleague-first"
"""The colleague's call is the older one: who knows nobody takes it for the one that goes on."""


@pytest.mark.parametrize("name", NAMES)
def test_a_pbx_nobody_knows_tells_the_same_conversations(name: str) -> None:
    """Replayed without configuration: when somebody spoke, and with how many, is the same."""

    def spans(on: CallTracker) -> list[tuple[float, float]]:
        calls = [one for one in ends(played(on, events(name))) if one.monitors is None]
        assert all(talk.agent or talk.party for one in calls for talk in one.conversations)
        return sorted(span(one, talk) for one in calls for talk in range(len(one.conversations)))

    def span(call: Call, index: int) -> tuple[float, float]:
        talk = call.conversations[index]
        assert talk.ended_at is not None
        return talk.started_at, talk.ended_at

    known, unknown = spans(tracker()), spans(stranger())
    if name == OF_THE_COLLEAGUES_CALL:
        assert sum(end - begin for begin, end in unknown) > 0
        return
    assert len(known) == len(unknown)
    for one, other in zip(known, unknown, strict=True):
        assert one == pytest.approx(other, abs=0.05)


@pytest.mark.parametrize("name", ["phone-not-configured", "blind-outside"])
def test_a_gateway_that_starts_in_the_conversation_sees_it(name: str) -> None:
    on, truth = tracker(), Truth()
    seen = 0
    for event in events(name):
        on.apply(event)
        truth.see(event)
        if any(call.talking for call in on.calls.values()) and all(
            channel.bridge for channel in on.channels.values()
        ):
            fresh = tracker()
            resync(fresh, truth.snapshot(), [])
            assert essentials(fresh)[0] == essentials(on)[0]
            (call,) = fresh.calls.values()
            assert [one.party for one in call.conversations] == [
                one.party for one in on.calls[call.id].conversations if one.ended_at is None
            ]
            seen += 1
    assert seen
