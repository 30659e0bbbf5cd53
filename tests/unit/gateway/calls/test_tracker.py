"""The call tracker on plain data: the story of a call as people would tell it."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calls import Call, CallState, EndReason, Side
from domain.facts import AnyFact, CallEnded, CallFact, QueueEntryChanged
from domain.pbx import events as e
from domain.pbx.records import PbxRecords
from domain.pbx.snapshot import ChannelSnapshot, PbxSnapshot, QueueEntrySnapshot, QueueSnapshot
from domain.queues import AgentState, QueueOutcome
from gateway.calls.resync import resync
from gateway.calls.tracker import CallTracker
from tests.support.queue_call import (
    AGENT,
    AGENT_CHANNEL,
    ANSWERED,
    ARRIVAL,
    CALLER,
    CALLER_CHANNEL,
    OVER,
    RINGING,
    agent_event,
    channel,
    play,
    state,
    tracker,
)


def kinds(facts: Iterable[AnyFact]) -> list[str]:
    return [type(fact).__name__ for fact in facts if isinstance(fact, CallFact)]


def ended(facts: list[AnyFact]) -> Call:
    (last,) = [fact for fact in facts if isinstance(fact, CallEnded)]
    return last.call


def test_an_answered_call_from_ring_to_hang_up() -> None:
    facts = play(tracker(), ARRIVAL, RINGING, ANSWERED, OVER)
    story = [kind for kind in kinds(facts) if kind != "CallUpdated"]
    assert story == [
        "CallStarted",
        "CallQueued",
        "AgentRinging",
        "CallAnswered",
        "ConversationEnded",
        "CallEnded",
    ]
    call = ended(facts)
    assert (call.line, call.agent, call.end_reason) == ("12345", "1001", EndReason.COMPLETED)
    assert call.caller.number == "13962875016"
    assert call.caller.name == "季<b>"
    assert (call.started_at, call.queued_at, call.answered_at, call.ended_at) == (1.0, 3.0, 8.2, 60.3)
    (talk,) = call.conversations
    assert (talk.started_at, talk.ended_at, talk.channel) == (8.2, 60.1, AGENT_CHANNEL)
    (recording,) = call.recordings
    assert (recording.path, recording.started_at, recording.ended_at) == ("/rec/1.raw", 1.3, 60.3)
    assert call.ivr == {"digit": "0"}
    assert {leg.side for leg in call.legs} == {Side.CALLER, Side.AGENT}


def test_queue_and_agent_follow_the_call() -> None:
    on = tracker()
    play(on, ARRIVAL)
    assert [one.caller for one in on.queue_state.queues["q12345"].waiting] == ["13962875016"]
    assert state(on) is AgentState.AVAILABLE
    play(on, RINGING)
    assert state(on) is AgentState.RINGING
    play(on, ANSWERED)
    assert on.queue_state.queues["q12345"].waiting == ()
    assert state(on) is AgentState.TALKING
    assert on.queue_state.agents["1001"].call_id == "main-1700000000.1"
    play(on, OVER)
    assert state(on) is AgentState.AVAILABLE
    assert on.calls == {}
    assert on.channels == {}


def test_abandoned_in_each_phase() -> None:
    hang_up = [channel(e.Hangup, 9.0, cause=16)]
    leave = [
        channel(e.QueueCallerAbandon, 8.8, queue="q12345"),
        channel(e.QueueCallerLeave, 8.9, queue="q12345"),
    ]
    assert ended(play(tracker(), ARRIVAL[:5], hang_up)).end_reason is EndReason.ABANDONED_IVR
    assert ended(play(tracker(), ARRIVAL, leave, hang_up)).end_reason is EndReason.ABANDONED_QUEUE
    cancelled = [channel(e.Hangup, 8.8, AGENT, cause=26)]
    facts = play(tracker(), ARRIVAL, RINGING, leave, cancelled, hang_up)
    assert ended(facts).end_reason is EndReason.ABANDONED_RINGING


def test_let_go_by_the_queue() -> None:
    hang_up = [channel(e.Hangup, 9.0, cause=16)]
    assert ended(play(tracker(), ARRIVAL, let_go("TIMEOUT"), hang_up)).end_reason is EndReason.QUEUE_TIMEOUT
    # The same where the last phone had just rung.
    stopped = [agent_event(e.AgentRingNoAnswer, 8.8, ring_time=4.0), channel(e.Hangup, 8.85, AGENT, cause=26)]
    facts = play(tracker(), ARRIVAL, RINGING, stopped, let_go("LEAVEEMPTY"), hang_up)
    assert ended(facts).end_reason is EndReason.QUEUE_TIMEOUT


def let_go(status: str, at: float = 8.87) -> list[e.PbxEvent]:
    """What Asterisk sends where a queue lets a caller go: it says that they gave up, and then why."""
    return [
        channel(e.QueueCallerAbandon, at, queue="q12345", hold_time=5.0),
        channel(e.QueueCallerLeave, at + 0.01, queue="q12345"),
        channel(e.VarSet, at + 0.02, variable="QUEUESTATUS", value=status),
    ]


def test_a_caller_whom_the_queue_let_go_goes_on_in_the_dialplan() -> None:
    on = tracker()
    play(on, ARRIVAL, let_go("TIMEOUT"))
    (call,) = on.calls.values()
    assert (call.state, call.let_go) == (CallState.IVR, True)
    assert on.queue_state.queues["q12345"].waiting == ()
    # A phone answers after all, outside the queue.
    rings = [
        channel(e.NewChannel, 9.0, AGENT, state="Down"),
        dialled(e.DialBegin, 9.1),
        channel(e.NewState, 9.2, AGENT, state="Ringing"),
    ]
    answers = [
        channel(e.NewState, 12.0, AGENT, state="Up"),
        dialled(e.DialEnd, 12.1, status="ANSWER"),
        *(channel(e.BridgeEnter, 12.2, who, bridge="b1") for who in (AGENT, CALLER)),
    ]
    play(on, rings)
    assert next(iter(on.calls.values())).state is CallState.RINGING
    facts = play(on, answers, [channel(e.Hangup, 60.2, AGENT), channel(e.Hangup, 60.3)])
    assert (ended(facts).end_reason, ended(facts).let_go) == (EndReason.COMPLETED, False)


def dialled(kind: type[e.DialBegin] | type[e.DialEnd], at: float, **more: str) -> e.PbxEvent:
    event: e.PbxEvent = channel(kind, at, dest_uniqueid=AGENT, dest_channel=AGENT_CHANNEL, **more)
    return event


def test_let_go_by_another_queue_after_a_conversation() -> None:
    again = [channel(e.QueueCallerJoin, 20.0, queue="yiqilai", position=1)]
    talk_over = [channel(e.BridgeLeave, 19.0, bridge="b1"), channel(e.Hangup, 19.5, AGENT, cause=16)]
    on = tracker()
    play(on, ARRIVAL, RINGING, ANSWERED, talk_over, again, let_go("TIMEOUT", 50.0))
    facts = play(on, [channel(e.Hangup, 51.0, cause=16)])
    assert ended(facts).end_reason is EndReason.QUEUE_TIMEOUT
    assert ended(facts).answered_at is not None
    # And given up there.
    on = tracker()
    play(on, ARRIVAL, RINGING, ANSWERED, talk_over, again, let_go("TIMEOUT", 50.0)[:2])
    assert ended(play(on, [channel(e.Hangup, 51.0, cause=16)])).end_reason is EndReason.ABANDONED_QUEUE


def test_left_by_a_key() -> None:
    """No QUEUESTATUS then, nor did anybody give up: the caller is in the dialplan by their own choice."""
    on = tracker()
    play(on, ARRIVAL, [channel(e.QueueCallerLeave, 8.9, queue="q12345")])
    assert next(iter(on.calls.values())).state is CallState.IVR
    assert ended(play(on, [channel(e.Hangup, 9.0, cause=16)])).end_reason is EndReason.ABANDONED_IVR


@pytest.mark.parametrize("status", ["FULL", "JOINEMPTY", "JOINUNAVAIL"])
def test_turned_away_at_the_door(status: str) -> None:
    on = tracker()
    refused = [channel(e.VarSet, 3.0, variable="QUEUESTATUS", value=status)]
    facts = play(on, ARRIVAL[:-1], refused, refused)
    (call,) = on.calls.values()
    assert (call.state, call.let_go, call.queue, call.queued_at) == (CallState.IVR, True, "q12345", None)
    entries = [(fact.stage, fact.entry) for fact in facts if isinstance(fact, QueueEntryChanged)]
    assert [stage for stage, _ in entries] == ["entered", "left"], "told twice, it was once"
    last = entries[-1][1]
    assert (last.queue, last.line, last.call_id, last.waited) == ("q12345", "12345", call.id, 0.0)
    assert last.outcome is (QueueOutcome.FULL if status == "FULL" else QueueOutcome.EMPTY)
    # Asked again after a while, it is another offer; let in, another wait.
    facts = play(on, [channel(e.VarSet, 13.0, variable="QUEUESTATUS", value=status)])
    assert sum(isinstance(fact, QueueEntryChanged) for fact in facts) == 2
    play(on, [channel(e.QueueCallerJoin, 23.0, queue="q12345", position=1)])
    assert (on.calls[call.id].state, on.calls[call.id].let_go) == (CallState.QUEUED, False)
    assert ended(play(on, [channel(e.Hangup, 24.0)])).end_reason is EndReason.ABANDONED_QUEUE


def test_turned_away_from_nobody_knows_which_queue() -> None:
    on = tracker()
    refused = [channel(e.VarSet, 3.0, variable="QUEUESTATUS", value="FULL")]
    facts = play(on, [channel(e.NewChannel, 1.0, state="Ring", exten="555")], refused)
    assert not [fact for fact in facts if isinstance(fact, QueueEntryChanged)]
    assert ended(play(on, [channel(e.Hangup, 9.0)])).end_reason is EndReason.QUEUE_TIMEOUT


def test_a_masquerade_puts_another_telephone_behind_the_channel() -> None:
    """The order is ast_do_masquerade's: the new one steps aside, takes the name, the old one is a zombie."""
    on = tracker()
    play(on, ARRIVAL, RINGING, ANSWERED)
    other, name = "1700000000.3", "PJSIP/1002-00000003"
    facts = play(
        on,
        [
            channel(e.NewChannel, 20.0, other, channel=name, linkedid=other, state="Up", exten="800"),
            channel(e.Rename, 20.1, other, channel=name, linkedid=other, new_name=f"{name}<MASQ>"),
            channel(e.Rename, 20.1, AGENT, new_name=name),
            channel(
                e.Rename,
                20.1,
                other,
                channel=f"{name}<MASQ>",
                linkedid=other,
                new_name=f"{AGENT_CHANNEL}<ZOMBIE>",
            ),
            channel(e.Hangup, 20.2, other, channel=f"{AGENT_CHANNEL}<ZOMBIE>", linkedid=other),
        ],
    )
    (call,) = on.calls.values()
    leg = call.leg(AGENT)
    assert leg is not None
    assert (leg.channel, leg.agent, call.conversations[0].agent, call.conversations[0].channel) == (
        name,
        "1002",
        "1002",
        name,
    )
    assert on.queue_state.agents["1002"].call_id == call.id
    assert on.queue_state.agents["1001"].call_id is None
    assert ended(facts).id != call.id
    play(on, [channel(e.Hangup, 60.0, AGENT, channel=name), channel(e.Hangup, 60.1)])
    assert (on.calls, on.channels) == ({}, {})


