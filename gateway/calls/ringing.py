"""Which phones ring, from the events of app_queue and app_dial. Pure.

app_queue can tell callers from agents. Where it misleads (it attributes a call that was picked up or
forwarded to its own member), the channel that answered decides whose phone it is.
"""

from msgspec import structs

from domain import facts as f
from domain.calls import Call, Direction, Party, Side, TransferType
from domain.pbx import events as e
from domain.spans import elapsed, measured
from gateway.calls.channels import Channel
from gateway.calls.conversations import Conversations
from gateway.calls.registry import CallRegistry

UNANSWERED = frozenset({"NOANSWER", "BUSY", "CONGESTION", "CHANUNAVAIL"})
"""DialStatus of a phone that did not take the call. CANCEL only means that it was told to stop ringing."""


class Ringing:
    """Handles events about phones that ring and answer."""

    def __init__(self, registry: CallRegistry, conversations: Conversations) -> None:
        self._registry = registry
        self._conversations = conversations

    # -- phones that ring ----------------------------------------------------------------------------------
    def on_agent_called(self, event: e.AgentCalled) -> None:
        """app_queue rings a member."""
        call = self._registry.call(event)
        if call is not None:
            agent = self._registry.queue_state.agent_of(event.member, event.interface)
            self._ring(event.at, call, self._member(call, event, agent))

    def _member(self, call: Call, event: e.AgentCallEvent, agent: str) -> Channel:
        """Return the member's channel, even if its Newchannel was missed."""
        registry = self._registry
        channel = registry.channels.get(event.dest_uniqueid)
        if channel is None:
            channel = Channel(
                uniqueid=event.dest_uniqueid,
                linkedid=call.linkedid,
                name=event.dest_channel,
                state="",
                created_at=event.at,
                call_id=call.id,
                parent=event.uniqueid,
            )
            registry.add(channel)
        if channel.agent is None:
            # A Local channel stands in for the member until the phone behind it is known.
            registry.set_agent(channel, agent)
        return channel

    def _ring(self, at: float, call: Call, channel: Channel) -> Call:
        """A phone starts ringing with a call; reported once."""
        registry = self._registry
        if channel.ringing or channel.bridge is not None:
            return call
        channel.ringing = True
        call = registry.add_leg(call, channel)
        agent = channel.agent
        if agent is None:
            return self._conversations.refresh(call)
        call = registry.set_leg(call, channel.uniqueid, agent=agent, side=self._side(call, channel.uniqueid))
        call = registry.change(call, agent=agent if not call.talking else call.agent, ringing_at=at)
        call = self._conversations.refresh(call)
        registry.tell(f.AgentRinging(at=at, call=call, agent=agent, channel=channel.name))
        registry.show(at, agent)
        return call

    @staticmethod
    def _side(call: Call, uniqueid: str) -> Side:
        """Return an agent's side: an internal caller stays the caller, every other agent is AGENT."""
        leg = call.leg(uniqueid)
        internal = call.direction is Direction.INTERNAL
        return leg.side if leg is not None and internal else Side.AGENT

    def on_dial_begin(self, event: e.DialBegin) -> None:
        """A channel dials another; an Originate has no dialling channel."""
        registry = self._registry
        dest = registry.channels.get(event.dest_uniqueid)
        call = registry.call_of(event.dest_uniqueid) or registry.call(event)
        if dest is None or call is None:
            return
        source = registry.channels.get(event.uniqueid)
        if source is None:
            if call.direction is Direction.INBOUND and len(call.legs) == 1 and not dest.local:
                call = registry.change(call, direction=Direction.OUTBOUND)
        else:
            dest.parent = source.uniqueid
            if source.call_id == call.id:
                call = self._conversations.sent_elsewhere(event, call, source)
            if call.direction is not Direction.INBOUND and call.called in ("", "s"):
                call = registry.change(call, called=event.exten)
            if source.local and not dest.local:
                call = self._behind(call, source, dest)
        if dest.local and dest.agent is None:
            return
        self._ring(event.at, call, dest)

    def _behind(self, call: Call, half: Channel, phone: Channel) -> Call:
        """A Local channel dials a real phone, whose leg replaces those of the Local channels in between."""
        registry = self._registry
        for one in registry.behind(half):
            leg = call.leg(one.uniqueid)
            if leg is None or one.queue is not None:
                continue
            if phone.agent is None and one.agent is not None:
                registry.set_agent(phone, one.agent)
            if one.ringing:
                one.ringing = False
            registry.set_agent(one, None)
            # A caller of a line may come by a Local channel too; nobody else does.
            ours = call.queue is None and (phone.agent is not None or call.line is None)
            began = call.legs[0] is leg and ours and one.parent is None
            call = registry.drop_leg(call, one.uniqueid)
            if began:
                # Originate rings the agent first; the target has not been called yet.
                caller = call.caller if call.caller.number else Party(phone.caller_number, phone.caller_name)
                call = registry.change(
                    call, direction=Direction.OUTBOUND, agent=phone.agent, called="", caller=caller
                )
                others = tuple(leg for leg in call.legs if leg.uniqueid != phone.uniqueid)
                side = registry.side_for(structs.replace(call, legs=others), phone.agent)
                call = registry.set_leg(call, phone.uniqueid, side=side)
        return call

    def on_dial_end(self, event: e.DialEnd) -> None:
        """Dialling one phone is over."""
        registry = self._registry
        channel = registry.channels.get(event.dest_uniqueid)
        call = registry.call_of(event.dest_uniqueid)
        if channel is None or call is None:
            return
        rang, channel.ringing = channel.ringing, False
        source = registry.channels.get(event.uniqueid)
        if event.forward:
            target = event.forward.partition("@")[0][:64]
            origin = registry.party(channel.uniqueid)
            self._conversations.transferred(event.at, call, TransferType.FORWARD, origin, target, "success")
        elif event.status in UNANSWERED and rang and (source is None or source.queue is None):
            # For members of a queue, app_queue reports the missed call itself.
            self._not_answered(event.at, call, channel, elapsed(call.ringing_at or event.at, event.at))
        registry.show(event.at, channel.agent)

    def on_agent_ring_no_answer(self, event: e.AgentRingNoAnswer) -> None:
        """A member did not answer; the caller keeps waiting."""
        registry = self._registry
        agent = registry.queue_state.agent_of(event.member, event.interface)
        channel = registry.channels.get(event.dest_uniqueid)
        call = registry.call(event)
        if channel is not None:
            channel.ringing = False
            agent = channel.agent or agent
        if call is not None:
            call = self._conversations.refresh(call, given_up=True)
            if call.agent == agent and not call.talking:
                call = registry.change(call, agent=None)
            registry.tell(f.AgentMissed(at=event.at, call=call, agent=agent, rang=event.ring_time))
        registry.show(event.at, agent)

    def _not_answered(self, at: float, call: Call, channel: Channel, rang: float) -> None:
        call = self._conversations.refresh(call, given_up=True)
        if channel.agent is not None:
            self._registry.tell(f.AgentMissed(at=at, call=call, agent=channel.agent, rang=max(0.0, rang)))

    # -- answered ------------------------------------------------------------------------------------------
    def on_agent_connect(self, event: e.AgentConnect) -> None:
        """A member answered; app_queue connects the two."""
        call = self._registry.call(event)
        if call is None:
            return
        agent = self._registry.queue_state.agent_of(event.member, event.interface)
        channel = self._registry.telephone(self._member(call, event, agent))
        if channel.call_id != call.id and (other := self._registry.calls.get(channel.call_id)) is not None:
            call = self._registry.merge(event.at, call, other)
        agent = channel.agent or agent
        channel.served = event.queue
        call = self._registry.add_leg(call, channel)
        call = self._registry.set_leg(call, channel.uniqueid, agent=agent, side=Side.AGENT)
        waited_by = self._registry.channels.get(event.uniqueid)
        if waited_by is not None and waited_by.consults:
            return  # the one who consults the queue talks with them; the caller does not yet
        waited = measured(event.hold_time, call.queued_at or event.at, event.at)
        self._conversations.begin_conversation(event.at, call, channel, agent, waited)
