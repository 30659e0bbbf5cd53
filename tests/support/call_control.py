"""Calls, agents and rules that commands are planned on."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec import structs

from domain.calls import Call, CallState, Direction, Leg, Party, Side
from domain.commands import CommandError, read_command
from domain.dialling import DialRule
from domain.lines import Line
from domain.queues import AgentState, AgentStatus, Queue
from gateway.call_control.plan import plan
from gateway.call_control.view import Actor, AgentConfig, Ami, Plan, Rules, View


class Recorder:
    """A PBX that notes what it is asked; `say` may refuse or wait."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.say: Callable[[str], Exception | None] = lambda _: None
        self.begun, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    async def action(
        self, name: str, headers: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Any:
        self.asked.append((name, dict(headers or {})))
        self.begun.set()
        await self.open.wait()
        if (error := self.say(name)) is not None:
            raise error


ID = "0b9f3c1e-2d4a-4f6b-8c1d-3e5f7a9b0c2d"

AGENT = Actor("zhang", "agent", "1001")

OTHER = Actor("li", "agent", "1002")

BOSS = Actor("ban", "supervisor", "1003", supervises=True)

DESKLESS = Actor("chief", "supervisor", None, supervises=True)

LINES = (
    Line("12345", "热线", ("12345",), "q12345"),
    Line("yiqilai", "一企来", ("12346",), "yiqilai"),
)

RULES = Rules(
    agents={
        "1001": AgentConfig("1001", "PJSIP/1001", "main", {"12345": 0}),
        "1002": AgentConfig("1002", "PJSIP/1002", "main", {"yiqilai": 0, "12345": 5}),
        "1003": AgentConfig("1003", "PJSIP/1003", "main", {}),
        "2001": AgentConfig("2001", "PJSIP/2001", "far", {"12345": 0}),
    },
    lines=LINES,
    dial=(
        DialRule(("1[3-9]XXXXXXXXX",)),
        DialRule(("00XXXXXXXXXX",), roles=frozenset({"supervisor"})),
        DialRule(("NXXXXXXX",), lines=frozenset({"yiqilai"})),
    ),
    pause_reasons=("小休", "培训"),
)


def leg(uniqueid: str, channel: str, agent: str | None = None, **more: Any) -> Leg:
    side = Side.AGENT if agent else Side.CALLER
    return Leg(
        uniqueid=uniqueid, channel=channel, side=side, party=Party(), created_at=1.0, agent=agent, **more
    )


CALLER = leg("1.0", "PJSIP/trunk-00000000", bridge="b1", answered_at=1.0)

HERS = structs.replace(
    leg("1.1", "PJSIP/1001-00000001", "1001", bridge="b1", answered_at=2.0), created_at=2.0
)


def call(*legs: Leg, call_id: str = "main-1.0", **more: Any) -> Call:
    given: dict[str, Any] = {"state": CallState.TALKING, "line": "12345"} | more
    return Call(
        id=call_id,
        pbx="main",
        linkedid=call_id[5:],
        direction=Direction.INBOUND,
        caller=Party("139"),
        called="12345",
        started_at=1.0,
        legs=legs,
        **given,
    )


def status(agent: str, state: AgentState = AgentState.AVAILABLE, queues: Any = ("q12345",)) -> Any:
    return AgentStatus(id=agent, name=agent, phone=f"PJSIP/{agent}", state=state, since=0.0, queues=queues)


def view(*calls: Call, agents: tuple[Any, ...] = (), queues: tuple[Queue, ...] = ()) -> View:
    known = agents or tuple(status(agent) for agent in ("1001", "1002", "1003"))
    return View(
        RULES,
        {one.id: one for one in known},
        {one.id: one for one in calls},
        {(queue.pbx, queue.name): queue for queue in queues},
    )


TALK = view(call(CALLER, HERS))

CONSULTS = view(
    call(
        CALLER,
        structs.replace(HERS, bridge="b2"),
        structs.replace(leg("1.7", "PJSIP/1002-00000007", "1002", bridge="b2"), created_at=7.0),
    )
)


def do(view: View, actor: Actor, name: str, **args: Any) -> Plan:
    return plan(view, actor, read_command(name, args), ID)


def refused(view: View, actor: Actor, name: str, **args: Any) -> tuple[str, str]:
    with pytest.raises(CommandError) as caught:
        do(view, actor, name, **args)
    return caught.value.code, str(caught.value)


def amis(planned: Plan) -> list[tuple[str, dict[str, Any]]]:
    return [(step.action, dict(step.headers)) for step in planned.steps if isinstance(step, Ami)]
