"""Which phones ring, for how long, and why one did not take the call."""

from collections.abc import Iterable, Sequence

import pytest

from domain.calls import MissedReason
from domain.facts import AgentMissed, AgentRinging, AnyFact, CallEnded, CallUpdated
from domain.pbx import events as e
from domain.pbx.events import AnyPbxEvent
from domain.phones import AgentProfile
from domain.queues import AgentState
from gateway.calls.tracker import CallTracker
from tests.support import captures
from tests.support.queue_call import AGENT, ARRIVAL, RINGING, agent_event, channel, play, state, tracker

CALLER = "1767571200.1"


def told(facts: Iterable[AnyFact]) -> list[tuple[str, str, float]]:
    """Who rang, and who missed the call after how many seconds."""
    found = []
    for fact in facts:
        if isinstance(fact, AgentRinging):
            found.append(("rings", fact.agent, 0.0))
        elif isinstance(fact, AgentMissed):
            found.append((str(fact.reason), fact.agent, round(fact.rang, 1)))
    return found


def of(name: str) -> list[AnyFact]:
    return play(captures.tracker(), captures.events(name))


def phone(kind: type[e.ChannelEvent], at: float, uniqueid: str, name: str, **more: object) -> AnyPbxEvent:
    event: AnyPbxEvent = kind(at=at, pbx="main", uniqueid=uniqueid, linkedid=CALLER, channel=name, **more)  # type: ignore[assignment, arg-type]
    return event


def dial(
    at: float, dest: str, name: str, source: str = CALLER, by: str = "PJSIP/trunk-00000001"
) -> AnyPbxEvent:
    return phone(e.DialBegin, at, source, by, dest_uniqueid=dest, dest_channel=name)


def dial_end(at: float, dest: str, name: str, status: str, source: str = CALLER) -> AnyPbxEvent:
    return phone(
        e.DialEnd, at, source, "PJSIP/trunk-00000001", dest_uniqueid=dest, dest_channel=name, status=status
    )


def caller() -> AnyPbxEvent:
    return phone(e.NewChannel, 0.0, CALLER, "PJSIP/trunk-00000001", state="Ring", exten="12345")


def rung(at: float, dest: str, name: str, rings: float | None = 0.1) -> list[AnyPbxEvent]:
    """A phone is called, and says after so many seconds that it rings."""
    events = [phone(e.NewChannel, at, dest, name, state="Down"), dial(at, dest, name)]
    return events + ([] if rings is None else [phone(e.NewState, at + rings, dest, name, state="Ringing")])


def test_phones_called_one_after_the_other_each_have_their_own_seconds() -> None:
    assert told(of("ring-staggered")) == [
        ("rings", "1001", 0.0),
        ("rings", "1002", 0.0),
        ("no_answer", "1001", 20.0),
        ("no_answer", "1002", 10.0),
    ]
    (ended,) = [fact.call for fact in of("ring-staggered") if isinstance(fact, CallEnded)]
    rang = {leg.agent: (leg.ended_at or 0) - (leg.ringing_at or 0) for leg in ended.legs if leg.agent}
    assert {agent: round(seconds, 1) for agent, seconds in rang.items()} == {"1001": 20.0, "1002": 10.0}


@pytest.mark.parametrize("name", ["internal-busy-at-once", "internal-busy"])
def test_a_phone_that_is_busy_at_once_does_not_ring(name: str) -> None:
    assert told(of(name)) == [("busy", "1002", 0.0)]
    on = captures.tracker()
    for event in captures.events(name):
        on.apply(event)
        assert on.queue_state.agents.get("1002") is None or state(on, "1002") is not AgentState.RINGING


def test_busy_at_once_in_a_queue_is_known_by_the_hang_up_cause() -> None:
    # app_queue reports NOANSWER, and only the Hangup that follows names the cause.
    assert told(of("busy")) == [("busy", "1001", 0.0)]


