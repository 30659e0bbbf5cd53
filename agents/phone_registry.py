"""Agents' phones: who each belongs to, which one the agent has chosen, whether it is reachable. Pure."""

from collections.abc import Iterable, Mapping

from agents.state_machine import UNREACHABLE
from domain.phones import DESK_CHOSEN, AgentProfile, PhoneKind, choice_device

UNKNOWN = "UNKNOWN"


class Phones:
    """The phones of one PBX's agents, folded from its device states."""

    def __init__(self, profiles: Iterable[AgentProfile]) -> None:
        self.profiles = {profile.id: profile for profile in profiles}
        self._agent_of = {
            phone: profile.id
            for profile in self.profiles.values()
            for phone in (profile.phone, profile.desk_phone)
            if phone
        }
        self._states: dict[str, str] = {}
        self._at_desk: set[str] = set()
        """Agents with two phones who have chosen the desk phone."""

    def agent_of(self, phone: str) -> str | None:
        """Return the agent whose phone that is."""
        return self._agent_of.get(phone)

    def met(self, agent: str, phone: str) -> None:
        """Register a phone at which an agent is logged in but that is not configured for them."""
        if agent not in self.profiles:
            self.profiles[agent] = AgentProfile(id=agent, name=agent, phone=phone)
        self._agent_of.setdefault(phone, agent)

    def profile(self, agent: str) -> AgentProfile:
        """Return the agent's profile, or an empty one."""
        return self.profiles.get(agent) or AgentProfile(id=agent, name=agent, phone="")

    # -- the choice ------------------------------------------------------------------------------------
    def choosing(self, agent: str) -> bool:
        """Whether the agent has two phones to choose from."""
        return bool(self.profile(agent).desk_phone)

    def choose(self, agent: str, desk: bool) -> None:
        """Record that the agent has chosen the desk phone, or the other one."""
        if desk and self.choosing(agent):
            self._at_desk.add(agent)
        else:
            self._at_desk.discard(agent)

    def chosen(self, agent: str) -> str:
        """Return the phone that rings for the agent."""
        profile = self.profile(agent)
        return profile.desk_phone if agent in self._at_desk else profile.phone

    def kind(self, agent: str) -> PhoneKind:
        """Return the kind of the chosen phone."""
        return PhoneKind.DESK if agent in self._at_desk else self.profile(agent).kind

    # -- whether they are there --------------------------------------------------------------------------
    def changed(self, phone: str, state: str) -> None:
        """Record Asterisk's device state of a phone."""
        self._states[phone] = state

    def state(self, phone: str) -> str:
        """Return the last known device state of a phone."""
        return self._states.get(phone, UNKNOWN)

    def desk_reachable(self, agent: str) -> bool | None:
        """Whether the agent's desk phone is reachable; `None` if unknown or there is none."""
        profile = self.profile(agent)
        desk = profile.desk_phone or (profile.phone if profile.kind is PhoneKind.DESK else "")
        state = self.state(desk)
        return None if state == UNKNOWN else state not in UNREACHABLE

    def relearn(self, states: Mapping[str, str]) -> None:
        """Replace all device states. An empty mapping means the PBX did not list any: nothing changes."""
        if not states:
            return
        self._states = {phone: states[phone] for phone in self._agent_of if phone in states}
        for agent in self.profiles:
            self.choose(agent, states.get(choice_device(agent)) == DESK_CHOSEN)
