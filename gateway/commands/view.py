"""What planning looks at: who asks, the picture, the rules; and what it answers with. Pure data."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from gateway.models.call import Call, Leg
from gateway.models.commands import CommandError
from gateway.models.dialling import DialRule
from gateway.models.line import Line
from gateway.models.queue import AgentState, AgentStatus, Queue


class Actor(Struct, frozen=True):
    """Who asks."""

    username: str
    role: str
    agent: str | None = None
    """The agent this person is, if any."""
    supervises: bool = False


class Seat(Struct, frozen=True):
    """An agent as configured."""

    id: str
    phone: str
    pbx: str
    lines: Mapping[str, int] = {}
    """Line id → penalty."""


class Rules(Struct, frozen=True):
    """What is configured."""

    seats: Mapping[str, Seat] = {}
    lines: tuple[Line, ...] = ()
    dial: tuple[DialRule, ...] = ()
    outbound_context: str | None = None
    """A context of the PBX's own for calls outside; `None`: those rendered by us."""
    pause_reasons: tuple[str, ...] = ()
    """Empty: any."""


class View(Struct, frozen=True):
    """The picture at one instant."""

    rules: Rules
    agents: Mapping[str, AgentStatus] = {}
    calls: Mapping[str, Call] = {}
    """Live calls by id."""
    queues: Mapping[tuple[str, str], Queue] = {}
    """By (PBX, name)."""
    versions: Mapping[str, str] = {}
    """PBX → Asterisk's version, e.g. `16.28.0~dfsg-0+deb11u4`; "" or absent: not known."""

    def major(self, pbx: str) -> int:
        """The major version of that PBX's Asterisk; 0: not known."""
        digits = re.match(r"\d+", self.versions.get(pbx, ""))
        return int(digits[0]) if digits else 0

    def state(self, agent: str) -> AgentState | None:
        """The agent's state, where one is known."""
        status = self.agents.get(agent)
        return status.state if status else None

    def legs(self, agent: str) -> Iterator[tuple[Call, Leg]]:
        """The agent's live legs, each with its call."""
        for call in self.calls.values():
            for leg in live(call):
                if leg.agent == agent and not is_local(leg):
                    yield call, leg


class Ami(Struct, frozen=True):
    """One action. Each header's value travels by itself."""

    action: str
    headers: Mapping[str, str | list[str]]
    tolerates: tuple[str, ...] = ()
    """Refusals of the PBX that do not matter, by a part of their text."""


class WrapUp(Struct, frozen=True):
    """End the agent's wrap-up, or let it last `seconds` longer."""

    agent: str
    seconds: int | None = None


Step = Ami | WrapUp


class Plan(Struct, frozen=True):
    """What to do, in order, and what to answer when it is done."""

    pbx: str
    steps: tuple[Step, ...]
    result: Mapping[str, Any] = {}


GONE = ("No such channel", "Channel specified does not exist", "Channel not found", "not existent")
"""How Asterisk says that a channel is not there (any more)."""


def live(call: Call) -> list[Leg]:
    """The legs that have not ended."""
    return [leg for leg in call.legs if leg.ended_at is None]


def is_local(leg: Leg) -> bool:
    """Whether the leg is half of a Local channel: plumbing, no party."""
    return leg.channel.startswith("Local/")


def impossible(text: str) -> CommandError:
    """A refusal because of how things stand now."""
    return CommandError("not_possible", text)


def forbidden(text: str) -> CommandError:
    """A refusal because of who asks."""
    return CommandError("forbidden", text)


def own_leg(view: View, agent: str, call_id: str | None, *, talking: bool = True) -> tuple[Call, Leg]:
    """The agent's one leg that is meant.

    Raises:
        CommandError: there is none, or it is not clear which.
    """
    found = [(call, leg) for call, leg in view.legs(agent) if call_id in (None, call.id)]
    if talking:
        found = [(call, leg) for call, leg in found if leg.bridge is not None]
    else:
        found = [
            (call, leg) for call, leg in found if leg.bridge is None and leg.answered_at is None
        ] or found
    what = "conversation" if talking else "call"
    if not found:
        where = f"no {what} in call {call_id}" if call_id else f"no {what} now"
        raise impossible(f"agent {agent} has {where}")
    if len(found) > 1:
        raise impossible(f"agent {agent} has {len(found)} calls: say which by call_id")
    return found[0]


def peers(view: View, leg: Leg) -> list[Leg]:
    """The others in the leg's bridge."""
    return [
        other
        for call in view.calls.values()
        for other in live(call)
        if other.bridge == leg.bridge is not None and other.uniqueid != leg.uniqueid
    ]


def consults(call: Call, leg: Leg) -> bool:
    """Whether the agent of `leg` is consulting somebody while the other party waits."""
    parties = [other for other in live(call) if not is_local(other)]
    bridges = {other.bridge for other in parties if other.bridge is not None}
    first = min((other.created_at for other in parties if other.agent), default=0.0)
    return len(bridges) > 1 and leg.created_at <= first