def test_a_member_behind_a_local_channel_rings_once_and_one_that_is_nowhere_never() -> None:
    facts = of("freepbx-local-members")
    assert told(facts) == [
        ("rings", "Desk 6", 0.0),
        ("unreachable", "Desk 8", 0.0),
        ("no_answer", "Desk 6", 15.0),
        ("rings", "Desk 6", 0.0),
        ("unreachable", "Desk 8", 0.0),
    ]
    assert {fact.channel for fact in facts if isinstance(fact, AgentRinging)} == {
        "PJSIP/7006-00000cc8",
        "PJSIP/7006-00000cca",
    }
    assert "consultation" not in [fact.what for fact in facts if isinstance(fact, CallUpdated)]


def test_the_phone_behind_the_local_channel_says_whose_it_is() -> None:
    profiles = (AgentProfile("7006", "陈静", "PJSIP/7006"),)
    on = CallTracker("main", captures.LINES, profiles)
    facts = play(on, captures.events("freepbx-local-members"))
    assert [one for one in told(facts) if one[1] == "7006"] == [
        ("rings", "7006", 0.0),
        ("no_answer", "7006", 15.0),
        ("rings", "7006", 0.0),
    ]
    assert "Desk 6" not in {agent for _, agent, _ in told(facts)}


LOCAL = "Local/1001@from-queue-00000001"


def behind_local(*, early: bool) -> Sequence[AnyPbxEvent]:
    """A queue's member behind a Local channel, which says that it rings before or after its phone does."""
    one, two = "1700000000.3", "1700000000.4"
    member = {"dest_uniqueid": one, "dest_channel": f"{LOCAL};1", "interface": "Local/1001@from-queue/n"}
    base = {"linkedid": "1700000000.1"}
    local = [channel(e.NewState, 4.2, one, **{**base, "channel": f"{LOCAL};1", "state": "Ringing"})]
    phone_called = [
        channel(e.NewChannel, 4.3, AGENT, state="Down"),
        channel(
            e.DialBegin,
            4.3,
            two,
            channel=f"{LOCAL};2",
            dest_uniqueid=AGENT,
            dest_channel="PJSIP/1001-00000002",
        ),
    ]
    return [
        channel(e.NewChannel, 4.0, one, channel=f"{LOCAL};1", state="Down"),
        channel(e.NewChannel, 4.0, two, channel=f"{LOCAL};2", state="Ring"),
        agent_event(e.AgentCalled, 4.1, **member),
        channel(e.DialBegin, 4.1, dest_uniqueid=one, dest_channel=f"{LOCAL};1"),
        *(local + phone_called if early else phone_called + local),
        channel(e.NewState, 4.5, AGENT, state="Ringing"),
        channel(
            e.DialEnd,
            14.5,
            two,
            channel=f"{LOCAL};2",
            dest_uniqueid=AGENT,
            dest_channel="PJSIP/1001-00000002",
            status="NOANSWER",
        ),
        channel(e.DialEnd, 14.5, dest_uniqueid=one, dest_channel=f"{LOCAL};1", status="NOANSWER"),
        agent_event(e.AgentRingNoAnswer, 14.5, **member, ring_time=10.0),
        channel(e.Hangup, 14.6, AGENT, cause=16),
        channel(e.Hangup, 14.6, one, channel=f"{LOCAL};1", cause=16),
        channel(e.Hangup, 14.6, two, channel=f"{LOCAL};2", cause=16),
    ]


@pytest.mark.parametrize("early", [True, False])
def test_local_and_phone_are_one_ringing_and_one_missed_call(early: bool) -> None:
    on = tracker()
    facts = play(on, ARRIVAL, behind_local(early=early))
    assert [(what, agent) for what, agent, _ in told(facts)] == [("rings", "1001"), ("no_answer", "1001")]
    assert told(facts)[1][2] == pytest.approx(10.3 if early else 10.0)
    assert state(on) is not AgentState.RINGING


