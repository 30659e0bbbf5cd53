"""Queues, queue entries and agents through the whole tracker, on plain data."""

from typing import Any

import pytest
from msgspec import structs

from agents.queues.state import QueueState
from agents.state_machine import SetPause
from domain.facts import AnyFact, QueueEntryChanged
from domain.pbx import events as e
from domain.pbx.snapshot import ChannelSnapshot, PbxSnapshot, QueueEntrySnapshot, QueueSnapshot
from domain.queues import MISSED_REASON, AgentState, QueueEntry, QueueOutcome
from gateway.calls.resync import resync
from gateway.calls.tracker import CallTracker
from tests.support.queue_call import (
    AGENT,
    AGENTS,
    ANSWERED,
    ARRIVAL,
    CALLER,
    CALLER_CHANNEL,
    LINES,
    OVER,
    RINGING,
    agent_event,
    channel,
    member,
    play,
    state,
)

WRAPPING = (structs.replace(LINES[0], wrap_up_s=30.0, wrap_up_max_s=100.0), LINES[1])


def on_duty(**more: Any) -> CallTracker:
    return CallTracker("main", WRAPPING, AGENTS, **more)


def entries(facts: list[AnyFact]) -> list[tuple[str, QueueEntry]]:
    return [(fact.stage, fact.entry) for fact in facts if isinstance(fact, QueueEntryChanged)]


def pause(at: float, reason: str, queue: str = "q12345", paused: bool = True) -> e.QueueMemberPause:
    return e.QueueMemberPause(
        at=at,
        pbx="main",
        queue=queue,
        interface="PJSIP/1001",
        member="1001",
        status=1,
        paused=paused,
        paused_reason=reason,
    )


def test_an_answered_call_is_one_stay_in_three_stages_with_the_queues_own_seconds() -> None:
    facts = entries(play(CallTracker("main", LINES, AGENTS), ARRIVAL, RINGING, ANSWERED, OVER))
    assert [stage for stage, _ in facts] == ["entered", "left", "served"]
    last = facts[-1][1]
    assert (last.entered_at, last.left_at, last.waited, last.talked) == (3.0, 8.1, 5.0, 52.0)
    assert (last.outcome, last.agent, last.transferred) == (QueueOutcome.ANSWERED, "1001", False)
    assert last.call_id == "main-1700000000.1"


def test_the_end_of_a_conversation_told_after_its_channels_are_gone_names_none() -> None:
    nothing = {"uniqueid": "", "channel": "", "dest_uniqueid": "", "dest_channel": ""}
    late = [agent_event(e.AgentComplete, 60.2, talk_time=52.0, reason="caller", **nothing)]
    hang_up = [one for one in OVER if not isinstance(one, e.AgentComplete)]
    on = on_duty()
    facts = entries(play(on, ARRIVAL, RINGING, ANSWERED, hang_up, late))
    assert [stage for stage, _ in facts] == ["entered", "left", "served"]
    assert (facts[-1][1].talked, facts[-1][1].agent) == (52.0, "1001")
    assert on.queue_state.effects == [SetPause("1001", True, "wrap-up:90")]
    assert on.queue_state.entries.next_due is None
    # Of nobody's conversation it tells nothing.
    assert entries(play(on, late)) == []


@pytest.mark.parametrize(
    "named",
    [
        {"uniqueid": "1700000019.7", "channel": "PJSIP/1001-00000007"},
        {"uniqueid": "1700000019.8", "channel": "Local/1002@agents-00000001;2"},
        {"uniqueid": "1700000019.8", "dest_uniqueid": "1700000019.9", "dest_channel": "PJSIP/1001-00000009"},
        {"uniqueid": "", "channel": "", "dest_uniqueid": "", "dest_channel": ""},
        {"uniqueid": CALLER, "dest_uniqueid": "", "dest_channel": ""},
    ],
)
@pytest.mark.parametrize("gone", [False, True])
def test_the_end_of_a_conversation_is_known_whatever_channel_it_names(
    named: dict[str, str], gone: bool
) -> None:
    """After a transfer app_queue names the consultation's channel, or the half of a Local channel."""
    over = [agent_event(e.AgentComplete, 60.2, talk_time=52.0, reason="transfer", **named)]
    hang_up = [one for one in OVER if not isinstance(one, e.AgentComplete)]
    on = on_duty()
    chapters = (hang_up, over) if gone else (over, hang_up)
    facts = entries(play(on, ARRIVAL, RINGING, ANSWERED, *chapters))
    assert [stage for stage, _ in facts] == ["entered", "left", "served"]
    assert (facts[-1][1].talked, facts[-1][1].transferred) == (52.0, True)
    assert on.queue_state.effects == [SetPause("1001", True, "wrap-up:90")]
    assert on.queue_state.entries.talking == {}


