"""Memberships of agents in queues, indexed by agent: their number does not matter to an event. Pure."""

from msgspec import Struct, structs

from agents.state_machine import DEVICE_BY_STATUS
from domain.pbx import events as e

_IDLE = frozenset({"UNKNOWN", "NOT_INUSE"})


class Member(Struct, frozen=True):
    """An agent's membership in one queue with one interface."""

    paused: bool
    reason: str
    device: str
    penalty: int = 0


class Summary(Struct, frozen=True):
    """All memberships of one agent together: paused only if paused in every queue."""

    logged_in: bool
    paused: bool
    reason: str
    device: str
    """`UNKNOWN`: no membership knows it."""


class Memberships:
    """Who is a member of which queue, by which interface."""

    def __init__(self) -> None:
        self._of: dict[str, dict[tuple[str, str], Member]] = {}
        """Agent → (queue, interface) → membership."""
        self._ring_in_use: dict[tuple[str, str, str], bool] = {}
        """(agent, queue, interface) → whether it is rung while talking, where told. Survives a resync."""
        self._serving: dict[str, set[str]] = {}
        """Queue → the agents logged in to it."""

    def put(self, agent: str, event: e.QueueMemberEvent) -> bool:
        """Add or change a membership; whether it is a new one."""
        device = DEVICE_BY_STATUS.get(event.status, "UNKNOWN")
        mine = self._of.setdefault(agent, {})
        key = (event.queue, event.interface)
        new = key not in mine
        mine[key] = Member(event.paused, event.paused_reason, device, event.penalty)
        if event.ring_in_use is not None:
            self._ring_in_use[agent, *key] = event.ring_in_use
        self._serving.setdefault(event.queue, set()).add(agent)
        return new

    def adjust(self, agent: str, event: e.QueueMemberPenalty | e.QueueMemberRingInUse) -> None:
        """Change one setting of a membership; its event may name nothing else."""
        key = (event.queue, event.interface)
        member = self._of.get(agent, {}).get(key)
        if member is None:
            return
        if isinstance(event, e.QueueMemberPenalty):
            self._of[agent][key] = structs.replace(member, penalty=event.penalty)
        elif event.ring_in_use is not None:
            self._ring_in_use[agent, *key] = event.ring_in_use

    def remove(self, agent: str, queue: str, interface: str) -> bool:
        """Remove a membership; whether there was one."""
        self._ring_in_use.pop((agent, queue, interface), None)
        gone = self._of.get(agent, {}).pop((queue, interface), None) is not None
        if queue not in self.queues(agent):
            self._serving.get(queue, set()).discard(agent)
        return gone

    def set_device(self, agent: str, interface: str, device: str) -> None:
        """The device of that interface changed; app_queue reports it a moment later, once for each queue."""
        mine = self._of.get(agent, {})
        for key, member in mine.items():
            if key[1] == interface and member.device != "UNKNOWN":
                mine[key] = structs.replace(member, device=device)

    def queues(self, agent: str) -> tuple[str, ...]:
        """The queues the agent is logged in to, by name."""
        return tuple(sorted({queue for queue, _ in self._of.get(agent, {})}))

    def all(self) -> dict[tuple[str, str, str], int]:
        """Every membership, as (agent, queue, interface), and its penalty."""
        return {(agent, *key): one.penalty for agent, mine in self._of.items() for key, one in mine.items()}

    def penalties(self, agent: str) -> dict[str, int]:
        """The agent's penalty in each queue: the least of several phones."""
        found: dict[str, int] = {}
        for (queue, _), member in sorted(self._of.get(agent, {}).items()):
            found[queue] = min(member.penalty, found.get(queue, member.penalty))
        return found

    def ring_in_use(self, agent: str) -> tuple[str, ...]:
        """The queues that ring the agent also while talking, as far as the PBX has told."""
        mine = self._of.get(agent, {})
        return tuple(sorted({key[0] for key in mine if self._ring_in_use.get((agent, *key))}))

    def interfaces(self, agent: str) -> tuple[str, ...]:
        """The phones with which the agent is logged in."""
        return tuple(sorted({interface for _, interface in self._of.get(agent, {})}))

    def serving(self, queue: str) -> int:
        """How many agents are logged in to the queue."""
        return len(self._serving.get(queue, ()))

    def summary(self, agent: str) -> Summary:
        """All memberships of the agent together."""
        members = self._of.get(agent, {}).values()
        paused = bool(members) and all(member.paused for member in members)
        busy = next((one.device for one in members if one.device not in _IDLE), None)
        device = busy or next((one.device for one in members if one.device != "UNKNOWN"), "UNKNOWN")
        reason = next((one.reason for one in members if one.paused), "") if paused else ""
        return Summary(bool(members), paused, reason, device)

    def clear(self) -> None:
        """Forget all memberships, before a resync."""
        self._of.clear()
        self._serving.clear()