def test_two_phones_of_one_agent_are_one_ringing() -> None:
    a, b = "1767571201.2", "1767571201.3"
    one, other = "PJSIP/1001-00000002", "PJSIP/1001-00000003"
    on = captures.tracker()
    facts = play(
        on,
        [caller(), *rung(1.0, a, one), *rung(5.0, b, other)],
        # The first is refused: the other goes on ringing, and nothing is missed yet.
        [dial_end(8.0, a, one, "BUSY"), phone(e.Hangup, 8.0, a, one, cause=17)],
    )
    assert told(facts) == [("rings", "1001", 0.0)]
    assert on.queue_state.agents["1001"].state is AgentState.RINGING
    facts = play(on, [dial_end(21.1, b, other, "NOANSWER"), phone(e.Hangup, 21.1, b, other)])
    assert told(facts) == [("no_answer", "1001", 20.0)]
    assert on.queue_state.agents["1001"].state is not AgentState.RINGING


@pytest.mark.parametrize(
    ("rings", "status", "seconds", "reason"),
    [
        (0.1, "NOANSWER", 20.1, MissedReason.NO_ANSWER),
        (0.1, "BUSY", 3.1, MissedReason.DECLINED),
        (0.1, "CONGESTION", 3.1, MissedReason.DECLINED),
        (None, "BUSY", 3.0, MissedReason.BUSY),
        (None, "CHANUNAVAIL", 3.0, MissedReason.UNREACHABLE),
        (None, "CONGESTION", 3.0, MissedReason.UNREACHABLE),
        (None, "NOANSWER", 0.01, MissedReason.UNREACHABLE),
    ],
)
def test_why_a_phone_did_not_take_the_call(
    rings: float | None, status: str, seconds: float, reason: MissedReason
) -> None:
    name, uniqueid = "PJSIP/1001-00000002", "1767571201.2"
    facts = play(
        captures.tracker(),
        [caller(), *rung(1.0, uniqueid, name, rings), dial_end(1.0 + seconds, uniqueid, name, status)],
    )
    missed = [fact for fact in facts if isinstance(fact, AgentMissed)]
    assert [(one.reason, round(one.rang, 1)) for one in missed] == [
        (reason, round(seconds - 0.1, 1) if rings else 0.0)
    ]
    assert len([fact for fact in facts if isinstance(fact, AgentRinging)]) == (rings is not None)


def test_a_phone_with_early_media_rings_by_the_dials_own_word() -> None:
    name, uniqueid = "PJSIP/1001-00000002", "1767571201.2"
    progress = phone(
        e.DialState,
        2.0,
        CALLER,
        "PJSIP/trunk-00000001",
        dest_uniqueid=uniqueid,
        dest_channel=name,
        status="PROGRESS",
    )
    facts = play(captures.tracker(), [caller(), *rung(1.0, uniqueid, name, None), progress])
    assert told(facts) == [("rings", "1001", 0.0)]
    facts += play(captures.tracker(), [caller(), *rung(1.0, uniqueid, name, None)])
    assert told(facts) == [("rings", "1001", 0.0)]


def test_where_a_pbx_never_says_that_phones_ring_the_time_of_calling_counts() -> None:
    name, uniqueid = "PJSIP/1001-00000002", "1767571201.2"
    events = [caller(), *rung(1.0, uniqueid, name, None), dial_end(21.0, uniqueid, name, "NOANSWER")]
    assert told(play(captures.tracker(), events)) == [("no_answer", "1001", 20.0)]


def test_a_member_whose_ringing_was_not_seen_has_the_queues_own_seconds() -> None:
    without = [event for event in RINGING if not isinstance(event, e.NewState)]
    facts = play(tracker(), ARRIVAL, without, [agent_event(e.AgentRingNoAnswer, 24.1, ring_time=20.0)])
    assert told(facts) == [("no_answer", "1001", 20.0)]


def test_who_stops_ringing_because_another_answered_has_missed_nothing() -> None:
    assert [one for one in told(of("ring-group")) if one[0] != "rings"] == []
