"""What rings and who waits: app_queue's and app_dial's events. Pure.

app_queue knows callers from agents; where it misleads (in its eyes a call picked up or forwarded is still its
member's) the channel that answered tells whose phone it is.
"""

from msgspec import structs

from domain import facts as f
from domain.calls import Call, Direction, Manner, Party, Side
from domain.pbx import events as e
from domain.queues import Waiting
from gateway.calls.channels import Channel
from gateway.calls.conversations import Conversations
from gateway.calls.registry import Book

UNANSWERED = frozenset({"NOANSWER", "BUSY", "CONGESTION", "CHANUNAVAIL"})
"""DialStatus of a phone that did not take the call. CANCEL says only that its ringing was stopped."""


class Ringing:
    """The handlers of queues and dialling, over one book."""

    def __init__(self, book: Book, conversations: Conversations) -> None:
        self._book = book
        self._talks = conversations

    # -- callers who wait ----------------------------------------------------------------------------------
    def join(self, event: e.QueueCallerJoin) -> None:
        """A caller begins to wait in a queue."""
        book = self._book
        call = book.call(event)
        channel = book.channels.get(event.uniqueid)
        # In conversation already: an event from before a snapshot that knew more.
        if call is None or channel is None or channel.bridge is not None:
            return
        call = self._talks.sent_elsewhere(event, call, channel)
        channel.queue, channel.abandoned = event.queue, False
        # The channel that waits is the caller's, whatever came before it (a Local channel's other half).
        if call.direction is Direction.INBOUND:
            kept = tuple(
                structs.replace(leg, side=Side.CALLER) if leg.uniqueid == event.uniqueid else leg
                for leg in call.legs
                if leg.uniqueid == event.uniqueid or leg.side is not Side.CALLER
            )
            if not any(leg.uniqueid == event.uniqueid for leg in kept):
                kept = (book.leg(channel, Side.CALLER), *kept)
            call = book.change(call, legs=kept)
        call = book.change(
            call,
            queue=event.queue,
            line=book.line_of_queue.get(event.queue, call.line),
            queued_at=call.queued_at if call.queued_at is not None else event.at,
            caller=call.caller if call.caller.number else Party(event.caller_number, event.caller_name),
        )
        call = self._talks.refresh(book.classify(call), given_up=True)
        waiting = Waiting(
            call_id=call.id,
            uniqueid=event.uniqueid,
            position=event.position,
            since=event.at,
            caller=call.caller.number,
        )
        book.tell(
            f.CallQueued(at=event.at, call=call, queue=event.queue, position=event.position),
            *book.floor.join(event.at, event.queue, waiting),
        )

    def abandon(self, event: e.QueueCallerAbandon) -> None:
        """The caller gave up; the call ends in the state it is in."""
        if (channel := self._book.channels.get(event.uniqueid)) is not None:
            channel.abandoned = True

    def leave(self, event: e.QueueCallerLeave) -> None:
        """The caller waits no longer: an agent answers, the queue let go, or the caller gave up."""
        book = self._book
        book.tell(*book.floor.leave(event.at, event.queue, event.uniqueid))
        channel = book.channels.get(event.uniqueid)
        call = book.call(event)
        if channel is None or call is None:
            return
        channel.queue = None
        if not channel.abandoned:
            self._talks.refresh(call, given_up=True)

    # -- phones that ring ----------------------------------------------------------------------------------
    def called(self, event: e.AgentCalled) -> None:
        """app_queue rings a member."""
        call = self._book.call(event)
        if call is not None:
            agent = self._book.floor.agent_of(event.member, event.interface)
            self._ring(event.at, call, self._member(call, event, agent))

    def _member(self, call: Call, event: e.AgentCallEvent, agent: str) -> Channel:
        """The member's channel, though its Newchannel may have been missed."""
        book = self._book
        channel = book.channels.get(event.dest_uniqueid)
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
            book.add(channel)
        if channel.agent is None:
            # A member behind a Local channel stands in until the phone behind it is known.
            book.set_agent(channel, agent)
        return channel

    def _ring(self, at: float, call: Call, channel: Channel) -> Call:
        """A phone begins to ring with a call; told once."""
        book = self._book
        if channel.ringing or channel.bridge is not None:
            return call
        channel.ringing = True
        call = book.add_leg(call, channel)
        agent = channel.agent
        if agent is None:
            return self._talks.refresh(call)
        call = book.set_leg(call, channel.uniqueid, agent=agent, side=self._side(call, channel.uniqueid))
        call = book.change(call, agent=agent if not call.talking else call.agent, ringing_at=at)
        call = self._talks.refresh(call)
        book.tell(f.AgentRinging(at=at, call=call, agent=agent, channel=channel.name))
        book.show(at, agent)
        return call

    @staticmethod
    def _side(call: Call, uniqueid: str) -> Side:
        """An internal caller stays the caller; every other agent is on the agents' side."""
        leg = call.leg(uniqueid)
        internal = call.direction is Direction.INTERNAL
        return leg.side if leg is not None and internal else Side.AGENT

    def dial(self, event: e.DialBegin) -> None:
        """A channel dials another; with no dialling channel it is an Originate."""
        book = self._book
        dest = book.channels.get(event.dest_uniqueid)
        call = book.call_of(event.dest_uniqueid) or book.call(event)
        if dest is None or call is None:
            return
        source = book.channels.get(event.uniqueid)
        if source is None:
            if call.direction is Direction.INBOUND and len(call.legs) == 1 and not dest.local:
                call = book.change(call, direction=Direction.OUTBOUND)
        else:
            dest.parent = source.uniqueid
            if source.call_id == call.id:
                call = self._talks.sent_elsewhere(event, call, source)
            if call.direction is not Direction.INBOUND and call.called in ("", "s"):
                call = book.change(call, called=event.exten)
            if source.local and not dest.local:
                call = self._behind(call, source, dest)
        if dest.local and dest.agent is None:
            return
        self._ring(event.at, call, dest)

    def _behind(self, call: Call, half: Channel, phone: Channel) -> Call:
        """A Local channel dials a real phone: the phone takes its place in the picture."""
        book = self._book
        twin = book.channels.get(half.pair or "")
        for one in (half, twin):
            leg = call.leg(one.uniqueid) if one is not None else None
            if one is None or leg is None or one.queue is not None:
                continue
            if phone.agent is None and one.agent is not None:
                book.set_agent(phone, one.agent)
            if one.ringing:
                one.ringing = False
            book.set_agent(one, None)
            began = call.legs[0] is leg and call.queue is None and phone.agent is not None
            call = book.drop_leg(call, one.uniqueid)
            if began:
                # Originate rings the agent first: whom the agent is to speak with is not called yet.
                call = book.change(call, direction=Direction.OUTBOUND, agent=phone.agent, called="")
        return call

    def dialled(self, event: e.DialEnd) -> None:
        """The dialling of one phone is over."""
        book = self._book
        channel = book.channels.get(event.dest_uniqueid)
        call = book.call_of(event.dest_uniqueid)
        if channel is None or call is None:
            return
        rang, channel.ringing = channel.ringing, False
        source = book.channels.get(event.uniqueid)
        if event.forward:
            target = event.forward.partition("@")[0][:64]
            origin = book.party(channel.uniqueid)
            self._talks.transferred(event.at, call, Manner.FORWARD, origin, target, "success")
        elif event.status in UNANSWERED and rang and (source is None or source.queue is None):
            # A queue tells of its own members' misses.
            self._not_answered(event.at, call, channel, event.at - (call.ringing_at or event.at))
        book.show(event.at, channel.agent)

    def missed(self, event: e.AgentRingNoAnswer) -> None:
        """A member did not answer; the caller goes on waiting."""
        book = self._book
        agent = book.floor.agent_of(event.member, event.interface)
        channel = book.channels.get(event.dest_uniqueid)
        call = book.call(event)
        if channel is not None:
            channel.ringing = False
            agent = channel.agent or agent
        if call is not None:
            call = self._talks.refresh(call, given_up=True)
            if call.agent == agent and not call.talking:
                call = book.change(call, agent=None)
            book.tell(f.AgentMissed(at=event.at, call=call, agent=agent, rang=event.ring_time))
        book.show(event.at, agent)

    def _not_answered(self, at: float, call: Call, channel: Channel, rang: float) -> None:
        call = self._talks.refresh(call, given_up=True)
        if channel.agent is not None:
            self._book.tell(f.AgentMissed(at=at, call=call, agent=channel.agent, rang=max(0.0, rang)))

    # -- answered ------------------------------------------------------------------------------------------
    def connect(self, event: e.AgentConnect) -> None:
        """A member answered; app_queue puts the two together."""
        call = self._book.call(event)
        if call is None:
            return
        agent = self._book.floor.agent_of(event.member, event.interface)
        channel = self._book.telephone(self._member(call, event, agent))
        if channel.call_id != call.id and (other := self._book.calls.get(channel.call_id)) is not None:
            call = self._book.merge(event.at, call, other)
        agent = channel.agent or agent
        call = self._book.add_leg(call, channel)
        call = self._book.set_leg(call, channel.uniqueid, agent=agent, side=Side.AGENT)
        self._talks.begin_talk(event.at, call, channel, agent, event.hold_time)

    def complete(self, event: e.AgentComplete) -> None:
        """app_queue's conversation is over. Where it names no channel, that one is gone already."""
        call = self._book.call_of(event.uniqueid) or self._book.call_of(event.dest_uniqueid)
        if call is not None and event.dest_channel:
            call = self._talks.end_talk(event.at, call, event.dest_channel)
            dest = self._book.channels.get(event.dest_uniqueid)
            self._book.show(event.at, dest.agent if dest else None)
