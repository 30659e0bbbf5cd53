"""The registry of one PBX's live calls and channels: which channel belongs to which call. Pure.

All changes go through here.

Calls are found by Linkedid, but Linkedid can mislead: it names the oldest channel among all that were ever
bridged, which after a transfer may belong to a consultation rather than to the caller. When two calls come
together they are merged: the caller's survives (`survivor`) and the other's Linkedid becomes an alias of it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import structs

from agents.queues.state import QueueState
from domain import facts as f
from domain.calls import Call, CallState, Direction, EndReason, Leg, Party, Side
from domain.facts import AnyFact
from domain.lines import Line
from domain.pbx.events import ChannelEvent
from gateway.calls.channels import Channel, other_half, phone_of


class _Phone(NamedTuple):
    """What the queue state was last told about an agent's phone."""

    call_id: str | None = None
    ringing: bool = False
    talking: bool = False
    held: bool = False
    direction: Direction | None = None


_NOTHING = _Phone()
MAX_LEGS = 64
"""Beyond this number of legs a call drops the oldest ones that ended unanswered."""
_RANK = {Direction.INBOUND: 0, Direction.OUTBOUND: 1, Direction.INTERNAL: 2}


def survivor(one: Call, other: Call) -> tuple[Call, Call]:
    """Return (the call that continues, the one merged into it): inbound calls first, then the older one."""
    first, second = sorted((one, other), key=lambda call: (_rank(call), call.started_at, call.id))
    return first, second


def _rank(call: Call) -> int:
    """What an agent dialled is outgoing only once somebody else is in it; before, it may be a pick-up."""
    alone = call.direction is Direction.OUTBOUND and len(call.legs) < 2
    return len(_RANK) if alone else _RANK[call.direction]


