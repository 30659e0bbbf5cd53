"""An agent's two phones in the queue state: the choice, kept in a device state, and reachability."""

from agents.queues.state import FollowPhone
from domain.facts import AgentChanged
from domain.pbx import events as e
from domain.pbx.snapshot import PbxSnapshot, QueueSnapshot
from domain.phones import AgentProfile, PhoneKind, choice_device, chooser
from domain.queues import AgentState, AgentStatus
from gateway.calls.resync import resync
from gateway.calls.tracker import CallTracker
from tests.support.queue_call import LINES, member, play

BROWSER, DESK = "PJSIP/1001", "PJSIP/1001-desk"
CHOICE = choice_device("1001")
TWO = AgentProfile("1001", "王芳", BROWSER, PhoneKind.BROWSER, DESK)
ONE = AgentProfile("1002", "李强", "PJSIP/1002")


def device(at: float, name: str, state: str) -> e.DeviceStateChange:
    return e.DeviceStateChange(at=at, pbx="main", device=name, state=state)


def tracker() -> CallTracker:
    return CallTracker("main", LINES, [TWO, ONE])


def hers(on: CallTracker) -> AgentStatus:
    return on.queue_state.agents["1001"]


def test_the_choice_is_a_device_of_the_pbx() -> None:
    assert chooser(CHOICE) == "1001"
    assert chooser("Custom:demo-1001") is None
    on = tracker()
    play(on, [member(0.0), device(1.0, DESK, "UNAVAILABLE"), device(1.5, BROWSER, "NOT_INUSE")])
    assert (hers(on).kind, hers(on).phone, hers(on).desk_reachable) == (PhoneKind.BROWSER, BROWSER, False)
    # The phone that is not chosen changes nothing of her state.
    assert hers(on).state is AgentState.AVAILABLE
    play(on, [device(2.0, DESK, "NOT_INUSE"), device(3.0, CHOICE, "INUSE")])
    assert (hers(on).kind, hers(on).desk_reachable) == (PhoneKind.DESK, True)
    play(on, [device(4.0, CHOICE, "NOT_INUSE")])
    assert (hers(on).kind, hers(on).phone) == (PhoneKind.BROWSER, BROWSER)
    assert on.queue_state.effects == [FollowPhone("1001")] * 2


def test_memberships_move_and_her_state_follows_the_phone_chosen() -> None:
    on = tracker()
    play(on, [member(0.0), device(1.0, BROWSER, "NOT_INUSE"), device(1.0, DESK, "UNAVAILABLE")])
    added = e.QueueMemberAdded(at=3.0, pbx="main", queue="q12345", interface=DESK, member="1001", status=5)
    gone = e.QueueMemberRemoved(
        at=3.1, pbx="main", queue="q12345", interface=BROWSER, member="1001", status=1
    )
    facts = play(on, [device(2.0, CHOICE, "INUSE"), added, gone])
    assert (hers(on).phone, hers(on).phones, hers(on).queues) == (DESK, (DESK,), ("q12345",))
    assert hers(on).state is AgentState.UNREACHABLE
    told = [fact.agent for fact in facts if isinstance(fact, AgentChanged)]
    assert told
    assert all(status.queues for status in told), "never in no queue"
    play(on, [device(4.0, DESK, "NOT_INUSE")])
    assert (hers(on).state, hers(on).desk_reachable) == (AgentState.AVAILABLE, True)


def test_a_gateway_that_starts_anew_learns_it_from_the_pbx_and_lets_memberships_follow() -> None:
    on = tracker()
    states = {CHOICE: "INUSE", DESK: "UNAVAILABLE", BROWSER: "NOT_INUSE", "PJSIP/1002": "NOT_INUSE"}
    rows = (member(0.0),)
    seen = PbxSnapshot(
        pbx="main", at=9.0, queues=(QueueSnapshot(queue="q12345", members=rows),), device_states=states
    )
    resync(on, seen, [])
    assert (hers(on).kind, hers(on).desk_reachable) == (PhoneKind.DESK, False)
    assert on.queue_state.effects == [FollowPhone("1001")]
    other = on.queue_state.agents["1002"]
    assert (other.kind, other.desk_reachable) == (PhoneKind.DESK, True)
    # A PBX that does not list its devices takes nobody's choice away.
    resync(on, PbxSnapshot(pbx="main", at=10.0), [])
    assert hers(on).kind is PhoneKind.DESK


def test_only_who_has_two_phones_chooses() -> None:
    on = tracker()
    play(on, [device(1.0, choice_device("1002"), "INUSE"), device(1.0, choice_device("nobody"), "INUSE")])
    assert "1002" not in on.queue_state.agents
    assert "nobody" not in on.queue_state.agents
