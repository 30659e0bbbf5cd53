"""Who hung up, and why, in words."""

import re
from pathlib import Path
from typing import Any

import pytest

from domain.calls import Call, EndReason
from domain.facts import CallEnded
from domain.hangup_causes import CAUSES, in_words
from domain.pbx import events as e
from gateway.replay.timeline import words
from tests.support import captures
from tests.support.queue_call import (
    AGENT,
    ANSWERED,
    ARRIVAL,
    CALLER,
    OVER,
    RINGING,
    agent_event,
    channel,
    play,
    tracker,
)

I18N = Path(__file__).parents[4] / "web" / "src" / "i18n"


def ended(*chapters: list[Any]) -> Call:
    facts = play(tracker(), *chapters)
    (call,) = [fact.call for fact in facts if isinstance(fact, CallEnded)]
    return call


def told(call: Call) -> tuple[str | None, int | None]:
    return call.ended_by and str(call.ended_by), call.hangup_cause


def over(*, asks: str | None, leaves: str = CALLER, reason: str = "", cause: int = 16) -> list[Any]:
    """The end of a conversation: who asks to hang up, who leaves the bridge first, app_queue's word."""
    other = AGENT if leaves == CALLER else CALLER
    return [
        *([channel(e.HangupRequest, 60.0, asks)] if asks else []),
        channel(e.BridgeLeave, 60.1, leaves, bridge="b1"),
        *([agent_event(e.AgentComplete, 60.1, reason=reason, talk_time=52.0)] if reason else []),
        channel(e.BridgeLeave, 60.2, other, bridge="b1"),
        channel(e.Hangup, 60.3, AGENT, cause=cause),
        channel(e.Hangup, 60.4, CALLER, cause=cause),
    ]


@pytest.mark.parametrize(
    ("end", "who"),
    [
        (over(asks=CALLER), "caller"),
        (over(asks=AGENT), "agent"),
        # The PBX's word counts, not the order of leaving, nor app_queue's.
        (over(asks=AGENT, leaves=CALLER, reason="caller"), "agent"),
        # Where it has none, app_queue's, else the order.
        (over(asks=None, leaves=CALLER, reason="agent"), "agent"),
        (over(asks=None, leaves=AGENT, reason="caller"), "caller"),
        (over(asks=None, leaves=CALLER), "caller"),
        (over(asks=None, leaves=AGENT), "agent"),
        (over(asks=None, leaves=AGENT, reason="transfer"), "agent"),
        # A phone that sends no more audio has not hung up.
        (over(asks=None, leaves=AGENT, cause=44), "system"),
    ],
)
def test_who_ended_a_conversation(end: list[Any], who: str) -> None:
    call = ended(ARRIVAL, RINGING, ANSWERED, end)
    assert told(call) == (who, 44 if who == "system" else 16)
    assert call.end_reason is EndReason.COMPLETED


def test_a_call_ended_by_a_command_or_the_dialplan_is_ended_by_the_system() -> None:
    on = tracker()
    play(on, ARRIVAL, RINGING, ANSWERED, over(asks=CALLER))
    # This PBX says who hangs up, and says nothing here.
    later = [*ARRIVAL, *RINGING, *ANSWERED, *over(asks=None)]
    facts = play(on, later)
    assert [told(fact.call) for fact in facts if isinstance(fact, CallEnded)] == [("system", 16)]


def test_the_first_call_ended_by_a_command_is_too() -> None:
    end = over(asks=None)
    # Asterisk tells of the command after the bridge was left.
    end.insert(2, channel(e.SoftHangupRequest, 60.2, cause=16))
    assert told(ended(ARRIVAL, RINGING, ANSWERED, end)) == ("system", 16)


def test_a_caller_who_gives_up_while_waiting_hung_up() -> None:
    call = ended(ARRIVAL, [channel(e.HangupRequest, 9.0), channel(e.Hangup, 9.1, cause=16)])
    assert (call.end_reason, *told(call)) == (EndReason.ABANDONED_QUEUE, "caller", 16)


def test_a_phone_that_was_called_and_refuses_has_not_hung_up() -> None:
    refused = [
        channel(e.DialBegin, 4.2, dest_uniqueid=AGENT, dest_channel="PJSIP/1001-00000002"),
        channel(e.HangupRequest, 5.0, AGENT, cause=17),
        channel(e.Hangup, 5.1, AGENT, cause=17),
        channel(e.HangupRequest, 9.0),
        channel(e.Hangup, 9.1, cause=16),
    ]
    assert told(ended(ARRIVAL, RINGING, refused)) == ("caller", 16)


@pytest.mark.parametrize(
    ("name", "who", "cause"),
    [
        ("internal-busy", "system", 17),
        ("outbound-busy", "system", 17),
        ("abandoned-queue", "caller", 16),
        ("abandoned-after-transfer", "caller", 16),
        ("phone-lost", "caller", 44),
        ("abandoned-held", "caller", 16),
    ],
)
def test_what_a_real_log_tells(name: str, who: str, cause: int) -> None:
    facts = play(captures.tracker(), captures.events(name))
    call = [fact.call for fact in facts if isinstance(fact, CallEnded)][-1]
    assert told(call) == (who, cause)


def test_the_timeline_says_it_in_words() -> None:
    facts = play(tracker(), ARRIVAL, RINGING, ANSWERED, OVER)
    (end,) = [fact for fact in facts if isinstance(fact, CallEnded)]
    assert words(end).endswith("对方挂机 the caller's side hung up (16 正常挂断 normal clearing)")


def test_a_cause_without_a_name_keeps_its_number() -> None:
    assert in_words(17) == ("17 用户忙", "17 user busy")
    assert in_words(126) == ("126 未知原因", "126 unknown cause")
    assert in_words(None) == in_words(0) == ("", "")


@pytest.mark.parametrize(("language", "place"), [("zh", 0), ("en", 1)])
def test_the_app_has_the_same_words(language: str, place: int) -> None:
    text = (I18N / language / "history.ts").read_text()
    listed = re.search(r"\n  cause: \{\n(.*?)\n  \},", text, re.DOTALL)
    assert listed is not None
    found = dict(re.findall(r"^    (\d+): '(.*)',$", listed[1], re.MULTILINE))
    assert {int(cause): name for cause, name in found.items()} == {
        cause: names[place] for cause, names in CAUSES.items()
    }
