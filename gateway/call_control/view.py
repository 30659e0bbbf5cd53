"""What planning looks at: who asks, the picture, the rules; and what it answers with. Pure data."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct, structs

from domain.calls import Call, Leg
from domain.commands import CommandError
from domain.dialling import DialRule
from domain.lines import Line
from domain.phones import PhoneKind
from domain.queues import AgentState, AgentStatus, Queue


class Actor(Struct, frozen=True):
    """Who asks."""

    username: str
    role: str
    agent: str | None = None
    """The agent this person is, if any."""
    supervises: bool = False


class AgentConfig(Struct, frozen=True):
    """An agent as configured."""

    id: str
    phone: str
    pbx: str
    lines: Mapping[str, int] = {}
    """Line id → penalty."""
    phones: Mapping[PhoneKind, str] = {}
    """Where there are two, `phone` is the one to use; empty: there is no choice."""


class Rules(Struct, frozen=True):
    """What is configured."""

    agents: Mapping[str, AgentConfig] = {}
    lines: tuple[Line, ...] = ()
    dial: tuple[DialRule, ...] = ()
    outbound_context: str | None = None
    """A context of the PBX's own for calls outside; `None`: those rendered by us."""
    pause_reasons: tuple[str, ...] = ()
    """Empty: any."""
    desk_login: bool = True
    """Agents log in and out; else they are in the queues of their lines always."""


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

    def agent_config(self, agent: str) -> AgentConfig | None:
        """The agent's config, with the phone they have chosen; `None`: nobody configured."""
        config, status = self.rules.agents.get(agent), self.agents.get(agent)
        if config is None or status is None:
            return config
        return structs.replace(config, phone=config.phones.get(status.kind, config.phone))

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
    settled: Callable[[View], bool] | None = None
    """Whether it shows in a later picture. Where it does not soon, the steps are done once more: a feature's
    key that falls between two states of the PBX is lost without a word."""


BUSY = (AgentState.TALKING, AgentState.RINGING, AgentState.ON_HOLD)
"""The agent's phone is in a call, or rings."""
GONE = ("No such channel", "Channel specified does not exist", "Channel not found", "not existent")
"""How Asterisk says that a channel is not there (any more)."""


def live(call: Call) -> list[Leg]:
    """The legs that have not ended."""
    return [leg for leg in call.legs if leg.ended_at is None]


def is_local(leg: Leg) -> bool:
    """Whether the leg is half of a Local channel: plumbing, no party."""
    return leg.channel.startswith("Local/")


def impossible(reason: str, /, **params: Any) -> CommandError:
    """A refusal because of how things stand now."""
    return CommandError("not_possible", reason, **params)


def forbidden(reason: str, /, **params: Any) -> CommandError:
    """A refusal because of who asks."""
    return CommandError("forbidden", reason, **params)


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
    if not found and call_id:
        raise impossible("not_on_that_call", agent=agent, call=call_id)
    if not found:
        raise impossible("not_talking" if talking else "no_call", agent=agent)
    if len(found) > 1:
        raise impossible("calls_unclear", agent=agent, count=len(found))
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
