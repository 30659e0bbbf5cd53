"""Queues and agents, folded from the PBX's events: who waits, who serves, who rests. Pure."""

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from agents.machine import DEVICE_BY_STATUS, Seen, state_of
from gateway.models.facts import AgentChanged, AnyFact, QueueChanged
from gateway.models.line import Line
from gateway.models.queue import AgentStatus, Queue, Waiting
from gateway.pbx.events import DeviceStateChange, QueueMemberEvent, QueueMemberRemoved
from gateway.pbx.snapshot import PbxSnapshot


class AgentProfile(Struct, frozen=True):
    """An agent as configured."""

    id: str
    name: str
    phone: str


class Member(Struct, frozen=True):
    """An agent's membership of one queue."""

    paused: bool
    reason: str
    device: str


class Floor:
    """The queues and agents of one PBX."""

    def __init__(self, pbx: str, lines: Sequence[Line], profiles: Iterable[AgentProfile]) -> None:
        self._pbx = pbx
        self._line_of_queue = {line.queue: line.id for line in lines}
        self._profiles = {profile.id: profile for profile in profiles}
        self._agent_of_phone = {profile.phone: profile.id for profile in self._profiles.values()}
        self._members: dict[tuple[str, str], Member] = {}
        self._seen: dict[str, Seen] = {agent: Seen() for agent in self._profiles}
        self._call_of: dict[str, str] = {}
        self.queues: dict[str, Queue] = {
            line.queue: Queue(name=line.queue, pbx=pbx, line=line.id) for line in lines
        }
        self.agents: dict[str, AgentStatus] = {}

    def agent_of(self, member: str, interface: str) -> str:
        """The agent's id behind an app_queue member, configured or not."""
        if member in self._profiles:
            return member
        return self._agent_of_phone.get(interface, member or interface)

    def agent_of_phone(self, phone: str) -> str | None:
        """The agent whose phone that device is."""
        return self._agent_of_phone.get(phone)

    # -- callers who wait ----------------------------------------------------------------------------
    def join(self, at: float, queue: str, waiting: Waiting) -> list[AnyFact]:
        """A caller begins to wait."""
        kept = tuple(other for other in self._queue(queue).waiting if other.uniqueid != waiting.uniqueid)
        return self._set_waiting(at, queue, (*kept, waiting))

    def leave(self, at: float, queue: str, uniqueid: str) -> list[AnyFact]:
        """A caller waits no longer; those behind move up."""
        kept = tuple(other for other in self._queue(queue).waiting if other.uniqueid != uniqueid)
        return self._set_waiting(at, queue, kept)

    def _queue(self, name: str) -> Queue:
        return self.queues.get(name) or Queue(name=name, pbx=self._pbx, line=self._line_of_queue.get(name))

    def _set_waiting(self, at: float, queue: str, waiting: tuple[Waiting, ...]) -> list[AnyFact]:
        ranked = sorted(waiting, key=lambda one: (one.position, one.since))
        waiting = tuple(structs.replace(one, position=place) for place, one in enumerate(ranked, 1))
        before = self._queue(queue)
        after = structs.replace(before, waiting=waiting)
        if after == self.queues.get(queue):
            return []
        self.queues[queue] = after
        return [QueueChanged(at=at, queue=after)]

    # -- agents --------------------------------------------------------------------------------------
    def member(self, event: QueueMemberEvent) -> list[AnyFact]:
        """A membership was added, changed or removed."""
        agent = self.agent_of(event.member, event.interface)
        key = (event.queue, agent)
        if isinstance(event, QueueMemberRemoved):
            self._members.pop(key, None)
        else:
            device = DEVICE_BY_STATUS.get(event.status, "UNKNOWN")
            self._members[key] = Member(event.paused, event.paused_reason, device)
        facts = self._refresh_queue(event.at, event.queue)
        if agent not in self._profiles:
            self._profiles[agent] = AgentProfile(id=agent, name=agent, phone=event.interface)
            self._agent_of_phone.setdefault(event.interface, agent)
        return facts + self._refresh(event.at, agent)

    def device(self, event: DeviceStateChange) -> list[AnyFact]:
        """A phone's device state changed."""
        agent = self._agent_of_phone.get(event.device)
        if agent is None:
            return []
        self._update(agent, device=event.state)
        return self._refresh(event.at, agent)

    def phone(
        self,
        at: float,
        agent: str,
        *,
        call_id: str | None,
        ringing: bool = False,
        talking: bool = False,
        held: bool = False,
    ) -> list[AnyFact]:
        """What the agent's phone is doing with a call of ours; `call_id=None`: nothing any more."""
        if call_id is None:
            self._call_of.pop(agent, None)
        else:
            self._call_of[agent] = call_id
        self._update(agent, ringing=ringing, talking=talking, held=held)
        return self._refresh(at, agent)

    def _update(self, agent: str, **changes: object) -> None:
        self._seen[agent] = structs.replace(self._seen.get(agent, Seen()), **changes)

    def _refresh_queue(self, at: float, name: str) -> list[AnyFact]:
        members = tuple(sorted(agent for queue, agent in self._members if queue == name))
        before = self._queue(name)
        if before.members == members and name in self.queues:
            return []
        self.queues[name] = structs.replace(before, members=members)
        return [QueueChanged(at=at, queue=self.queues[name])]

    def _refresh(self, at: float, agent: str) -> list[AnyFact]:
        memberships = {queue: member for (queue, who), member in self._members.items() if who == agent}
        paused = bool(memberships) and all(member.paused for member in memberships.values())
        seen = self._seen.get(agent, Seen())
        device = next((m.device for m in memberships.values() if m.device != "UNKNOWN"), seen.device)
        seen = structs.replace(seen, logged_in=bool(memberships), paused=paused, device=device)
        self._seen[agent] = seen
        profile = self._profiles.get(agent) or AgentProfile(id=agent, name=agent, phone="")
        before = self.agents.get(agent)
        state = state_of(seen, at)
        after = AgentStatus(
            id=agent,
            name=profile.name,
            phone=profile.phone,
            state=state,
            since=before.since if before and before.state is state else at,
            reason=next((m.reason for m in memberships.values() if m.paused), "") if paused else "",
            call_id=self._call_of.get(agent),
            queues=tuple(sorted(memberships)),
        )
        if after == before:
            return []
        self.agents[agent] = after
        return [AgentChanged(at=at, agent=after)]

    # -- the whole picture anew -----------------------------------------------------------------------
    def resync(self, snapshot: PbxSnapshot, call_of_channel: dict[str, str]) -> list[AnyFact]:
        """Replace queues and memberships by what the PBX says now; `call_of_channel`: uniqueid → call."""
        self._members.clear()
        facts: list[AnyFact] = []
        for queue in snapshot.queues:
            for member in queue.members:
                agent = self.agent_of(member.member, member.interface)
                device = DEVICE_BY_STATUS.get(member.status, "UNKNOWN")
                self._members[queue.queue, agent] = Member(member.paused, member.paused_reason, device)
                if agent not in self._profiles:
                    self._profiles[agent] = AgentProfile(id=agent, name=agent, phone=member.interface)
                    self._agent_of_phone.setdefault(member.interface, agent)
        entries = {queue.queue: queue.entries for queue in snapshot.queues}
        for name in sorted({*self.queues, *entries}):
            facts += self._refresh_queue(snapshot.at, name)
            waiting = tuple(
                Waiting(
                    call_id=call_of_channel.get(entry.uniqueid, ""),
                    uniqueid=entry.uniqueid,
                    position=entry.position,
                    since=snapshot.at - entry.wait,
                    caller=entry.caller_number,
                )
                for entry in entries.get(name, ())
            )
            facts += self._set_waiting(snapshot.at, name, waiting)
        for agent in self._profiles:
            self._call_of.pop(agent, None)
            profile = self._profiles[agent]
            device = snapshot.device_states.get(profile.phone, "UNKNOWN")
            self._seen[agent] = Seen(device=device)
            facts += self._refresh(snapshot.at, agent)
        return facts