def test_a_local_channel_optimised_away_ends_no_conversation() -> None:
    """The caller came by a Local channel; the conversation lasts longer than its end would be waited for."""
    local = {"uniqueid": "1700000001.9", "channel": "Local/12345@outer-00000001;2"}
    on = on_duty()
    joined = [channel(e.QueueCallerJoin, 3.0, queue="q12345", position=1, **local)]
    left = channel(e.QueueCallerLeave, 8.0, queue="q12345", **local)
    answered = agent_event(e.AgentConnect, 8.1, hold_time=5.0, **local)
    gone = channel(e.Hangup, 9.0, **local)
    play(on, ARRIVAL[:2], [channel(e.NewChannel, 2.0, **local)], joined, RINGING, [left, answered, gone])
    assert on.queue_state.entries.next_due is None
    over = agent_event(e.AgentComplete, 308.0, talk_time=300.0, reason="caller")
    (stage, entry) = entries(play(on, [over]))[0]
    assert (stage, entry.talked) == ("served", 300.0)
    # Where the end is never told, it is given up once the phone is gone too.
    on = on_duty()
    play(on, ARRIVAL[:2], [channel(e.NewChannel, 2.0, **local)], joined, RINGING, [left, answered, gone])
    play(on, [channel(e.Hangup, 308.1, AGENT)])
    assert on.queue_state.entries.next_due == 368.1


def test_an_end_told_twice_ends_no_later_conversation() -> None:
    on = on_duty()
    play(on, ARRIVAL, RINGING, ANSWERED, OVER)
    other = {"uniqueid": "1700000061.1", "linkedid": "1700000061.1", "channel": "PJSIP/trunk-00000003"}
    phone = {**other, "dest_uniqueid": "1700000062.2", "dest_channel": "PJSIP/1001-00000004"}
    play(
        on,
        [
            channel(e.NewChannel, 61.0, state="Ring", **other),
            channel(e.QueueCallerJoin, 61.1, queue="q12345", position=1, **other),
            channel(e.QueueCallerLeave, 62.0, queue="q12345", **other),
            agent_event(e.AgentConnect, 62.0, hold_time=1.0, **phone),
        ],
    )
    twice = next(one for one in OVER if isinstance(one, e.AgentComplete))
    for again in (structs.replace(twice, at=62.5), structs.replace(twice, at=62.6, uniqueid="")):
        assert entries(play(on, [again])) == []
    assert len(on.queue_state.entries.talking) == 1
    over = agent_event(e.AgentComplete, 92.0, talk_time=30.0, reason="agent", **phone)
    assert [entry.talked for _, entry in entries(play(on, [over]))] == [30.0]


def test_an_agent_with_two_conversations_of_one_queue_ends_the_one_on_that_phone() -> None:
    on = on_duty()
    play(on, ARRIVAL, RINGING, ANSWERED)
    other = {"uniqueid": "1700000010.1", "linkedid": "1700000010.1", "channel": "PJSIP/trunk-00000003"}
    phone = {"dest_uniqueid": "1700000010.2", "dest_channel": "PJSIP/1001-00000004"}
    play(
        on,
        [
            channel(e.NewChannel, 8.4, state="Ring", **other),
            channel(e.QueueCallerJoin, 8.5, queue="q12345", position=1, **other),
            agent_event(e.AgentConnect, 9.0, hold_time=1.0, **other, **phone),
        ],
    )
    named = {"uniqueid": "1700000019.7", "channel": "PJSIP/1001-00000007"}
    over = agent_event(e.AgentComplete, 30.0, talk_time=21.0, reason="transfer", **named, **phone)
    assert [entry.uniqueid for _, entry in entries(play(on, [over]))] == [other["uniqueid"]]


