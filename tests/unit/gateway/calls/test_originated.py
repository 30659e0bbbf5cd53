"""Calls that a program begins with Originate, behind any number of Local channels; and calls picked up."""

from collections.abc import Callable

import pytest

from domain.calls import CallState, Direction, EndReason, TransferType
from gateway.calls.tracker import CallTracker
from tests.support.captures import events, nothing_left, tracker
from tests.support.scenes import Scene, ends, played, talks

UNIT = "051300000001"


def stranger() -> CallTracker:
    """A tracker of a PBX of which it knows neither lines nor agents."""
    return CallTracker("main", (), ())


def clicked(scene: Scene, depth: int, first: str, number: str) -> str:
    """Originate rings `first` behind so many Local channels; returns the one that goes on in the dialplan."""
    scene.originate("local1-1", "local1-2", f"{number}@outer")
    for level in range(2, depth + 1):
        scene.local(f"local{level}-1", f"local{level}-2", f"{number}@inner", of="local1-1")
        scene.dialled_begin(f"local{level - 1}-2", f"local{level}-1")
    scene.dial(f"local{depth}-2", "first", first, number)
    return "local1-1"


@pytest.mark.parametrize("optimised", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(("known", "party"), [(tracker, "1001"), (stranger, UNIT)])
def test_a_click_to_call_is_outgoing_however_it_is_wired(
    depth: int, optimised: bool, known: Callable[[], CallTracker], party: str
) -> None:
    scene, on = Scene(), known()
    goes_on = clicked(scene, depth, "PJSIP/1001-00000002", "1001")
    facts = played(on, scene.events)
    assert [call.direction for call in on.calls.values()] == [Direction.OUTBOUND]
    before = len(scene.events)
    scene.wait(3).answer(f"local{depth}-2", "first")
    for level in range(depth, 0, -1):
        scene.bridge(f"b{level}", "first" if level == depth else f"local{level + 1}-1", f"local{level}-2")
    scene.dial(goes_on, "unit", "PJSIP/trunk-00000003", UNIT)
    scene.wait(4).answer(goes_on, "unit")
    scene.bridge("far", "unit", goes_on)
    if optimised:
        scene.leave(f"b{depth}", "first")
        scene.leave("far", goes_on)
        scene.bridge("far", "first")
        for level in range(1, depth + 1):
            scene.hang_up(f"local{level}-1")
            scene.hang_up(f"local{level}-2")
    scene.wait(40)
    scene.hang_up("unit")
    scene.hang_up("first")
    if not optimised:
        for level in range(1, depth + 1):
            scene.hang_up(f"local{level}-1")
            scene.hang_up(f"local{level}-2")
    facts += played(on, scene.events[before:])
    (call,) = ends(facts)
    assert (call.direction, call.end_reason) == (Direction.OUTBOUND, EndReason.COMPLETED)
    assert talks(call) == [(party, 7, 40)]
    assert call.caller.number == "1001"
    assert not any(leg.channel.startswith("Local/") for leg in call.legs)
    nothing_left(on)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("known", [tracker, stranger])
def test_a_click_to_call_that_nobody_answers_is_no_lost_call_of_the_public(
    depth: int, known: Callable[[], CallTracker]
) -> None:
    scene, on = Scene(), known()
    clicked(scene, depth, "PJSIP/1001-00000002", "1001")
    scene.wait(20).not_answered(f"local{depth}-2", "first")
    for level in range(depth, 0, -1):
        scene.hang_up(f"local{level}-2", 19)
        scene.hang_up(f"local{level}-1", 19)
    (call,) = ends(played(on, scene.events))
    assert (call.direction, call.end_reason) == (Direction.OUTBOUND, EndReason.FAILED)
    nothing_left(on)


def test_a_program_that_calls_somebody_outside_first() -> None:
    scene, on = Scene(), tracker()
    goes_on = clicked(scene, 1, "PJSIP/trunk-00000003", UNIT)
    scene.wait(3).answer("local1-2", "first")
    scene.bridge("b1", "first", "local1-2")
    scene.dial(goes_on, "agent", "PJSIP/1001-00000004", "1001")
    scene.wait(2).answer(goes_on, "agent")
    scene.bridge("b2", "agent", goes_on)
    scene.wait(30)
    for one in ("first", "agent", "local1-1", "local1-2"):
        scene.hang_up(one)
    (call,) = ends(played(on, scene.events))
    assert (call.direction, call.end_reason, talks(call)) == (
        Direction.OUTBOUND, EndReason.COMPLETED, [("1001", 5, 30)],
    )  # fmt: skip


def test_a_caller_of_a_line_may_come_by_a_local_channel() -> None:
    scene, on = Scene(), tracker()
    scene.new("one", "Local/12345@hotline-incoming-00000001;1", "13900000001", "12345")
    scene.new(
        "two", "Local/12345@hotline-incoming-00000001;2", "13900000001", "12345", of="one", state="Ring"
    )
    scene.dial("two", "phone", "PJSIP/reception-00000002", "800")
    played(on, scene.events)
    (call,) = on.calls.values()
    assert (call.direction, call.line) == (Direction.INBOUND, "12345")


def test_an_internal_call_picked_up_stays_the_callers() -> None:
    on = tracker()
    facts = played(on, events("pickup-internal"))
    picker, call = ends(facts)
    assert (picker.end_reason, picker.merged_into) == (EndReason.MERGED, call.id)
    assert (call.direction, call.caller.number, call.called) == (Direction.INTERNAL, "1003", "1001")
    assert (talks(call), call.end_reason) == ([("1002", 3, 30)], EndReason.COMPLETED)


@pytest.mark.parametrize("told_late", [False, True])
@pytest.mark.parametrize("caller", ["internal", "outside", "unknown"])
def test_a_call_picked_up_is_the_one_that_rang(caller: str, told_late: bool) -> None:
    """Also where the picker's channel has the other's Linkedid before the event that says so."""
    scene, on = Scene(), stranger() if caller == "unknown" else tracker()
    phone, number = (
        ("PJSIP/trunk-00000001", "13900000001") if caller == "outside" else ("PJSIP/1003-00000001", "1003")
    )
    scene.new("caller", phone, number, "1001", state="Ring")
    scene.dial("caller", "rung", "PJSIP/1001-00000002", "1001")
    scene.wait(3).new("picker", "PJSIP/1002-00000003", "1002", "*8", state="Ring")
    if told_late:
        scene.rejoin("picker", "caller")
    scene.pick_up("picker", "rung")
    scene.rejoin("picker", "caller")
    scene.bridge("b1", "picker", "caller")
    scene.hang_up("rung", 26)
    scene.wait(30)
    scene.hang_up("caller")
    scene.hang_up("picker")
    call = ends(played(on, scene.events))[-1]
    assert (call.caller.number, call.called, call.linkedid) == (number, "1001", scene.uniqueid("caller"))
    assert (talks(call), call.end_reason) == ([("1002", 3, 30)], EndReason.COMPLETED)
    assert call.transfers[-1].transfer_type is TransferType.PICKUP
    nothing_left(on)


def test_an_outgoing_call_is_not_internal_before_anybody_else_is_in_it() -> None:
    scene, on = Scene(), tracker()
    scene.new("agent", "PJSIP/1001-00000001", "1001", UNIT, state="Ring")
    played(on, scene.events)
    (call,) = on.calls.values()
    assert (call.direction, call.state) == (Direction.OUTBOUND, CallState.IVR)
