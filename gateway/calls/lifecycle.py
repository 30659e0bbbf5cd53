"""Channels come and go, and calls begin and end with them. Pure."""

from msgspec import structs

from domain import facts as f
from domain.calls import Call, CallState, Direction, EndReason, Party, Side, TransferType
from domain.pbx import events as e
from gateway.calls.caller_side import CallerSide
from gateway.calls.channels import TAKE_BACK, Channel, is_listener
from gateway.calls.conversations import Conversations
from gateway.calls.hangups import ended
from gateway.calls.queueing import Queueing
from gateway.calls.registry import CallRegistry, closed

HANDED_OVER = frozenset(
    {TransferType.BLIND, TransferType.ATTENDED, TransferType.BLONDE, TransferType.FORWARD}
)
NORMAL_CLEARING = 16
"""Q.850 cause of an ordinary hang-up."""


class Lifecycle:
    """Handles events about channels appearing, changing and disappearing."""

    def __init__(self, registry: CallRegistry, conversations: Conversations, queueing: Queueing) -> None:
        self._registry = registry
        self._queueing = queueing
        self._conversations = conversations
        self._caller_side = CallerSide(registry, conversations)

    def on_new_channel(self, event: e.NewChannel) -> None:
        """A channel appears: another leg of a call, or a new call."""
        registry = self._registry
        if event.uniqueid in registry.channels or is_listener(event.channel):
            return
        linkedid = event.linkedid or event.uniqueid
        home = registry.call_id(linkedid)
        if event.exten == TAKE_BACK and (agent := registry.agent_of(event.channel)) is not None:
            mine = [one for one in registry.phones(agent) if one.state == "Up"]
            if not mine:
                return  # too late: the call is over and the PBX refuses
            if len(mine) == 1:
                home = mine[0].call_id
        channel = Channel(
            uniqueid=event.uniqueid,
            linkedid=linkedid,
            name=event.channel,
            state=event.state,
            created_at=event.at,
            call_id=home,
            caller_number=event.caller_number,
            caller_name=event.caller_name,
            exten=event.exten,
        )
        call = registry.calls.get(channel.call_id)
        registry.add(channel)
        if call is None:
            call = self.begin(event.at, channel)
            registry.tell(f.CallStarted(at=event.at, call=call))
        elif not channel.local or (channel.agent is not None and channel.name.endswith(";1")):
            # Halves of Local channels are plumbing, unless one is an agent's phone.
            registry.add_leg(call, channel)
        registry.show(event.at, channel.agent)

    def begin(self, at: float, channel: Channel) -> Call:
        """Begin a call with that channel as its first leg."""
        registry = self._registry
        agent = channel.agent
        called = "" if channel.exten == "s" else channel.exten
        return registry.begin(
            Call(
                id=channel.call_id,
                pbx=registry.pbx,
                linkedid=channel.linkedid,
                direction=Direction.OUTBOUND if agent else Direction.INBOUND,
                state=CallState.IVR,
                caller=Party(channel.caller_number, channel.caller_name),
                called=called,
                started_at=at,
                line=registry.line_of_number.get(channel.exten) if agent is None else None,
                agent=agent,
                legs=(registry.leg(channel, Side.AGENT if agent else Side.CALLER),),
                consults=self._consulted(channel),
            )
        )

    def _consulted(self, channel: Channel) -> str | None:
        """Return the id of the call that the same agent keeps on hold meanwhile, if any."""
        for other in self._registry.phones(channel.agent or ""):
            call = self._registry.calls.get(other.call_id)
            leg = call.leg(other.uniqueid) if call is not None else None
            if call is not None and leg is not None and leg.held and call.id != channel.call_id:
                return call.id
        return None

    def on_new_state(self, event: e.NewState) -> None:
        """A channel changes state: it rings, is answered …"""
        channel = self._registry.channels.get(event.uniqueid)
        call = self._registry.call(event)
        if channel is None or call is None:
            return
        channel.state = event.state
        channel.caller_number = event.caller_number or channel.caller_number
        if event.state == "Up":
            channel.ringing = False
            leg = call.leg(event.uniqueid)
            if leg is not None and leg.answered_at is None:
                self._registry.set_leg(call, event.uniqueid, answered_at=event.at)
            self._registry.show(event.at, channel.agent)

    def on_new_caller_id(self, event: e.NewCallerId) -> None:
        """A channel's number or name became known."""
        call = self._registry.call(event)
        if call is None:
            return
        spoke = call.direction is Direction.INBOUND and call.answered_at is not None
        if spoke and (first := call.caller_leg) is not None and first.uniqueid == event.uniqueid:
            return  # the dialplan changed the caller ID of a caller sent outside; it is not who called
        party = Party(event.caller_number, event.caller_name)
        channel = self._registry.channels[event.uniqueid]
        channel.caller_number, channel.caller_name = party.number, party.name
        call = self._registry.set_leg(call, event.uniqueid, party=party)
        leg = call.caller_leg
        if leg is None or leg.uniqueid != event.uniqueid or call.caller == party:
            return
        call = self._registry.change(call, caller=party)
        self._registry.tell(f.CallUpdated(at=event.at, call=call, what="caller"))

    def on_rename(self, event: e.Rename) -> None:
        """A channel was renamed: a masquerade put another telephone behind it."""
        registry = self._registry
        channel = registry.channels.get(event.uniqueid)
        if channel is None:
            return
        before, channel.name = channel.name, event.new_name
        was, agent = channel.agent, registry.agent_of(event.new_name)
        if agent is not None or not channel.local:
            registry.set_agent(channel, agent)
        call = registry.calls.get(channel.call_id)
        if call is None:
            return
        call = registry.set_leg(call, event.uniqueid, channel=event.new_name, agent=channel.agent)
        conversations = tuple(
            structs.replace(talk, channel=event.new_name, agent=channel.agent)
            if talk.channel == before and talk.ended_at is None
            else talk
            for talk in call.conversations
        )
        recordings = tuple(
            structs.replace(one, channel=event.new_name) if one.channel == before else one
            for one in call.recordings
        )
        call = registry.change(call, conversations=conversations, recordings=recordings)
        registry.tell(f.CallUpdated(at=event.at, call=call, what="channel"))
        for one in {was, channel.agent}:
            registry.show(event.at, one)

    def on_hangup(self, event: e.Hangup) -> None:
        """A channel is gone; the call ends with its last channel."""
        registry = self._registry
        call = registry.call(event)
        channel = registry.channels.get(event.uniqueid)
        if channel is None or call is None:
            return
        if channel.queue:
            registry.tell(*registry.queue_state.leave(event.at, channel.queue, channel.uniqueid))
        bridge = channel.bridge
        ringing = channel.ringing
        registry.remove(channel)
        call = self._conversations.set_held(event.at, call, channel.uniqueid, False)
        call = registry.set_leg(call, channel.uniqueid, ended_at=event.at, cause=event.cause, bridge=None)
        call = self._conversations.end_conversation(event.at, call, channel.name)
        if bridge is not None:
            self._conversations.conferences.left(event.at, call)
            call = registry.calls[call.id]
        if registry.members(call.id):
            call = self._caller_side.left(event.at, call, call.leg(channel.uniqueid))
        registry.show(event.at, channel.agent)
        if not registry.members(call.id):
            call = self._internal_in_vain(call)
            self.end(event.at, call, self._reason(call, event.cause))
        elif (
            not ringing and not channel.abandoned and any(not one.local for one in registry.members(call.id))
        ):
            self._queueing.left_waiting(event.at, self._conversations.refresh(call))
        if bridge is not None:
            self._conversations.succeed(event.at, channel, bridge)
        # When a consulted colleague or unit hangs up or is dropped, no other fact reports it.
        after = registry.calls.get(call.id)
        leg = after.leg(channel.uniqueid) if after is not None else None
        if after is not None and leg is not None and leg.answered_at is not None and not registry.told(after):
            registry.tell(f.CallUpdated(at=event.at, call=after, what="left"))

    def _internal_in_vain(self, call: Call) -> Call:
        """Tell a colleague whose phone is not there: no channel ever told that the call was internal."""
        alone = call.direction is Direction.OUTBOUND and len(call.legs) == 1 and not call.conversations
        if alone and self._registry.queue_state.is_agent(call.called):
            return self._registry.change(call, direction=Direction.INTERNAL)
        return call

    def _lost_in_transfer(self, call: Call) -> bool:
        """Whether the caller was handed over to a phone that did not answer, and talked with nobody else."""
        last = call.transfers[-1] if call.transfers else None
        if last is None or last.result != "success" or last.transfer_type not in HANDED_OVER:
            return False
        ends = [(talk, talk.ended_at or talk.started_at) for talk in call.conversations]
        if not ends or any(
            talk.started_at >= last.at or (end > last.at and (talk.agent or talk.party) != last.origin)
            for talk, end in ends
        ):
            return False
        spoke = max(end for _, end in ends)
        rang = any(
            leg.side is Side.AGENT and leg.answered_at is None and (leg.ended_at or spoke) >= spoke
            for leg in call.legs
        )
        # Where the phone is not even there, no channel tells of it.
        return rang or self._registry.queue_state.is_agent(last.target)

    def _reason(self, call: Call, cause: int) -> EndReason:
        first = call.legs[0] if call.legs else None
        silent = first is not None and first.ringing_at is not None and first.answered_at is None
        if silent and call.direction is Direction.OUTBOUND:
            return EndReason.FAILED  # Originate: the agent's own phone was not answered
        if call.state is CallState.RINGING:
            return EndReason.ABANDONED_RINGING
        if call.state is CallState.QUEUED:
            return EndReason.ABANDONED_QUEUE
        if call.state is CallState.PARKED:
            return EndReason.ABANDONED_PARKED
        last = call.transfers[-1] if call.transfers else None
        recalled = last.at if last is not None and last.transfer_type is TransferType.RECALL else None
        if recalled is not None and all(talk.started_at < recalled for talk in call.conversations):
            return EndReason.ABANDONED_PARKED
        if call.let_go:
            return EndReason.QUEUE_TIMEOUT
        if self._lost_in_transfer(call):
            return EndReason.ABANDONED_RINGING
        if call.answered_at is not None:
            return EndReason.COMPLETED
        if call.direction is Direction.INBOUND:
            return EndReason.ABANDONED_IVR
        return EndReason.COMPLETED if cause == NORMAL_CLEARING else EndReason.FAILED

    def end(self, at: float, call: Call, reason: EndReason) -> None:
        """End a live call together with its conversations, holds, conferences and recordings."""
        registry = self._registry
        call = self._conversations.end_conversations(at, call)
        agents = {leg.agent for leg in call.legs if leg.agent} | {talk.agent for talk in call.conversations}
        call = ended(closed(call, at), at, reason, reported=registry.reports_hangups)
        registry.forget(call.id)
        for agent in agents:
            registry.show(at, agent)
        registry.tell(f.CallEnded(at=at, call=call))
