"""Handed over to somebody who never answers: the end says where the caller was lost."""

import pytest

from domain.calls import EndReason
from tests.support.captures import nothing_left, tracker
from tests.support.scenes import Scene, ends, played, talks

UNIT = "051300000001"
PHONES = {"1002": "PJSIP/1002-00000003", UNIT: "PJSIP/trunk-00000003"}


def spoken_with_1001(scene: Scene) -> None:
    scene.new("caller", "PJSIP/trunk-00000001", "13900000001", "12345", state="Ring")
    scene.dial("caller", "agent", "PJSIP/1001-00000002", "1001")
    scene.wait(4).answer("caller", "agent")
    scene.bridge("b1", "agent", "caller")
    scene.wait(20)


def sent_to(scene: Scene, target: str) -> None:
    scene.blind("agent", "caller", target)
    scene.leave("b1", "agent", "caller")
    scene.hang_up("agent")


def over(scene: Scene) -> None:
    scene.hang_up("caller")


def end_of(scene: Scene) -> EndReason | None:
    on = tracker()
    call = ends(played(on, scene.events))[-1]
    assert talks(call)[0][:2] == ("1001", 4)
    nothing_left(on)
    return call.end_reason


@pytest.mark.parametrize("target", PHONES)
@pytest.mark.parametrize("status", ["NOANSWER", "BUSY", "CONGESTION"])
@pytest.mark.parametrize("stays", [0.01, 3.0])
def test_the_target_of_a_blind_transfer(target: str, status: str, stays: float) -> None:
    scene = Scene()
    spoken_with_1001(scene)
    sent_to(scene, target)
    scene.dial("caller", "target", PHONES[target], target)
    scene.wait(0.01 if status == "BUSY" else 30).not_answered("caller", "target", status)
    scene.wait(stays)
    over(scene)
    assert end_of(scene) is EndReason.ABANDONED_RINGING


def test_a_colleague_whose_phone_is_not_there() -> None:
    """Asterisk then makes no channel at all."""
    scene = Scene()
    spoken_with_1001(scene)
    sent_to(scene, "1002")
    over(scene)
    assert end_of(scene) is EndReason.ABANDONED_RINGING


def test_the_target_of_a_blonde_transfer() -> None:
    scene = Scene()
    spoken_with_1001(scene)
    scene.new("second", "PJSIP/1001-00000004", "1001", "1002", state="Ring")
    scene.dial("second", "target", PHONES["1002"], "1002")
    scene.wait(2)
    scene.attended("agent", "second", "caller", "", second_state="Ring", destination_type="App")
    scene.leave("b1", "caller", "agent")
    scene.hang_up("agent")
    scene.hang_up("second")
    scene.wait(20).not_answered("caller", "target")
    over(scene)
    assert end_of(scene) is EndReason.ABANDONED_RINGING


def test_the_second_target_answers() -> None:
    scene = Scene()
    spoken_with_1001(scene)
    sent_to(scene, "1002")
    scene.dial("caller", "target", PHONES["1002"], "1002")
    scene.wait(30).not_answered("caller", "target")
    scene.dial("caller", "unit", PHONES[UNIT], UNIT)
    scene.wait(5).answer("caller", "unit")
    scene.bridge("b2", "unit", "caller")
    scene.wait(10).hang_up("unit")
    over(scene)
    assert end_of(scene) is EndReason.COMPLETED


def test_sent_to_an_announcement_or_a_survey_nobody_is_lost() -> None:
    scene = Scene()
    spoken_with_1001(scene)
    sent_to(scene, "700")
    scene.wait(15)
    over(scene)
    assert end_of(scene) is EndReason.COMPLETED


def test_given_up_on_hold_while_a_colleague_is_rung_nobody_handed_over() -> None:
    scene = Scene()
    spoken_with_1001(scene)
    scene.new("second", "PJSIP/1001-00000004", "1001", "1002", state="Ring")
    scene.dial("second", "target", PHONES["1002"], "1002")
    over(scene)
    scene.hang_up("agent")
    scene.hang_up("target", 26)
    scene.hang_up("second")
    on = tracker()
    reasons = {call.caller.number: call.end_reason for call in ends(played(on, scene.events))}
    assert reasons["13900000001"] is EndReason.COMPLETED


def test_the_colleague_of_a_brief_conversation_was_there() -> None:
    scene = Scene()
    spoken_with_1001(scene)
    sent_to(scene, "1002")
    scene.dial("caller", "target", PHONES["1002"], "1002")
    scene.answer("caller", "target")
    scene.bridge("b2", "target", "caller")
    scene.hang_up("target")
    over(scene)
    assert end_of(scene) is EndReason.COMPLETED
