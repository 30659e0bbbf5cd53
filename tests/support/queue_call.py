"""One call through a queue, event by event."""

from collections.abc import Iterable
from typing import Any

from domain.facts import AnyFact
from domain.lines import Line
from domain.pbx import events as e
from domain.phones import AgentProfile
from domain.queues import AgentState
from gateway.calls.tracker import CallTracker

LINES = (
    Line(id="12345", name="12345", numbers=("12345",), queue="q12345", digit="0"),
    Line(id="yiqilai", name="一企来", numbers=("12346",), queue="yiqilai", digit="1"),
)

AGENTS = (AgentProfile("1001", "王芳", "PJSIP/1001"), AgentProfile("1002", "李强", "PJSIP/1002"))

CALLER, AGENT = "1700000000.1", "1700000000.2"

CALLER_CHANNEL, AGENT_CHANNEL = "PJSIP/trunk-00000001", "PJSIP/1001-00000002"


def tracker() -> CallTracker:
    return CallTracker("main", LINES, AGENTS)


def channel(kind: type[e.ChannelEvent], at: float, who: str = CALLER, **more: Any) -> Any:
    name = CALLER_CHANNEL if who == CALLER else AGENT_CHANNEL
    base = {"at": at, "pbx": "main", "uniqueid": who, "linkedid": CALLER, "channel": name}
    return kind(**{**base, **more})


def agent_event(kind: type[e.AgentCallEvent], at: float, **more: Any) -> Any:
    return channel(
        kind,
        at,
        **{
            "queue": "q12345",
            "member": "1001",
            "interface": "PJSIP/1001",
            "dest_uniqueid": AGENT,
            "dest_channel": AGENT_CHANNEL,
            **more,
        },
    )


def member(at: float, agent: str = "1001", status: int = 1, **more: Any) -> e.QueueMemberStatus:
    return e.QueueMemberStatus(
        at=at,
        pbx="main",
        queue="q12345",
        interface=f"PJSIP/{agent}",
        member=agent,
        status=status,
        **more,
    )


ARRIVAL = [
    member(0.0),
    channel(e.NewChannel, 1.0, state="Ring", caller_number="13962875016", caller_name="季<b>", exten="12345"),
    channel(e.VarSet, 1.1, variable="HOTLINE_LINE", value="12345"),
    channel(e.VarSet, 1.2, variable="HOTLINE_RECORDING", value="/rec/1.raw"),
    channel(e.MixMonitorStart, 1.3),
    channel(e.VarSet, 2.0, variable="HOTLINE_IVR_DIGIT", value="0"),
    channel(e.QueueCallerJoin, 3.0, queue="q12345", position=1),
]

RINGING = [
    channel(e.NewChannel, 4.0, AGENT, state="Down"),
    agent_event(e.AgentCalled, 4.1),
    channel(e.NewState, 4.1, AGENT, state="Ringing"),
]

ANSWERED = [
    channel(e.NewState, 8.0, AGENT, state="Up"),
    channel(e.QueueCallerLeave, 8.1, queue="q12345"),
    agent_event(e.AgentConnect, 8.2, hold_time=5.0, ring_time=4.0),
    channel(e.BridgeEnter, 8.3, bridge="b1"),
    channel(e.BridgeEnter, 8.4, AGENT, bridge="b1"),
]

OVER = [
    channel(e.BridgeLeave, 60.0, bridge="b1"),
    agent_event(e.AgentComplete, 60.1, hold_time=5.0, talk_time=52.0, reason="caller"),
    channel(e.Hangup, 60.2, AGENT, cause=16),
    channel(e.Hangup, 60.3, cause=16),
]


def play(on: CallTracker, *chapters: Iterable[e.PbxEvent]) -> list[AnyFact]:
    return [fact for chapter in chapters for event in chapter for fact in on.apply(event)]  # type: ignore[arg-type]


def state(on: CallTracker, agent: str = "1001") -> AgentState:
    return on.queue_state.agents[agent].state