class CallRegistry:
    """Calls by id, channels by unique id, and their relations. Facts are collected with `tell`."""

    def __init__(self, pbx: str, queue_state: QueueState, lines: Sequence[Line]) -> None:
        self.pbx = pbx
        self.queue_state = queue_state
        self.lines = {line.id: line for line in lines}
        self.line_of_queue = {line.queue: line.id for line in lines}
        self.line_of_number = {number: line.id for line in lines for number in line.numbers}
        self.calls: dict[str, Call] = {}
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, dict[str, None]] = {}
        """Channels in each bridge whose parties hear each other, in order of entry."""
        self._members: dict[str, dict[str, None]] = {}
        self._call_of_linkedid: dict[str, str] = {}
        self._linkedids: dict[str, list[str]] = {}
        self._phones: dict[str, dict[str, None]] = {}
        self._shown: dict[str, _Phone] = {}
        self._facts: list[AnyFact] = []
        self.reports_hangups = False
        """Whether this PBX says which party hangs up (HangupRequest)."""

    # -- facts ---------------------------------------------------------------------------------------------
    def tell(self, *facts: AnyFact) -> None:
        """Add facts that follow from the event being processed."""
        self._facts += facts

    def take(self) -> list[AnyFact]:
        """Return and clear the facts collected so far."""
        facts, self._facts = self._facts, []
        return facts

    def told(self, call: Call) -> bool:
        """Whether the facts collected so far already carry this state of the call."""
        return any(getattr(fact, "call", None) == call for fact in self._facts)

    # -- finding -------------------------------------------------------------------------------------------
    def call_id(self, linkedid: str) -> str:
        """Return the id of the call with that Linkedid, live or new."""
        return self._call_of_linkedid.get(linkedid) or f"{self.pbx}-{linkedid}"

    def call_of(self, uniqueid: str) -> Call | None:
        """Return the live call of a channel."""
        channel = self.channels.get(uniqueid)
        return self.calls.get(channel.call_id) if channel else None

    def call(self, event: ChannelEvent) -> Call | None:
        """Return the live call of an event's channel; merges calls if a bridge changed its Linkedid."""
        channel = self.channels.get(event.uniqueid)
        if channel is None:
            return None
        call = self.calls.get(channel.call_id)
        if event.linkedid and event.linkedid != channel.linkedid and call is not None:
            channel.linkedid = event.linkedid
            other = self.calls.get(self.call_id(event.linkedid))
            if other is None:
                self.alias(event.linkedid, call.id)
            elif other.id != call.id:
                call = self.merge(event.at, call, other)
        return call

    def channels_of(self, call: Call | None) -> list[Channel]:
        """Return the live channels of a call, oldest first; none if there is no call."""
        return self.members(call.id) if call is not None else []

    def members(self, call_id: str) -> list[Channel]:
        """Return the live channels of a call, oldest first."""
        return [self.channels[uniqueid] for uniqueid in self._members.get(call_id, ())]

    def phones(self, agent: str) -> list[Channel]:
        """Return the live channels of an agent's phones."""
        return [self.channels[uniqueid] for uniqueid in self._phones.get(agent, ())]

    def agent_of(self, name: str) -> str | None:
        """Return the agent a channel of that name belongs to; `None` after a masquerade (`…<ZOMBIE>`)."""
        if name.endswith(">"):
            return None
        return self.queue_state.agent_of_phone(phone_of(name))

    def agent_of_member(self, name: str) -> str | None:
        """Return the agent of a queue member of that name, or of that interface."""
        return self.queue_state.agent_of(name, name) if name else None

    def telephone(self, channel: Channel) -> Channel:
        """Return the phone that answered behind a Local channel, else the channel itself."""
        seen: set[str] = set()
        while channel.pair is not None and channel.uniqueid not in seen:
            seen.add(channel.uniqueid)
            answered = [
                one
                for one in self.members(channel.call_id)
                if one.parent == channel.pair and one.state == "Up"
            ]
            if not answered:
                break
            channel = answered[-1]
        return channel

    def behind(self, half: Channel) -> list[Channel]:
        """Return the Local channels through which half of one was dialled, itself first.

        Up to whoever dialled them, if anybody did: Originate has no dialling channel.
        """
        found: list[Channel] = []
        one: Channel | None = half
        while one is not None and one.local and one not in found:
            found.append(one)
            twin = self.channels.get(one.pair or "")
            if twin is None or twin in found:
                break
            found.append(twin)
            one = self.channels.get(twin.parent or "")
        return found

    def party(self, uniqueid: str) -> str:
        """Return how a channel's party is named in a call's history: agent id, else number, else device."""
        channel = self.channels.get(uniqueid)
        if channel is None:
            return ""
        channel = self.telephone(channel)
        return channel.agent or channel.number or phone_of(channel.name)

    # -- changing calls ------------------------------------------------------------------------------------
    def keep(self, call: Call) -> Call:
        """Store the call's current state."""
        self.calls[call.id] = call
        return call

    def change(self, call: Call, **changes: Any) -> Call:
        """Replace fields of a call."""
        return self.keep(structs.replace(call, **changes))

    def set_leg(self, call: Call, uniqueid: str, **changes: Any) -> Call:
        """Replace fields of the call's leg on that channel, if there is one."""
        for index, leg in enumerate(call.legs):
            if leg.uniqueid == uniqueid:
                after = structs.replace(leg, **changes)
                if after == leg:
                    return call
                return self.change(call, legs=(*call.legs[:index], after, *call.legs[index + 1 :]))
        return call

    def begin(self, call: Call) -> Call:
        """Add a new call."""
        self.alias(call.linkedid, call.id)
        self._members.setdefault(call.id, {})
        return self.keep(call)

    def alias(self, linkedid: str, call_id: str) -> None:
        """Make channels with that Linkedid belong to that call."""
        self._call_of_linkedid[linkedid] = call_id
        self._linkedids.setdefault(call_id, []).append(linkedid)

    def forget(self, call_id: str) -> None:
        """Remove a call that is over."""
        self.calls.pop(call_id, None)
        self._members.pop(call_id, None)
        for linkedid in self._linkedids.pop(call_id, ()):
            if self._call_of_linkedid.get(linkedid) == call_id:
                del self._call_of_linkedid[linkedid]

    def clear(self) -> None:
        """Remove everything, before a resync."""
        self.calls.clear()
        self.channels.clear()
        self.bridges.clear()
        for relation in (self._members, self._call_of_linkedid, self._linkedids, self._phones, self._shown):
            relation.clear()

    # -- changing channels ---------------------------------------------------------------------------------
    def add(self, channel: Channel) -> None:
        """Add a channel to the call it names."""
        self.channels[channel.uniqueid] = channel
        self._members.setdefault(channel.call_id, {})[channel.uniqueid] = None
        self.set_agent(channel, channel.agent or self.agent_of(channel.name))
        twin = other_channel(self, channel)
        if twin is not None:
            channel.pair, twin.pair = twin.uniqueid, channel.uniqueid

    def remove(self, channel: Channel) -> None:
        """Remove a channel."""
        self.channels.pop(channel.uniqueid, None)
        self._members.get(channel.call_id, {}).pop(channel.uniqueid, None)
        self._phones.get(channel.agent or "", {}).pop(channel.uniqueid, None)
        self.set_bridge(channel, None)

    def set_agent(self, channel: Channel, agent: str | None) -> None:
        """Set whose phone the channel is."""
        if channel.agent is not None and channel.agent != agent:
            self._phones.get(channel.agent, {}).pop(channel.uniqueid, None)
        channel.agent = agent
        if agent is not None:
            self._phones.setdefault(agent, {})[channel.uniqueid] = None

    def set_bridge(self, channel: Channel, bridge: str | None) -> None:
        """Set the bridge the channel talks in, if any."""
        if channel.bridge is not None and channel.bridge != bridge:
            members = self.bridges.get(channel.bridge, {})
            members.pop(channel.uniqueid, None)
            if not members:
                self.bridges.pop(channel.bridge, None)
        channel.bridge = bridge
        if bridge is not None:
            self.bridges.setdefault(bridge, {})[channel.uniqueid] = None

    def parties(self, channel: Channel) -> list[Channel]:
        """Return the telephones that hear each other, including this one.

        Local channels that merely connect two bridges are followed but not returned.
        """
        if channel.bridge is None:
            return []
        found: list[Channel] = []
        seen, bridges = {channel.bridge}, [channel.bridge]
        while bridges:
            for uniqueid in self.bridges.get(bridges.pop(), ()):
                one = self.channels[uniqueid]
                twin = self.channels.get(one.pair or "")
                if twin is not None and twin.bridge is not None:
                    if twin.bridge not in seen:
                        seen.add(twin.bridge)
                        bridges.append(twin.bridge)
                else:
                    # If the other half of a Local channel is in no bridge, this half stands for a party.
                    found.append(one)
        return found

    def hears(self, channel: Channel) -> bool:
        """Whether another telephone hears that channel."""
        return any(one is not channel and not one.local for one in self.parties(channel))

    # -- legs ----------------------------------------------------------------------------------------------
    def leg(self, channel: Channel, side: Side) -> Leg:
        """Build the leg of a channel."""
        return Leg(
            uniqueid=channel.uniqueid,
            channel=channel.name,
            side=side,
            party=Party(channel.caller_number, channel.caller_name),
            created_at=channel.created_at,
            agent=channel.agent,
            ringing_at=channel.ringing_at,
            answered_at=channel.created_at if channel.state == "Up" else None,
            bridge=channel.bridge,
        )

    def side_for(self, call: Call, agent: str | None) -> Side:
        """Return the side of another leg: the first outside party is the caller, whoever called whom."""
        has_caller = any(leg.side is Side.CALLER for leg in call.legs)
        return Side.AGENT if agent is not None or has_caller else Side.CALLER

    def add_leg(self, call: Call, channel: Channel) -> Call:
        """Add a leg for one of the call's channels."""
        if call.leg(channel.uniqueid) is not None:
            return call
        legs = call.legs
        if len(legs) >= MAX_LEGS:
            # A long wait rings many phones: drop the oldest leg that ended unanswered.
            old = next((leg for leg in legs if leg.ended_at is not None and leg.answered_at is None), None)
            legs = tuple(leg for leg in legs if leg is not old)
        leg = self.leg(channel, self.side_for(call, channel.agent))
        return self.classify(self.change(call, legs=(*legs, leg)))

    def drop_leg(self, call: Call, uniqueid: str) -> Call:
        """Remove a leg whose channel turned out to be plumbing."""
        legs = tuple(leg for leg in call.legs if leg.uniqueid != uniqueid)
        return self.change(call, legs=legs) if len(legs) != len(call.legs) else call

    def classify(self, call: Call) -> Call:
        """Set the direction of a call begun by an agent: outbound once somebody outside is in it."""
        if call.direction is Direction.INBOUND or call.monitors is not None or not call.legs:
            return call
        outside = any(leg.agent is None and not leg.channel.startswith("Local/") for leg in call.legs)
        internal = call.queue is not None or (not outside and any(leg.agent for leg in call.legs[1:]))
        if internal is (call.direction is Direction.INTERNAL) or (outside and call.talking):
            return call
        first = call.legs[0]
        legs, caller = call.legs, call.caller
        if first.agent is not None:
            side = Side.CALLER if internal else Side.AGENT
            legs = (structs.replace(first, side=side), *legs[1:])
            # Outside the number that is shown is the hotline's; a colleague is shown who really calls.
            caller = first.party if internal and first.party.number else caller
        direction = Direction.INTERNAL if internal else Direction.OUTBOUND
        return self.change(call, direction=direction, legs=legs, caller=caller)

    # -- two calls become one ------------------------------------------------------------------------------
    def merge(self, at: float, one: Call, other: Call, *, kept: Call | None = None) -> Call:
        """Merge two calls and return the one that continues: `kept`, else the `survivor`.

        The other ends as `merged` after handing over its live channels. A channel has one leg: if events out
        of order left two, the moved one is kept.
        """
        winner, loser = survivor(one, other)
        if kept is not None and kept.id == loser.id:
            winner, loser = loser, winner
        moving = self.members(loser.id)
        live = {channel.uniqueid for channel in moving}
        moved = tuple(
            structs.replace(leg, side=Side.AGENT if leg.agent else self.side_for(winner, None))
            for leg in loser.legs
            if leg.uniqueid in live and leg.ended_at is None
        )
        anew = {leg.uniqueid for leg in moved}
        for channel in moving:
            channel.call_id = winner.id
            self._members.setdefault(winner.id, {})[channel.uniqueid] = None
        for linkedid in self._linkedids.get(loser.id, []):
            self.alias(linkedid, winner.id)
        winner = self.change(
            winner,
            legs=(*(leg for leg in winner.legs if leg.uniqueid not in anew), *moved),
            transfers=tuple(sorted((*winner.transfers, *loser.transfers), key=lambda step: step.at)),
        )
        ended = closed(loser, at)
        ended = structs.replace(ended, end_reason=EndReason.MERGED, merged_into=winner.id)
        self.forget(loser.id)
        self.tell(f.CallEnded(at=at, call=ended), f.CallsMerged(at=at, call=winner, merged=loser.id))
        for agent in {channel.agent for channel in moving if channel.agent}:
            self.show(at, agent)
        return winner

    # -- agents' phones ------------------------------------------------------------------------------------
    def show(self, at: float, agent: str | None) -> None:
        """Tell the queue state what an agent's phone is doing, judged by its most important channel."""
        if agent is None:
            return
        best: tuple[int, Call] | None = None
        for channel in self.phones(agent):
            call = self.calls.get(channel.call_id)
            weight = self._weight(channel, call)
            if call is not None and weight and (best is None or weight > best[0]):
                best = (weight, call)
        shown = _NOTHING
        if best is not None:
            weight, call = best
            shown = _Phone(call.id, weight == 1, weight > 1, weight == 2, call.direction)
        if self._shown.get(agent, _NOTHING) == shown:
            return
        self._shown[agent] = shown
        self.tell(
            *self.queue_state.phone(
                at,
                agent,
                call_id=shown.call_id,
                ringing=shown.ringing,
                talking=shown.talking,
                held=shown.held,
                direction=shown.direction,
            )
        )

    @staticmethod
    def _weight(channel: Channel, call: Call | None) -> int:
        """Rank a channel: 3 talking, 2 on hold, 1 ringing, 0 nothing."""
        if channel.recovering:
            return 0
        if channel.ringing:
            return 1
        if channel.state not in ("Up", "Ring") or call is None:
            conversations = call.conversations if call else ()
            if not any(talk.channel == channel.name and talk.ended_at is None for talk in conversations):
                return 0
        assert call is not None
        leg = call.leg(channel.uniqueid)
        if leg is None:
            return 0
        return 2 if leg.held or (call.state is CallState.HELD and channel.bridge is not None) else 3


def other_channel(registry: CallRegistry, channel: Channel) -> Channel | None:
    """Return the other half of a Local channel, if present; both halves are in the same call."""
    name = other_half(channel.name)
    if not name:
        return None
    return next((one for one in registry.members(channel.call_id) if one.name == name), None)


def closed(call: Call, at: float) -> Call:
    """Return the call ended at `at`, with everything still open in it ended too."""

    def over(items: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(structs.replace(one, ended_at=at) if one.ended_at is None else one for one in items)

    conferences = tuple(
        structs.replace(
            one,
            ended_at=at,
            members=tuple(
                structs.replace(member, left_at=at) if member.left_at is None else member
                for member in one.members
            ),
        )
        if one.ended_at is None
        else one
        for one in call.conferences
    )
    return structs.replace(
        call,
        state=CallState.ENDED,
        ended_at=at,
        legs=tuple(
            structs.replace(leg, ended_at=at, bridge=None) if leg.ended_at is None else leg
            for leg in call.legs
        ),
        conversations=over(call.conversations),
        holds=over(call.holds),
        recordings=over(call.recordings),
        conferences=conferences,
    )