def test_ring_no_answer_goes_back_to_the_queue() -> None:
    on = tracker()
    missed = [agent_event(e.AgentRingNoAnswer, 12.0, ring_time=8000.0), channel(e.Hangup, 12.1, AGENT)]
    facts = play(on, ARRIVAL, RINGING, missed)
    assert "AgentMissed" in kinds(facts)
    (call,) = on.calls.values()
    assert call.state is CallState.QUEUED
    assert call.agent is None
    assert state(on) is AgentState.AVAILABLE


def test_our_own_listeners_are_invisible() -> None:
    on = tracker()
    spy = e.NewChannel(
        at=9.0,
        pbx="main",
        uniqueid="9.9",
        linkedid="9.9",
        channel="Local/spy@hotline-listen-0000000a;1",
        state="Down",
    )
    assert on.apply(spy) == []
    assert on.calls == {}


def test_hold_and_resume() -> None:
    on = tracker()
    play(on, ARRIVAL, RINGING, ANSWERED)
    play(on, [channel(e.Hold, 20.0, AGENT)])
    (call,) = on.calls.values()
    assert call.state is CallState.HELD
    assert state(on) is AgentState.ON_HOLD
    play(on, [channel(e.Unhold, 25.0, AGENT)])
    (call,) = on.calls.values()
    assert call.state is CallState.TALKING
    assert state(on) is AgentState.TALKING