def test_how_a_wait_ends() -> None:
    leave = channel(e.QueueCallerLeave, 33.0, queue="q12345")
    abandon = channel(e.QueueCallerAbandon, 32.9, queue="q12345", hold_time=29.0)
    hang_up = channel(e.Hangup, 33.2, cause=16)

    def status(value: str) -> e.VarSet:
        said: e.VarSet = channel(e.VarSet, 33.1, variable="QUEUESTATUS", value=value)
        return said

    for rest, outcome, waited in (
        ([abandon, leave, hang_up], QueueOutcome.ABANDONED, 29.0),
        ([leave, status("TIMEOUT"), hang_up], QueueOutcome.TIMEOUT, 30.0),
        # Asterisk 22 says abandoned of a timeout too.
        ([abandon, leave, status("TIMEOUT"), hang_up], QueueOutcome.TIMEOUT, 29.0),
        ([leave, status("LEAVEEMPTY"), hang_up], QueueOutcome.EMPTY, 30.0),
        ([leave, status("WITHDRAW"), hang_up], QueueOutcome.WITHDRAWN, 30.0),
        ([leave, hang_up], QueueOutcome.LEFT, 30.0),
    ):
        on = on_duty()
        facts = entries(play(on, ARRIVAL, rest))
        assert [stage for stage, _ in facts] == ["entered", "left"]
        assert (facts[-1][1].outcome, facts[-1][1].waited) == (outcome, waited)
        assert on.queue_state.entries.waiting == {}


def test_a_transfer_to_another_queue_is_a_second_stay() -> None:
    on = on_duty()
    facts = entries(
        play(
            on,
            ARRIVAL,
            RINGING,
            ANSWERED,
            # The new queue may be told before the old conversation is.
            [channel(e.QueueCallerJoin, 20.0, queue="yiqilai", position=1)],
            [agent_event(e.AgentComplete, 20.1, hold_time=5.0, talk_time=12.0, reason="transfer")],
            [channel(e.QueueCallerAbandon, 50.0, queue="yiqilai", hold_time=30.0)],
            [channel(e.Hangup, 50.1, cause=16)],
        )
    )
    stages = [(stage, entry.queue, entry.transferred) for stage, entry in facts]
    assert ("served", "q12345", True) in stages
    assert stages[-1][:2] == ("left", "yiqilai")


def test_wrap_up_from_hang_up_to_done() -> None:
    on = on_duty()
    play(on, ARRIVAL, RINGING, ANSWERED, OVER)
    assert on.queue_state.effects == [SetPause("1001", True, "wrap-up:90")]
    assert state(on) is AgentState.WRAP_UP
    assert on.queue_state.agents["1001"].wrap_up_until == 90.1
    play(on, [pause(60.3, "wrap-up:90")])
    assert (state(on), on.queue_state.agents["1001"].reason) == (AgentState.WRAP_UP, "")
    assert on.queue_state.extend_wrap_up(70.0, "1001", 20.0) is not None
    assert on.queue_state.time_passed(95.0) == []
    assert round(on.queue_state.next_due or 0, 3) == 110.1
    on.queue_state.effects.clear()
    facts = entries(on.queue_state.time_passed(110.1))
    assert [(stage, round(entry.wrapped_up or 0, 3)) for stage, entry in facts] == [("wrapped_up", 50.0)]
    assert on.queue_state.effects == [SetPause("1001", False)]
    play(on, [pause(110.2, "", paused=False)])
    assert state(on) is AgentState.AVAILABLE
    assert on.queue_state.finish_wrap_up(111.0, "1001") is None
    # An unpause that was not followed is asked for again; this one was.
    assert on.queue_state.time_passed(200.0) == []


def test_wrap_up_survives_a_restart_and_is_measured_whole() -> None:
    first = on_duty()
    play(first, ARRIVAL, RINGING, ANSWERED, OVER)
    again = on_duty()
    again.queue_state.restore(first.queue_state.agents.values(), [])
    rows = (member(0.0, paused=True, paused_reason="wrap-up:90"),)
    resync(again, PbxSnapshot(pbx="main", at=70.0, queues=(QueueSnapshot(queue="q12345", members=rows),)), [])
    assert state(again) is AgentState.WRAP_UP
    assert again.queue_state.effects == []
    again.queue_state.time_passed(90.2)
    assert again.queue_state.effects == [SetPause("1001", False)]


def test_wrap_up_whose_gateway_died_is_ended_by_the_next_one() -> None:
    again = on_duty()
    rows = (member(0.0, paused=True, paused_reason="wrap-up:90"),)
    resync(
        again, PbxSnapshot(pbx="main", at=500.0, queues=(QueueSnapshot(queue="q12345", members=rows),)), []
    )
    assert again.queue_state.next_due == 500.0
    again.queue_state.time_passed(500.0)
    assert again.queue_state.effects == [SetPause("1001", False)]


def test_missed_calls_pause_the_agent() -> None:
    on = on_duty(missed_limit=2)
    missed = agent_event(e.AgentRingNoAnswer, 12.0, ring_time=8.0)
    play(on, ARRIVAL, RINGING, [missed], RINGING, [missed])
    assert on.queue_state.effects == [SetPause("1001", True, MISSED_REASON)]
    assert on.queue_state.agents["1001"].missed == 2


