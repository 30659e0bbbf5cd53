"""Penalty and ringinuse of members, and members after a reload of the queues."""

from typing import Any

from domain.facts import AgentChanged
from domain.pbx import events as e
from gateway.asterisk.normalise import normalise
from tests.support.queue_call import member, play, tracker

MEMBER = {"Queue": "q12345", "Interface": "PJSIP/1001", "MemberName": "1001"}


def told(headers: dict[str, str], at: float = 2.0) -> Any:
    return normalise(headers, "main", at)


def test_a_changed_penalty_is_told_and_changes_nothing_else() -> None:
    on = tracker()
    play(on, [member(1.0, paused=True, paused_reason="小休", penalty=5)])
    before = on.queue_state.agents["1001"]
    assert before.penalties == {"q12345": 5}
    # An older Asterisk names the penalty alone.
    facts = play(on, [told({"Event": "QueueMemberPenalty", **MEMBER, "Penalty": "3"})])
    (changed,) = [fact.agent for fact in facts if isinstance(fact, AgentChanged)]
    assert changed.penalties == {"q12345": 3}
    assert (changed.state, changed.reason) == (before.state, "小休")


def test_ringinuse_is_told_and_outlives_events_that_do_not_name_it() -> None:
    on = tracker()
    play(on, [member(1.0)])
    play(on, [told({"Event": "QueueMemberRinginuse", **MEMBER, "Ringinuse": "1"})])
    assert on.queue_state.agents["1001"].ring_in_use == ("q12345",)
    play(on, [member(3.0, status=2)])
    assert on.queue_state.agents["1001"].ring_in_use == ("q12345",)
    play(on, [told({"Event": "QueueMemberRinginuse", **MEMBER, "Ringinuse": "0"}, 4.0)])
    assert not on.queue_state.agents["1001"].ring_in_use


def test_a_setting_of_somebody_who_is_no_member_makes_no_member() -> None:
    on = tracker()
    play(on, [told({"Event": "QueueMemberPenalty", **MEMBER, "Penalty": "3"})])
    assert on.queue_state.agents["1001"].queues == ()


def test_after_a_reload_members_are_those_listed() -> None:
    on = tracker()
    play(on, [member(1.0, penalty=1), member(1.0, "1002", paused=True, paused_reason="会议")])
    listed = e.QueueMembersListed(
        at=5.0, pbx="main", members=(member(5.0, "1002", penalty=7), member(5.0, "1003"))
    )
    play(on, [listed])
    agents = on.queue_state.agents
    assert agents["1001"].queues == ()
    assert agents["1003"].queues == ("q12345",)
    assert agents["1002"].penalties == {"q12345": 7}
    # The list may be older than the last event: what events tell is not taken back.
    assert agents["1002"].reason == "会议"
    assert play(on, [listed]) == []
    assert on.queue_state.queues["q12345"].agents == 2