def test_what_the_dialplan_shows_outside_is_not_who_called() -> None:
    on = tracker()
    play(on, ARRIVAL, RINGING, ANSWERED)
    shown = channel(e.NewCallerId, 20.0, caller_number="12345")
    assert play(on, [shown]) == []
    (call,) = on.calls.values()
    leg = call.caller_leg
    assert leg is not None
    assert call.caller.number == leg.party.number == "13962875016"


def test_nor_is_it_where_the_caller_withheld_the_number() -> None:
    on = tracker()
    play(on, [channel(e.NewChannel, 1.0, state="Ring", exten="12345"), *ARRIVAL[2:]], RINGING, ANSWERED)
    assert play(on, [channel(e.NewCallerId, 20.0, caller_number="12345")]) == []
    (call,) = on.calls.values()
    assert call.caller.number == ""


def test_an_unknown_line_from_the_dialplan_is_not_believed() -> None:
    on = tracker()
    play(on, ARRIVAL[:2], [channel(e.VarSet, 2.0, variable="HOTLINE_LINE", value="'; DROP TABLE calls")])
    (call,) = on.calls.values()
    assert call.line == "12345"


def test_resync_closes_what_ended_unseen_and_keeps_what_goes_on() -> None:
    before = tracker()
    play(before, ARRIVAL, RINGING, ANSWERED)
    (known,) = before.calls.values()

    gone = tracker()
    watched = PbxRecords(watched_until=40.0)
    facts = resync(gone, PbxSnapshot(pbx="main", at=3600.0), [known], watched)
    call = ended(facts)
    assert (call.end_reason, call.ended_at) == (EndReason.UNSEEN, 40.0), "not an hour's talk"
    assert call.conversations[0].ended_at == 40.0

    channels = (
        ChannelSnapshot(uniqueid=CALLER, linkedid=CALLER, channel=CALLER_CHANNEL, state="Up", bridge="b1"),
        ChannelSnapshot(uniqueid=AGENT, linkedid=CALLER, channel=AGENT_CHANNEL, state="Up", bridge="b1"),
    )
    still = tracker()
    facts = resync(still, PbxSnapshot(pbx="main", at=50.0, channels=channels), [known])
    assert "CallEnded" not in kinds(facts)
    assert "CallStarted" not in kinds(facts)
    (call,) = still.calls.values()
    assert call.state is CallState.TALKING
    assert [talk.ended_at for talk in call.conversations] == [None]
    assert ended(play(still, OVER)).end_reason is EndReason.COMPLETED


