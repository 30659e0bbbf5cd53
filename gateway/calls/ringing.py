"""Which phones ring, from the events of app_queue and app_dial. Pure.

app_queue can tell callers from agents. Where it misleads (it attributes a call that was picked up or
forwarded to its own member), the channel that answered decides whose phone it is.
"""

from collections.abc import Iterator

from msgspec import structs

from domain import facts as f
from domain.calls import Call, Direction, MissedReason, Party, Side, TransferType
from domain.pbx import events as e
from domain.spans import measured
from gateway.calls import missed
from gateway.calls.channels import Channel, number_dialled
from gateway.calls.conversations import Conversations
from gateway.calls.registry import CallRegistry

RINGING = "Ringing"
PROGRESS = "PROGRESS"


class Ringing:
    """Handles events about phones that ring and answer."""

    def __init__(self, registry: CallRegistry, conversations: Conversations) -> None:
        self._registry = registry
        self._conversations = conversations
        self._reports = False
        """Whether this PBX says when phones ring; some captures have it left out."""

    # -- phones that ring ----------------------------------------------------------------------------------
    def on_agent_called(self, event: e.AgentCalled) -> None:
        """app_queue calls a member."""
        call = self._registry.call(event)
        if call is not None:
            agent = self._registry.queue_state.agent_of(event.member, event.interface)
            member = self._member(call, event, agent)
            self._dialled(event.at, call, self._phone_behind(member) or member)

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
        phone = self._phone_behind(channel)
        if phone is not None and phone.agent is None:
            # It may have rung already, when nobody knew whose it is.
            registry.set_agent(phone, agent)
            channel.behind, phone.ringing_at = agent, None
        elif phone is None and channel.agent is None and channel.behind is None:
            # A Local channel stands in for the member until the phone behind it is known.
            registry.set_agent(channel, agent)
        return channel

    def _phone_behind(self, channel: Channel) -> Channel | None:
        """The phone that a Local channel calls, if it does."""
        if channel.pair is None or not channel.local:
            return None
        members = self._registry.members(channel.call_id)
        return next((one for one in members if one.parent == channel.pair and not one.local), None)

    def _dialled(self, at: float, call: Call, channel: Channel) -> Call:
        """A phone is called. An agent's rings once it says so; one outside may never say."""
        if channel.local and channel.agent is None:
            return call
        if channel.dialled_at is None:
            channel.dialled_at, channel.dial_status = at, ""
        call = self._registry.add_leg(call, channel)
        if channel.agent is None:
            if channel.bridge is None and channel.state != "Up":
                channel.ringing = True
            return self._conversations.refresh(call)
        return self._ring(at, call, channel) if channel.state == RINGING else call

    def on_new_state(self, event: e.NewState) -> None:
        """A phone reports that it rings, whoever had it called."""
        if event.state == RINGING:
            self._reported(event.at, event.uniqueid)

    def on_dial_state(self, event: e.DialState) -> None:
        """The phone called reports that it rings, or (early media) that the caller can hear it."""
        if event.status in (RINGING.upper(), PROGRESS):
            self._reported(event.at, event.dest_uniqueid)

    def _reported(self, at: float, uniqueid: str) -> None:
        channel, call = self._registry.channels.get(uniqueid), self._registry.call_of(uniqueid)
        if channel is None or call is None or channel.bridge is not None or channel.state == "Up":
            return
        self._reports = True
        if channel.agent is None and (channel.local or channel.dialled_at is None):
            return  # plumbing, or a caller's own channel
        self._ring(at, call, channel)

    def _ring(self, at: float, call: Call, channel: Channel) -> Call:
        """A phone begins to ring with a call; told once, however many phones the agent has."""
        registry = self._registry
        if channel.ringing and channel.ringing_at is not None:
            return call
        others = self._ringing_too(call, channel)
        channel.ringing, channel.ringing_at = True, at
        for one in self._standing_in(channel):
            one.ringing_at = at if one.ringing_at is None else one.ringing_at
            one.behind = one.behind or channel.agent
        call = registry.set_leg(registry.add_leg(call, channel), channel.uniqueid, ringing_at=at)
        agent = channel.agent
        if agent is None:
            return self._conversations.refresh(call)
        call = registry.set_leg(call, channel.uniqueid, agent=agent, side=self._side(call, channel.uniqueid))
        call = registry.change(call, agent=agent if not call.talking else call.agent, ringing_at=at)
        call = self._conversations.refresh(call)
        if not any(one.ringing for one in others):
            registry.tell(f.AgentRinging(at=at, call=call, agent=agent, channel=channel.name))
        registry.show(at, agent)
        return call

    def _ringing_too(self, call: Call, channel: Channel) -> list[Channel]:
        """The same agent's other phones that are called, or ring, with this call."""
        return [
            one
            for one in self._registry.phones(channel.agent or "")
            if one is not channel and one.call_id == call.id and (one.ringing or one.dialled_at is not None)
        ]

    def _standing_in(self, channel: Channel) -> Iterator[Channel]:
        """The Local channels by which somebody called this one: each rings as long as it does."""
        seen: set[str] = set()
        while (source := self._registry.channels.get(channel.parent or "")) is not None and source.local:
            twin = self._registry.channels.get(source.pair or "")
            if twin is None or twin.uniqueid in seen:
                return
            seen.add(twin.uniqueid)
            yield twin
            channel = twin

    def _called_by_queue(self, channel: Channel) -> bool:
        """Whether app_queue called it, possibly through Local channels: it reports a missed call itself."""
        *_, first = channel, *self._standing_in(channel)
        source = self._registry.channels.get(first.parent or "")
        return source is not None and source.queue is not None

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
        if dest.agent is None and not dest.local:
            dest.dialled = number_dialled(event.dial_string)
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
        self._dialled(event.at, call, dest)

    def _behind(self, call: Call, half: Channel, phone: Channel) -> Call:
        """A Local channel dials a real phone, whose leg replaces those of the Local channels in between."""
        registry = self._registry
        for one in registry.behind(half):
            one.behind = one.behind or phone.agent
            leg = call.leg(one.uniqueid)
            if leg is None or one.queue is not None:
                continue
            if phone.agent is None and one.agent is not None:
                registry.set_agent(phone, one.agent)
            if one.ringing and phone.agent == one.agent:
                # Told already: the dialplan made the Local channel ring before it called the phone.
                phone.ringing, phone.ringing_at = True, one.ringing_at
            one.ringing, one.behind = False, phone.agent
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
        called = channel.ringing or channel.dialled_at is not None
        channel.ringing = False
        if event.status in missed.TELLING or not channel.dial_status:
            channel.dial_status = event.status
        if channel.local and event.status in missed.UNANSWERED:
            # The phone behind it is called off next (CANCEL): nobody gave up who waited for it.
            for one in registry.members(call.id):
                if one.parent == channel.pair and one.ringing and not self._called_by_queue(one):
                    one.dial_status = event.status
        for one in self._standing_in(channel):
            # What a Local channel reports at its end is not why the phone behind it did not answer.
            one.dial_status = event.status if event.status in missed.TELLING else one.dial_status
        if event.forward:
            target = event.forward.partition("@")[0][:64]
            origin = registry.party(channel.uniqueid)
            self._conversations.transferred(event.at, call, TransferType.FORWARD, origin, target, "success")
        elif channel.dial_status in missed.UNANSWERED and called and not self._called_by_queue(channel):
            call = self._conversations.refresh(call, given_up=True)
            if channel.agent is not None:
                self._not_answered(event.at, call, channel, channel.agent)
        channel.dialled_at = None
        registry.show(event.at, channel.agent)

    def on_agent_ring_no_answer(self, event: e.AgentRingNoAnswer) -> None:
        """A member did not answer; the caller keeps waiting."""
        registry = self._registry
        agent = registry.queue_state.agent_of(event.member, event.interface)
        channel = registry.channels.get(event.dest_uniqueid)
        call = registry.call(event)
        if channel is not None:
            channel.ringing, channel.dialled_at = False, None
            agent = channel.behind or channel.agent or agent
        if call is not None:
            call = self._conversations.refresh(call, given_up=True)
            if call.agent == agent and not call.talking:
                call = registry.change(call, agent=None)
            if channel is not None:
                self._not_answered(event.at, call, channel, agent, event.ring_time)
            else:
                why = MissedReason.NO_ANSWER if event.ring_time else MissedReason.UNREACHABLE
                registry.tell(
                    f.AgentMissed(at=event.at, call=call, agent=agent, rang=event.ring_time, reason=why)
                )
        registry.show(event.at, agent)

    def _not_answered(
        self, at: float, call: Call, channel: Channel, agent: str, told: float | None = None
    ) -> None:
        """Tell that the agent did not take the call; `told`: how long it rang, by app_queue's count."""
        others = self._ringing_too(call, channel)
        if told is None and others:
            # Another phone of the agent's goes on ringing; the agent is told once, with all of it.
            for one in others:
                if one.ringing_at is not None and channel.ringing_at is not None:
                    one.ringing_at = min(one.ringing_at, channel.ringing_at)
            return
        seconds = missed.rang(channel, at, told, reports=self._reports)
        reason = missed.reason(channel, at, seconds, told)
        if reason is None:
            channel.missed = agent
            return
        self._registry.tell(f.AgentMissed(at=at, call=call, agent=agent, rang=seconds, reason=reason))

    def on_hangup(self, event: e.Hangup) -> None:
        """The channel of a member who never rang is gone, and with it comes the reason."""
        channel, call = self._registry.channels.get(event.uniqueid), self._registry.call(event)
        if channel is None or call is None or channel.missed is None:
            return
        why = missed.by_cause(event.cause)
        self._registry.tell(f.AgentMissed(at=event.at, call=call, agent=channel.missed, rang=0.0, reason=why))

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
