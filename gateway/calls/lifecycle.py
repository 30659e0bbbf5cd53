"""Channels come and go, and calls with them. Pure."""

from msgspec import structs

from domain import facts as f
from domain.calls import Call, CallState, Direction, EndReason, Manner, Party, Side
from domain.pbx import events as e
from gateway.calls.channels import TAKE_BACK, Channel, is_listener
from gateway.calls.conversations import Conversations
from gateway.calls.registry import Book, closed

NORMAL_CLEARING = 16
"""Q.850."""


class Lifecycle:
    """The handlers of channels' beginnings, changes and ends, over one book."""

    def __init__(self, book: Book, conversations: Conversations) -> None:
        self._book = book
        self._talks = conversations

    def appear(self, event: e.NewChannel) -> None:
        """A channel: a further leg of a call, or a new call."""
        book = self._book
        if event.uniqueid in book.channels or is_listener(event.channel):
            return
        linkedid = event.linkedid or event.uniqueid
        home = book.call_id(linkedid)
        if event.exten == TAKE_BACK and (agent := book.agent_of(event.channel)) is not None:
            mine = [one for one in book.phones(agent) if one.state == "Up"]
            if not mine:
                return  # came too late, and is refused
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
        call = book.calls.get(channel.call_id)
        book.add(channel)
        if call is None:
            call = self.begin(event.at, channel)
            book.tell(f.CallStarted(at=event.at, call=call))
        elif not channel.local or (channel.agent is not None and channel.name.endswith(";1")):
            # Halves of Local channels are plumbing, unless one is an agent's phone.
            book.add_leg(call, channel)
        book.show(event.at, channel.agent)

    def begin(self, at: float, channel: Channel) -> Call:
        """A new call with that channel in it."""
        book = self._book
        agent = channel.agent
        called = "" if channel.exten == "s" else channel.exten
        return book.begin(
            Call(
                id=channel.call_id,
                pbx=book.pbx,
                linkedid=channel.linkedid,
                direction=Direction.OUTBOUND if agent else Direction.INBOUND,
                state=CallState.IVR,
                caller=Party(channel.caller_number, channel.caller_name),
                called=called,
                started_at=at,
                line=book.line_of_number.get(channel.exten) if agent is None else None,
                agent=agent,
                legs=(book.leg(channel, Side.AGENT if agent else Side.CALLER),),
                consults=self._consulted(channel),
            )
        )

    def _consulted(self, channel: Channel) -> str | None:
        """The call that the same agent keeps on hold meanwhile."""
        for other in self._book.phones(channel.agent or ""):
            call = self._book.calls.get(other.call_id)
            leg = call.leg(other.uniqueid) if call is not None else None
            if call is not None and leg is not None and leg.held and call.id != channel.call_id:
                return call.id
        return None

    def state(self, event: e.NewState) -> None:
        """A channel rings, is answered …"""
        channel = self._book.channels.get(event.uniqueid)
        call = self._book.call(event)
        if channel is None or call is None:
            return
        channel.state = event.state
        channel.caller_number = event.caller_number or channel.caller_number
        if event.state == "Up":
            channel.ringing = False
            leg = call.leg(event.uniqueid)
            if leg is not None and leg.answered_at is None:
                self._book.set_leg(call, event.uniqueid, answered_at=event.at)
            self._book.show(event.at, channel.agent)

    def caller_id(self, event: e.NewCallerId) -> None:
        """A channel's number or name became known."""
        call = self._book.call(event)
        if call is None:
            return
        spoke = call.direction is Direction.INBOUND and call.answered_at is not None and call.caller.number
        if spoke and (first := call.caller_leg) is not None and first.uniqueid == event.uniqueid:
            return  # what the dialplan shows of a caller who is sent outside is not who called
        party = Party(event.caller_number, event.caller_name)
        channel = self._book.channels[event.uniqueid]
        channel.caller_number, channel.caller_name = party.number, party.name
        call = self._book.set_leg(call, event.uniqueid, party=party)
        leg = call.caller_leg
        if leg is None or leg.uniqueid != event.uniqueid or call.caller == party:
            return
        call = self._book.change(call, caller=party)
        self._book.tell(f.CallUpdated(at=event.at, call=call, what="caller"))

    def rename(self, event: e.Rename) -> None:
        """A masquerade put another telephone behind a channel."""
        book = self._book
        channel = book.channels.get(event.uniqueid)
        if channel is None:
            return
        before, channel.name = channel.name, event.new_name
        was, agent = channel.agent, book.agent_of(event.new_name)
        if agent is not None or not channel.local:
            book.set_agent(channel, agent)
        call = book.calls.get(channel.call_id)
        if call is None:
            return
        call = book.set_leg(call, event.uniqueid, channel=event.new_name, agent=channel.agent)
        talks = tuple(
            structs.replace(talk, channel=event.new_name, agent=channel.agent)
            if talk.channel == before and talk.ended_at is None
            else talk
            for talk in call.talks
        )
        recordings = tuple(
            structs.replace(one, channel=event.new_name) if one.channel == before else one
            for one in call.recordings
        )
        call = book.change(call, talks=talks, recordings=recordings)
        book.tell(f.CallUpdated(at=event.at, call=call, what="channel"))
        for one in {was, channel.agent}:
            book.show(event.at, one)

    def vanish(self, event: e.Hangup) -> None:
        """A channel is gone; with its last one the call is over."""
        book = self._book
        call = book.call(event)
        channel = book.channels.get(event.uniqueid)
        if channel is None or call is None:
            return
        if channel.queue:
            book.tell(*book.floor.leave(event.at, channel.queue, channel.uniqueid))
        bridge = channel.bridge
        ringing = channel.ringing
        book.remove(channel)
        call = self._talks.set_held(event.at, call, channel.uniqueid, False)
        call = book.set_leg(call, channel.uniqueid, ended_at=event.at, cause=event.cause, bridge=None)
        call = self._talks.end_talk(event.at, call, channel.name)
        if bridge is not None:
            self._talks.left(event.at, call)
            call = book.calls[call.id]
        book.show(event.at, channel.agent)
        if not book.members(call.id):
            self.end(event.at, call, self._reason(call, event.cause))
        elif not ringing and not channel.abandoned:
            self._talks.refresh(call)
        if bridge is not None:
            self._talks.succeed(event.at, channel, bridge)
        # A colleague or unit that was consulted hangs up, or is let go: nothing else tells.
        after = book.calls.get(call.id)
        leg = after.leg(channel.uniqueid) if after is not None else None
        if after is not None and leg is not None and leg.answered_at is not None and not book.told(after):
            book.tell(f.CallUpdated(at=event.at, call=after, what="left"))

    @staticmethod
    def _reason(call: Call, cause: int) -> EndReason:
        if call.state is CallState.RINGING:
            return EndReason.ABANDONED_RINGING
        if call.state is CallState.QUEUED:
            return EndReason.ABANDONED_QUEUE
        if call.state is CallState.PARKED:
            return EndReason.ABANDONED_PARKED
        last = call.transfers[-1] if call.transfers else None
        recalled = last.at if last is not None and last.manner is Manner.RECALL else None
        if recalled is not None and all(talk.started_at < recalled for talk in call.talks):
            return EndReason.ABANDONED_PARKED
        if call.answered_at is not None:
            return EndReason.COMPLETED
        if call.queued_at is not None:
            return EndReason.QUEUE_TIMEOUT
        if call.direction is Direction.INBOUND:
            return EndReason.ABANDONED_IVR
        return EndReason.COMPLETED if cause == NORMAL_CLEARING else EndReason.FAILED

    def end(self, at: float, call: Call, reason: EndReason) -> None:
        """Close a live call, with its talks, holds, conferences and recordings."""
        book = self._book
        for talk in call.talks:
            if talk.ended_at is None:
                call = self._talks.end_talk(at, call, talk.channel)
        agents = {leg.agent for leg in call.legs if leg.agent} | {talk.agent for talk in call.talks}
        call = structs.replace(closed(call, at), end_reason=reason)
        book.forget(call.id)
        for agent in agents:
            book.show(at, agent)
        book.tell(f.CallEnded(at=at, call=call))
