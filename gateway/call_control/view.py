"""The input of planning (who asks, the state of the PBXs, the rules) and its output, the plan. Pure data."""

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
    """The person who sends a command."""

    username: str
    role: str
    agent: str | None = None
    """The agent this person works as, if any."""
    supervises: bool = False


class AgentConfig(Struct, frozen=True):
    """An agent as configured."""

    id: str
    phone: str
    pbx: str
    lines: Mapping[str, int] = {}
    """Line id → penalty."""
    phones: Mapping[PhoneKind, str] = {}
    """Both phones if there is a choice, `phone` being the one in use; empty if there is none."""


class Rules(Struct, frozen=True):
    """What the configuration says."""

    agents: Mapping[str, AgentConfig] = {}
    lines: tuple[Line, ...] = ()
    dial: tuple[DialRule, ...] = ()
    outbound_context: str | None = None
    """The PBX's own dialplan context for outside calls; `None` for those rendered by the gateway."""
    pause_reasons: tuple[str, ...] = ()
    """Empty means any."""
    desk_login: bool = True
    """Whether agents log in and out at the desk; otherwise they are always in the queues of their lines."""


class View(Struct, frozen=True):
    """The state of all PBXs at one moment."""

    rules: Rules
    agents: Mapping[str, AgentStatus] = {}
    calls: Mapping[str, Call] = {}
    """Live calls by id."""
    queues: Mapping[tuple[str, str], Queue] = {}
    """By (PBX, name)."""
    versions: Mapping[str, str] = {}
    """PBX → Asterisk version, e.g. `16.28.0~dfsg-0+deb11u4`; "" or missing if unknown."""

    def major(self, pbx: str) -> int:
        """Return the major version of that PBX's Asterisk; 0 if unknown."""
        digits = re.match(r"\d+", self.versions.get(pbx, ""))
        return int(digits[0]) if digits else 0

    def state(self, agent: str) -> AgentState | None:
        """Return the agent's state, if known."""
        status = self.agents.get(agent)
        return status.state if status else None

    def agent_config(self, agent: str) -> AgentConfig | None:
        """Return the agent's configuration with the phone they have chosen; `None` if not configured."""
        config, status = self.rules.agents.get(agent), self.agents.get(agent)
        if config is None or status is None:
            return config
        return structs.replace(config, phone=config.phones.get(status.kind, config.phone))

    def legs(self, agent: str) -> Iterator[tuple[Call, Leg]]:
        """Yield the agent's live legs, each with its call."""
        for call in self.calls.values():
            for leg in live(call):
                if leg.agent == agent and not is_local(leg):
                    yield call, leg


class Ami(Struct, frozen=True):
    """One AMI action. Each value is a header of its own."""

    action: str
    headers: Mapping[str, str | list[str]]
    tolerates: tuple[str, ...] = ()
    """Refusals by the PBX to ignore, given as parts of their text."""


class WrapUp(Struct, frozen=True):
    """Extend the agent's wrap-up by `seconds`, or end it if `None`."""

    agent: str
    seconds: int | None = None


Step = Ami | WrapUp


class Plan(Struct, frozen=True):
    """The steps to take, in order, and the result to answer with afterwards."""

    pbx: str
    steps: tuple[Step, ...]
    result: Mapping[str, Any] = {}
    settled: Callable[[View], bool] | None = None
    """Whether a later view shows the effect. If none does soon, the steps are repeated once: a feature code
    played while the PBX is between two states is silently lost."""


BUSY = (AgentState.TALKING, AgentState.RINGING, AgentState.ON_HOLD)
"""States in which the agent's phone is in a call or ringing."""
GONE = ("No such channel", "Channel specified does not exist", "Channel not found", "not existent")
"""Asterisk's ways of saying that a channel does not exist (any more)."""


def live(call: Call) -> list[Leg]:
    """Return the legs that have not ended."""
    return [leg for leg in call.legs if leg.ended_at is None]


def is_local(leg: Leg) -> bool:
    """Whether the leg is half of a Local channel: plumbing, not a party."""
    return leg.channel.startswith("Local/")


def impossible(reason: str, /, **params: Any) -> CommandError:
    """Build a refusal caused by the current state."""
    return CommandError("not_possible", reason, **params)


def forbidden(reason: str, /, **params: Any) -> CommandError:
    """Build a refusal caused by who asks."""
    return CommandError("forbidden", reason, **params)


def own_leg(view: View, agent: str, call_id: str | None, *, talking: bool = True) -> tuple[Call, Leg]:
    """Return the agent's leg that a command refers to, with its call.

    Raises:
        CommandError: there is none, or it is ambiguous.
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
    """Return the other legs in the leg's bridge."""
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
