"""Voicemail, refused callers, and recordings that are paused."""

from typing import Any

import pytest

from domain.calls import Call, IncidentKind
from domain.facts import AnyFact, CallEnded, CallFact
from domain.pbx import events as e
from gateway.asterisk.normalise import normalise
from gateway.asterisk.protocol import _step_tells
from gateway.replay.timeline import words
from tests.support.queue_call import ANSWERED, ARRIVAL, CALLER, OVER, RINGING, channel, play, tracker


def incidents(facts: list[AnyFact]) -> list[tuple[str, str]]:
    calls = [fact.call for fact in facts if isinstance(fact, CallFact)]
    return [(str(one.kind), one.detail) for one in calls[-1].incidents]


def step(at: float, application: str, data: str = "", context: str = "from-internal") -> Any:
    return channel(e.DialplanStep, at, application=application, data=data, context=context)


def headers(event: str, **more: str) -> dict[str, str]:
    return {"Event": event, "Channel": "PJSIP/trunk-00000001", "Uniqueid": CALLER, "Linkedid": CALLER, **more}


def test_a_caller_sent_to_a_mailbox() -> None:
    facts = play(tracker(), ARRIVAL, [step(9.0, "VoiceMail", "7006@default,u")], [channel(e.Hangup, 30.0)])
    assert incidents(facts) == [("voicemail", "7006@default")]
    assert "转语音信箱 sent to voicemail (7006@default)" in [
        words(fact) for fact in facts if isinstance(fact, CallFact)
    ]


@pytest.mark.parametrize(
    ("pause", "resume"),
    [
        (
            headers("MixMonitorMute", Direction="both", State="1"),
            headers("MixMonitorMute", Direction="both", State="0"),
        ),
        (headers("PauseMonitor"), headers("UnpauseMonitor")),
        (headers("Newexten", Application="PauseMonitor"), headers("Newexten", Application="UnpauseMonitor")),
    ],
)
def test_a_recording_paused_and_resumed(pause: dict[str, str], resume: dict[str, str]) -> None:
    events = [normalise(one, "main", at) for at, one in ((20.0, pause), (25.0, resume), (30.0, pause))]
    facts = play(tracker(), ARRIVAL, RINGING, ANSWERED, [one for one in events if one is not None], OVER)
    assert [kind for kind, _ in incidents(facts)] == [
        "recording_paused",
        "recording_resumed",
        "recording_paused",
    ]
    said = [words(fact) for fact in facts if isinstance(fact, CallFact)]
    assert said.count("录音暂停 recording paused") == 2
    assert said.count("录音恢复 recording resumed") == 1


def test_both_legs_of_a_recording_paused_are_one_pause() -> None:
    muted = [
        channel(e.RecordingMuted, 20.0, direction="both"),
        channel(e.RecordingMuted, 20.1, direction="both"),
    ]
    assert incidents(play(tracker(), ARRIVAL, muted)) == [("recording_paused", "")]


def test_a_number_on_a_blacklist_is_told_once() -> None:
    check = "app-blacklist-check"
    begun = channel(e.NewChannel, 1.0, state="Ring", caller_number="13900000001", exten="12345")
    refused = [step(1.1, "GotoIf", "1?blacklisted", check), step(1.2, "Answer", "", check)]
    refused += [step(1.3, "Zapateller", "", check), step(1.4, "Hangup", "", check)]
    facts = play(tracker(), [begun, *refused, channel(e.Hangup, 2.0, cause=16)])
    assert incidents(facts) == [("blocked", "")]


def test_a_number_that_is_not_on_the_blacklist_is_not_blocked() -> None:
    check = "app-blacklist-check"
    facts = play(
        tracker(), ARRIVAL, [step(2.1, "GotoIf", "0?blacklisted", check), step(2.2, "Return", "", check)]
    )
    assert incidents(facts) == []


@pytest.mark.parametrize(("cause", "blocked"), [(21, True), (16, False), (17, False)])
def test_a_caller_refused_by_the_dialplan(cause: int, blocked: bool) -> None:
    begun = channel(e.NewChannel, 1.0, state="Ring", caller_number="13900000001", exten="12345")
    facts = play(tracker(), [begun, channel(e.Hangup, 1.2, cause=cause)])
    (call,) = [fact.call for fact in facts if isinstance(fact, CallEnded)]
    assert [one.kind for one in call.incidents] == ([IncidentKind.BLOCKED] if blocked else [])
    assert ("blocked by the PBX" in words(facts[-1])) is blocked  # type: ignore[arg-type]


def test_who_waited_in_a_queue_was_not_blocked() -> None:
    call: Call = play(tracker(), ARRIVAL, [channel(e.Hangup, 9.0, cause=21)])[-1].call  # type: ignore[union-attr]
    assert call.incidents == ()


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"Application": "VoiceMail", "AppData": "1"}, True),
        ({"Application": "Voicemail", "AppData": "1"}, True),
        ({"Application": "PauseMonitor"}, True),
        ({"Application": "Playback", "Context": "app-blacklist-check"}, True),
        ({"Application": "Dial", "AppData": "PJSIP/1001"}, False),
        ({"Application": "Set", "AppData": "X=VoiceMail"}, False),
    ],
)
def test_what_the_link_parses_is_what_is_read(more: dict[str, str], wanted: bool) -> None:
    one = headers("Newexten", **more)
    piece = "\r\n".join(f"{name}: {value}" for name, value in one.items()).encode()
    assert _step_tells(piece.lower()) is wanted
    assert (normalise(one, "main", 0.0) is not None) is wanted
