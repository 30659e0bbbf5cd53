"""The state of queues and agents, folded from PBX events: who waits, who serves, who is paused. Pure.

The cost of an event does not depend on the number of agents and queues: memberships are indexed by agent.
What must be done on the PBX (pause, unpause) is collected in `effects` until the caller executes it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct, structs

from agents import state_machine
from agents.deadlines import Deadlines
from agents.phone_registry import Phones
from agents.queues.entries import QueueEntries
from agents.queues.memberships import Memberships
from agents.queues.waiting import WaitingCallers
from agents.state_machine import Outcome, Seen, SetPause, state_of
from domain.calls import Direction
from domain.facts import AgentChanged, AnyFact
from domain.lines import Line
from domain.pbx import events as e
from domain.pbx.snapshot import PbxSnapshot
from domain.phones import DESK_CHOSEN, AgentProfile, PhoneKind, chooser
from domain.queues import AgentState, AgentStatus, Queue, QueueEntry, Waiting
from domain.spans import elapsed


class FollowPhone(Struct, frozen=True):
    """Effect: move the agent's memberships to the phone they have chosen."""

    agent: str


class QueueState:
    """The queues and agents of one PBX."""

    def __init__(
        self, pbx: str, lines: Sequence[Line], profiles: Iterable[AgentProfile], *, missed_limit: int = 0
    ) -> None:
        """`missed_limit`: consecutive queue calls an agent may miss before being paused; 0 means no limit."""
        self._pbx = pbx
        self._lines = {line.queue: line for line in lines}
        self._missed_limit = missed_limit
        self._phones = Phones(profiles)
        self._members = Memberships()
        self._names: dict[str, str] = {}
        """Agents by the names of their memberships, where a name is not the agent's id."""
        self._seen: dict[str, Seen] = {agent: Seen() for agent in self._phones.profiles}
        self._call_of: dict[str, str] = {}
        self._agents_of_call: dict[str, set[str]] = {}
        self._deadlines = Deadlines()
        self.effects: list[SetPause | FollowPhone] = []
        """What the caller must do on the PBX, in order; the caller empties the list."""
        self._callers = WaitingCallers(pbx, lines)
        self.join, self.leave = self._callers.join, self._callers.leave
        """A caller starts waiting; is no longer waiting."""
        self.agents: dict[str, AgentStatus] = {}
        self._untold: set[str] = set()
        """Agents restored from an earlier run that have not been published yet."""
        self.entries = QueueEntries(pbx, {line.queue: line.id for line in lines})
        self._handlers: dict[type[e.PbxEvent], Callable[[Any], list[AnyFact]]] = {
            e.QueueCallerJoin: self._caller_joined,
            e.QueueCallerLeave: self._caller_left,
            e.QueueCallerAbandon: self.entries.abandoned,
            e.VarSet: self._variable,
            e.AgentConnect: self._connected,
            e.AgentComplete: self._completed,
            e.AgentRingNoAnswer: self._missed,
            e.Hangup: lambda event: self.entries.hung_up(
                event.at, event.uniqueid, local=event.channel.startswith("Local/")
            ),
        }

    def observe(self, event: e.PbxEvent) -> list[AnyFact]:
        """Return the queue and agent facts that follow from a call event; they precede the call's own."""
        handler = self._handlers.get(type(event))
        return handler(event) if handler else []

    def agent_of(self, member: str, interface: str) -> str:
        """Return the agent id behind an app_queue member, configured or not."""
        if member in self._phones.profiles:
            return member
        agent = self._phones.agent_of(interface)
        if agent is not None and member:
            self._names[member] = agent
        return agent or self._names.get(member) or member or interface

    def learn_names(self, snapshot: PbxSnapshot) -> None:
        """Learn whose a member's name is: the PBX's log knows members by name alone."""
        for queue in snapshot.queues:
            for one in queue.members:
                self.agent_of(one.member, one.interface)

    def is_agent(self, agent: str) -> bool:
        """Whether there is an agent of that id."""
        return agent in self._phones.profiles

    def agent_of_phone(self, phone: str) -> str | None:
        """Return the agent whose phone that device is."""
        return self._phones.agent_of(phone)

    @property
    def queues(self) -> dict[str, Queue]:
        """The queues by name."""
        return self._callers.queues

    # -- callers who wait ----------------------------------------------------------------------------
    def _caller_joined(self, event: e.QueueCallerJoin) -> list[AnyFact]:
        call_id = f"{self._pbx}-{event.linkedid or event.uniqueid}"
        return self.entries.entered(event.at, event.queue, event.uniqueid, call_id)

    def _caller_left(self, event: e.QueueCallerLeave) -> list[AnyFact]:
        self.entries.left(event.at, event.uniqueid)
        return []

    def _variable(self, event: e.VarSet) -> list[AnyFact]:
        return self.entries.status(event) if event.variable == "QUEUESTATUS" else []

    def moved(self, at: float, old: str, new: str, call_id: str, caller: str) -> list[AnyFact]:
        """The caller's channel takes the place of the one that waits in a queue, or talks from one."""
        facts = self.entries.moved(at, old, new, call_id)
        for name, queue in list(self.queues.items()):
            waiting = tuple(
                structs.replace(one, uniqueid=new, call_id=call_id, caller=caller)
                if one.uniqueid == old
                else one
                for one in queue.waiting
            )
            if waiting != queue.waiting:
                facts += self._callers.set_waiting(at, name, waiting)
        return facts

    def refused(self, at: float, queue: str, uniqueid: str, call_id: str, status: str) -> list[AnyFact]:
        """The queue did not let a caller in, for the reason in QUEUESTATUS."""
        return self.entries.refused(at, queue, uniqueid, call_id, status)

    # -- queue calls of an agent ----------------------------------------------------------------------
    def _connected(self, event: e.AgentConnect) -> list[AnyFact]:
        agent = self.agent_of(event.member, event.interface)
        seen = self._seen.get(agent, Seen())
        facts = self.entries.connected(event, agent)
        if seen.wrap_up_until or seen.missed:
            self._seen[agent] = state_machine.answered(seen)
        return facts

    def _completed(self, event: e.AgentComplete) -> list[AnyFact]:
        agent = self.agent_of(event.member, event.interface)
        facts = self.entries.completed(event, agent)
        line = self._lines.get(event.queue)
        if line is not None and facts:
            self._take(
                event.at,
                agent,
                state_machine.talk_over(agent, self._seen_of(agent), event.at, line.wrap_up_s),
            )
        return facts

    def _missed(self, event: e.AgentRingNoAnswer) -> list[AnyFact]:
        agent = self.agent_of(event.member, event.interface)
        self.entries.missed(event)
        self._take(
            event.at, agent, state_machine.rang_unanswered(agent, self._seen_of(agent), self._missed_limit)
        )
        return self._refresh(event.at, agent)

    # -- wrap-up -----------------------------------------------------------------------------------------
    def finish_wrap_up(self, at: float, agent: str) -> list[AnyFact] | None:
        """Finish the agent's wrap-up; return the resulting facts, or `None` if there is no wrap-up."""
        before = self._seen_of(agent)
        outcome = state_machine.finish_wrap_up(agent, before, at)
        if outcome is None:
            return None
        self._take(at, agent, outcome)
        return [*self._wrapped_up(at, agent, before), *self._refresh(at, agent)]

    def extend_wrap_up(self, at: float, agent: str, seconds: float) -> list[AnyFact] | None:
        """Extend wrap-up, up to the line's `wrap_up_max_s`; return facts as `finish_wrap_up` does."""
        entry = self.entries.wrapping(agent)
        line = self._lines.get(entry.queue) if entry else None
        most = line.wrap_up_max_s if line else 0.0
        outcome = state_machine.extend_wrap_up(agent, self._seen_of(agent), at, seconds, most)
        if outcome is None:
            return None
        self._take(at, agent, outcome)
        return self._refresh(at, agent)

    @property
    def next_due(self) -> float | None:
        """When `time_passed` should be called next, POSIX seconds."""
        times = [self._deadlines.next, self.entries.next_due]
        return min((time for time in times if time is not None), default=None)

    def time_passed(self, now: float) -> list[AnyFact]:
        """End whatever has expired; the cost depends only on what is due."""
        facts = self.entries.time_passed(now)
        for agent in self._deadlines.pop_due(now):
            before = self._seen_of(agent)
            self._take(now, agent, state_machine.time_passed(agent, before, now))
            facts += self._wrapped_up(now, agent, before)
            facts += self._refresh(now, agent)
        return facts

    def _wrapped_up(self, at: float, agent: str, before: Seen) -> list[AnyFact]:
        spent = elapsed(before.wrap_up_from, at)
        return self.entries.wrapped_up(at, agent, spent) if before.wrap_up_from else []

    def _take(self, at: float, agent: str, outcome: Outcome) -> None:
        self._seen[agent], effects = outcome
        self.effects += effects
        self._deadlines.set(agent, state_machine.due(self._seen[agent], at))

    # -- agents --------------------------------------------------------------------------------------
    def member(self, event: e.QueueMemberEvent) -> list[AnyFact]:
        """A membership was added, changed or removed."""
        agent = self.agent_of(event.member, event.interface)
        if isinstance(event, e.QueueMemberRemoved):
            changed = self._members.remove(agent, event.queue, event.interface)
        elif isinstance(event, e.QueueMemberPenalty | e.QueueMemberRingInUse):
            self._members.adjust(agent, event)
            changed = False
        else:
            changed = self._add_member(agent, event)
        facts = self._count_agents(event.at, event.queue) if changed else []
        before = self._seen_of(agent)
        self._sum_up(agent)
        if before.wrap_up_from and not self._seen[agent].wrap_up_from:
            facts += self._wrapped_up(event.at, agent, before)
        if self._seen[agent].wrap_up_until != before.wrap_up_until:
            self._deadlines.set(agent, state_machine.due(self._seen[agent], event.at))
        return facts + self._refresh(event.at, agent)

    def members_listed(self, event: e.QueueMembersListed) -> list[AnyFact]:
        """All memberships there are: after a reload of the queues, of which no event tells.

        Of those known already only the penalty is taken: an event may have overtaken the list.
        """
        known = self._members.all()
        listed = {
            (self.agent_of(one.member, one.interface), one.queue, one.interface) for one in event.members
        }
        gone = [
            e.QueueMemberRemoved(at=event.at, pbx=event.pbx, queue=queue, interface=interface, member=agent)
            for agent, queue, interface in known
            if (agent, queue, interface) not in listed
        ]
        changes: list[e.QueueMemberEvent] = []
        for one in event.members:
            key = (self.agent_of(one.member, one.interface), one.queue, one.interface)
            if key not in known:
                changes.append(one)
            elif known[key] != one.penalty:
                changes.append(
                    e.QueueMemberPenalty(
                        at=event.at,
                        pbx=event.pbx,
                        queue=one.queue,
                        interface=one.interface,
                        member=one.member,
                        penalty=one.penalty,
                    )
                )
        return [fact for one in (*gone, *changes) for fact in self.member(one)]

    def _add_member(self, agent: str, event: e.QueueMemberEvent) -> bool:
        # It may also be a second phone at which a configured agent has logged in.
        self._phones.met(agent, event.interface)
        return self._members.put(agent, event)

    def device(self, event: e.DeviceStateChange) -> list[AnyFact]:
        """A device state changed: a phone's, or the one that holds an agent's choice of phone."""
        if (who := chooser(event.device)) is not None:
            return self._chose(event.at, who, event.state == DESK_CHOSEN)
        agent = self._phones.agent_of(event.device)
        if agent is None:
            return []
        self._phones.changed(event.device, event.state)
        self._members.set_device(agent, event.device, event.state)
        if not self._phones.choosing(agent) or event.device == self._phones.chosen(agent):
            self._update(agent, device=event.state)
        self._sum_up(agent)
        return self._refresh(event.at, agent)

    def _chose(self, at: float, agent: str, desk: bool) -> list[AnyFact]:
        if not self._phones.choosing(agent):
            return []
        self._phones.choose(agent, desk)
        # The choice may also come from another gateway or by hand at the PBX, where nobody moves memberships.
        self.effects.append(FollowPhone(agent))
        self._update(agent, device=self._phones.state(self._phones.chosen(agent)))
        self._sum_up(agent)
        return self._refresh(at, agent)

    def phone(
        self,
        at: float,
        agent: str,
        *,
        call_id: str | None,
        ringing: bool = False,
        talking: bool = False,
        held: bool = False,
        direction: Direction | None = None,
    ) -> list[AnyFact]:
        """Set what the agent's phone is doing with a tracked call; `call_id=None` means nothing any more."""
        before = self._call_of.pop(agent, None)
        if before is not None:
            self._agents_of_call[before].discard(agent)
            if not self._agents_of_call[before]:
                del self._agents_of_call[before]
        if call_id is not None:
            self._call_of[agent] = call_id
            self._agents_of_call.setdefault(call_id, set()).add(agent)
        self._update(agent, ringing=ringing, talking=talking, held=held, direction=direction)
        return self._refresh(at, agent)

    def release(self, at: float, call_id: str) -> list[AnyFact]:
        """Detach all phones from a call that is over."""
        return [
            fact
            for agent in sorted(self._agents_of_call.get(call_id, ()))
            for fact in self.phone(at, agent, call_id=None)
        ]

    def interfaces(self, agent: str) -> tuple[str, ...]:
        """Return the phones with which the agent is logged in."""
        return self._members.interfaces(agent)

    def _seen_of(self, agent: str) -> Seen:
        return self._seen.get(agent) or Seen()

    def _update(self, agent: str, **changes: object) -> None:
        self._seen[agent] = structs.replace(self._seen_of(agent), **changes)

    def _count_agents(self, at: float, queue: str) -> list[AnyFact]:
        return self._callers.set_agents(at, queue, self._members.serving(queue))

    def _sum_up(self, agent: str) -> None:
        """Let all memberships of the agent count together."""
        seen, summary = self._seen_of(agent), self._members.summary(agent)
        self._seen[agent] = state_machine.membership(
            seen,
            logged_in=summary.logged_in,
            paused=summary.paused,
            reason=summary.reason,
            device=seen.device if summary.device == "UNKNOWN" else summary.device,
        )

    def _refresh(self, at: float, agent: str) -> list[AnyFact]:
        seen = self._seen_of(agent)
        phones = self.interfaces(agent)
        chosen = self._phones.chosen(agent)
        before = self.agents.get(agent)
        state = state_of(seen, at)
        after = AgentStatus(
            id=agent,
            name=self._phones.profile(agent).name,
            phone=phones[0] if phones and chosen not in phones else chosen,
            state=state,
            since=before.since if before and before.state is state else at,
            reason="" if state_machine.in_wrap_up_pause(seen) else seen.reason,
            call_id=self._call_of.get(agent),
            queues=self._members.queues(agent),
            penalties=self._members.penalties(agent),
            ring_in_use=self._members.ring_in_use(agent),
            direction=seen.direction,
            wrap_up_until=seen.wrap_up_until or None,
            missed=seen.missed,
            pbx=self._pbx,
            phones=phones,
            kind=self._phones.kind(agent),
            desk_reachable=self._phones.desk_reachable(agent),
        )
        if after == before and agent not in self._untold:
            return []
        self._untold.discard(agent)
        self.agents[agent] = after
        return [AgentChanged(at=at, agent=after)]

    def shift(self, at: float, by: float) -> list[AnyFact]:
        """Our clock was set by so many seconds while nothing went on: the agents' states began then."""
        self.agents = {
            agent: structs.replace(status, since=status.since + by) for agent, status in self.agents.items()
        }
        return [AgentChanged(at=at, agent=status) for status in self.agents.values()]

    # -- restore and resync ---------------------------------------------------------------------------
    def restore(
        self,
        agents: Iterable[AgentStatus],
        entries: Iterable[QueueEntry],
        wrapping: Iterable[QueueEntry] = (),
    ) -> None:
        """Restore what an earlier run knew; `resync` then reconciles it with the PBX."""
        for status in agents:
            self.agents[status.id] = status
            self._untold.add(status.id)
            self._phones.choose(status.id, status.kind is PhoneKind.DESK)
            until = status.wrap_up_until or 0.0
            started = status.since if status.state is AgentState.WRAP_UP else until
            self._seen[status.id] = Seen(wrap_up_until=until, wrap_up_from=started, missed=status.missed)
        self.entries.restore(entries, wrapping)

    def resync(self, snapshot: PbxSnapshot, call_of_channel: dict[str, str]) -> list[AnyFact]:
        """Replace queues and memberships by the snapshot's; `call_of_channel` maps unique id → call id."""
        self._members.clear()
        self._call_of.clear()
        self._agents_of_call.clear()
        self._deadlines.clear()
        self._phones.relearn(snapshot.device_states)
        for queue in snapshot.queues:
            for member in queue.members:
                agent = self.agent_of(member.member, member.interface)
                self._add_member(agent, member)
        entries = {
            entry.uniqueid: (queue.queue, snapshot.at - entry.wait, call_of_channel.get(entry.uniqueid, ""))
            for queue in snapshot.queues
            for entry in queue.entries
        }
        channels = frozenset(row.uniqueid for row in snapshot.channels)
        facts = self.entries.resync(snapshot.at, entries, channels)
        rows = {queue.queue: queue.entries for queue in snapshot.queues}
        for name in sorted({*self.queues, *rows}):
            facts += self._count_agents(snapshot.at, name)
            waiting = tuple(
                Waiting(
                    call_id=call_of_channel.get(entry.uniqueid, ""),
                    uniqueid=entry.uniqueid,
                    position=entry.position,
                    since=snapshot.at - entry.wait,
                    caller=entry.caller_number,
                )
                for entry in rows.get(name, ())
            )
            facts += self._callers.set_waiting(snapshot.at, name, waiting)
        for agent in dict.fromkeys([*self._phones.profiles, *self._seen]):
            facts += self._rejoin(snapshot, agent)
        return facts

    def _rejoin(self, snapshot: PbxSnapshot, agent: str) -> list[AnyFact]:
        before = self._seen_of(agent)
        device = snapshot.device_states.get(self._phones.chosen(agent), "UNKNOWN")
        self._seen[agent] = Seen(device=device)
        self._sum_up(agent)
        self._take(snapshot.at, agent, state_machine.rejoined(agent, self._seen[agent], before, snapshot.at))
        facts = []
        if before.wrap_up_from and not self._seen[agent].wrap_up_from:
            # It ended while the gateway was away, on time or earlier.
            facts = self._wrapped_up(min(snapshot.at, before.wrap_up_until), agent, before)
        if state_machine.in_wrap_up_pause(self._seen[agent]):
            # It may already have expired.
            goes_on = state_machine.wraps_up(self._seen[agent], snapshot.at)
            self._deadlines.set(agent, self._seen[agent].wrap_up_until if goes_on else snapshot.at)
        if self._phones.choosing(agent):
            # A switch of phones may have been interrupted, or a phone was added to the configuration.
            self.effects.append(FollowPhone(agent))
        return facts + self._refresh(snapshot.at, agent)