def test_paused_in_one_of_two_queues_is_not_paused() -> None:
    on = on_duty()
    other = structs.replace(member(0.5), queue="yiqilai")
    play(on, [member(0.0), other, pause(1.0, "小休")])
    assert state(on) is AgentState.AVAILABLE
    play(on, [pause(1.1, "小休", queue="yiqilai")])
    assert (state(on), on.queue_state.agents["1001"].reason) == (AgentState.PAUSED, "小休")


def test_an_agent_at_two_phones_is_one_agent() -> None:
    on = on_duty()
    second = structs.replace(member(0.5), interface="PJSIP/2001")
    play(on, [member(0.0), second])
    assert on.queue_state.queues["q12345"].agents == 1
    assert on.queue_state.interfaces("1001") == ("PJSIP/1001", "PJSIP/2001")
    assert on.queue_state.agent_of_phone("PJSIP/2001") == "1001"
    # In use at either: busy. The first phone gone: still logged in at the second.
    play(on, [structs.replace(second, at=1.0, status=2)])
    assert state(on) is AgentState.TALKING
    gone = e.QueueMemberRemoved(at=2.0, pbx="main", queue="q12345", interface="PJSIP/2001", member="1001")
    play(on, [gone])
    assert (state(on), on.queue_state.queues["q12345"].agents) == (AgentState.AVAILABLE, 1)
    play(on, [structs.replace(gone, interface="PJSIP/1001")])
    assert state(on) is AgentState.LOGGED_OUT
    assert not on.queue_state.queues["q12345"].agents


def test_an_unreachable_phone() -> None:
    on = on_duty()
    play(on, [member(0.0), e.DeviceStateChange(at=1.0, pbx="main", device="PJSIP/1001", state="UNAVAILABLE")])
    assert state(on) is AgentState.UNREACHABLE
    play(on, [e.DeviceStateChange(at=2.0, pbx="main", device="PJSIP/1001", state="NOT_INUSE")])
    assert state(on) is AgentState.AVAILABLE


def test_a_loss_leaves_open_stays_unseen_and_invents_none() -> None:
    on = on_duty()
    play(on, ARRIVAL)
    waiting = QueueEntrySnapshot(queue="q12345", uniqueid=CALLER, channel=CALLER_CHANNEL, wait=7.0)
    still = PbxSnapshot(
        pbx="main",
        at=10.0,
        channels=(ChannelSnapshot(uniqueid=CALLER, linkedid=CALLER, channel=CALLER_CHANNEL),),
        queues=(QueueSnapshot(queue="q12345", entries=(waiting,)),),
    )
    assert entries(resync(on, still, [])) == []
    facts = entries(resync(on, PbxSnapshot(pbx="main", at=100.0), []))
    assert [(stage, entry.outcome, entry.waited) for stage, entry in facts] == [
        ("left", QueueOutcome.UNSEEN, None)
    ]
    # Another run, which saw nothing begin: the entry is as old as the PBX says.
    facts = entries(resync(on_duty(), still, []))
    assert [(stage, entry.entered_at) for stage, entry in facts] == [("entered", 3.0)]


def test_a_conversation_whose_end_is_never_told_is_given_up() -> None:
    on = on_duty()
    play(on, ARRIVAL, RINGING, ANSWERED, [channel(e.Hangup, 60.0, cause=16)])
    assert on.queue_state.next_due == 120.0
    facts = entries(on.queue_state.time_passed(120.0))
    assert [(stage, entry.talked) for stage, entry in facts] == [("served", None)]
    assert on.queue_state.entries.talking == {}


def test_the_cost_of_an_event_does_not_grow_with_the_number_of_agents() -> None:
    """Counted, not timed: how many memberships one event looks at."""
    looked = 0

    class Counting(dict[tuple[str, str], Any]):
        def values(self) -> Any:
            nonlocal looked
            looked += len(self)
            return super().values()

    queue_state = QueueState("main", WRAPPING, ())
    for number in range(2000):
        queue_state.member(structs.replace(member(0.0), interface=f"PJSIP/{number}", member=str(number)))
    of_agent = queue_state._members._of
    for agent, mine in of_agent.items():
        of_agent[agent] = Counting(mine)
    queue_state.member(structs.replace(member(1.0, status=2), interface="PJSIP/7", member="7"))
    assert 0 < looked <= 5