def test_resync_finds_a_waiting_call_nobody_saw_begin() -> None:
    on = tracker()
    snapshot = PbxSnapshot(
        pbx="main",
        at=50.0,
        channels=(
            ChannelSnapshot(
                uniqueid=CALLER,
                linkedid=CALLER,
                channel=CALLER_CHANNEL,
                state="Up",
                caller_number="13962875016",
                started_at=40.0,
                variables={"HOTLINE_LINE": "yiqilai", "HOTLINE_RECORDING": "/rec/1.raw"},
            ),
        ),
        queues=(
            QueueSnapshot(
                queue="yiqilai",
                entries=(
                    QueueEntrySnapshot(queue="yiqilai", uniqueid=CALLER, channel=CALLER_CHANNEL, wait=5.0),
                ),
            ),
        ),
    )
    resync(on, snapshot, [])
    (call,) = on.calls.values()
    assert (call.line, call.state, call.started_at) == ("yiqilai", CallState.QUEUED, 40.0)
    assert call.recordings[0].path == "/rec/1.raw"
    assert on.queue_state.queues["yiqilai"].waiting[0].since == 45.0


STORY = [*ARRIVAL, *RINGING, *ANSWERED, *OVER]


@given(st.lists(st.sampled_from(range(len(STORY))), max_size=40))
def test_any_order_loss_or_repetition_never_crashes_and_leaves_no_ghost(order: list[int]) -> None:
    on = tracker()
    play(on, [STORY[index] for index in order])
    resync(on, PbxSnapshot(pbx="main", at=100.0), [])
    assert on.calls == {}
    assert on.channels == {}
    assert all(queue.waiting == () for queue in on.queue_state.queues.values())
    assert all(agent.call_id is None for agent in on.queue_state.agents.values())


def test_mute_by_command_shows_on_the_leg_and_outlives_a_loss() -> None:
    on = tracker()
    play(on, ARRIVAL, RINGING, ANSWERED)

    def muted(of: CallTracker) -> list[str | None]:
        (call,) = of.calls.values()
        return [leg.agent for leg in call.legs if leg.muted]

    told = play(on, [channel(e.VarSet, 20.0, AGENT, variable="HOTLINE_MUTED", value="1")])
    assert (kinds(told), muted(on)) == (["CallUpdated"], ["1001"])
    assert play(on, [channel(e.VarSet, 21.0, AGENT, variable="HOTLINE_MUTED", value="1")]) == []
    (known,) = on.calls.values()
    caller = ChannelSnapshot(
        uniqueid=CALLER, linkedid=CALLER, channel=CALLER_CHANNEL, state="Up", bridge="b1"
    )
    for variables, left in (({"HOTLINE_MUTED": "1"}, ["1001"]), ({"HOTLINE_MUTED": "0"}, []), ({}, ["1001"])):
        agent = ChannelSnapshot(
            uniqueid=AGENT,
            linkedid=CALLER,
            channel=AGENT_CHANNEL,
            state="Up",
            bridge="b1",
            variables=variables,
        )
        anew = tracker()
        resync(anew, PbxSnapshot(pbx="main", at=50.0, channels=(caller, agent)), [known])
        assert muted(anew) == left
    play(on, [channel(e.VarSet, 22.0, AGENT, variable="HOTLINE_MUTED", value="0")])
    assert muted(on) == []
