"""Agents' phones: whose each is, which of two the agent has chosen, which of them are there. Pure."""

from collections.abc import Iterable, Mapping

from agents.state_machine import UNREACHABLE
from domain.phones import DESK_CHOSEN, AgentProfile, PhoneKind, choice_device

UNKNOWN = "UNKNOWN"


class Phones:
    """Of the agents of one PBX, folded from its device states."""

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
        """Of the agents with two phones, those who chose the one on the desk."""

    def agent_of(self, phone: str) -> str | None:
        """The agent whose phone that is."""
        return self._agent_of.get(phone)

    def met(self, agent: str, phone: str) -> None:
        """An agent is logged in at that phone: nobody configured, or one who has another."""
        if agent not in self.profiles:
            self.profiles[agent] = AgentProfile(id=agent, name=agent, phone=phone)
        self._agent_of.setdefault(phone, agent)

    def profile(self, agent: str) -> AgentProfile:
        """The agent's, or an empty one."""
        return self.profiles.get(agent) or AgentProfile(id=agent, name=agent, phone="")

    # -- the choice ------------------------------------------------------------------------------------
    def choosing(self, agent: str) -> bool:
        """Whether the agent has two phones to choose from."""
        return bool(self.profile(agent).desk_phone)

    def choose(self, agent: str, desk: bool) -> None:
        """The agent has chosen the phone on the desk, or the other."""
        if desk and self.choosing(agent):
            self._at_desk.add(agent)
        else:
            self._at_desk.discard(agent)

    def chosen(self, agent: str) -> str:
        """The phone that rings for the agent."""
        profile = self.profile(agent)
        return profile.desk_phone if agent in self._at_desk else profile.phone

    def kind(self, agent: str) -> PhoneKind:
        """What that phone is."""
        return PhoneKind.DESK if agent in self._at_desk else self.profile(agent).kind

    # -- whether they are there --------------------------------------------------------------------------
    def changed(self, phone: str, state: str) -> None:
        """Asterisk's device state of that phone is now so."""
        self._states[phone] = state

    def state(self, phone: str) -> str:
        """As it was told last."""
        return self._states.get(phone, UNKNOWN)

    def desk_reachable(self, agent: str) -> bool | None:
        """Whether the agent's phone on the desk is there; `None`: not known, or there is none."""
        profile = self.profile(agent)
        desk = profile.desk_phone or (profile.phone if profile.kind is PhoneKind.DESK else "")
        state = self.state(desk)
        return None if state == UNKNOWN else state not in UNREACHABLE

    def relearn(self, states: Mapping[str, str]) -> None:
        """All device states of the PBX; none at all: it would not say, and what was known stands."""
        if not states:
            return
        self._states = {phone: states[phone] for phone in self._agent_of if phone in states}
        for agent in self.profiles:
            self.choose(agent, states.get(choice_device(agent)) == DESK_CHOSEN)
