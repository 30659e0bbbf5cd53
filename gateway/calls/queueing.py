"""Who waits in a queue, and how the wait ends, from the events of app_queue. Pure."""

from msgspec import structs

from domain import facts as f
from domain.calls import Call, Direction, Party, Side
from domain.pbx import events as e
from domain.queues import Waiting
from gateway.calls.channels import Channel
from gateway.calls.conversations import Conversations
from gateway.calls.registry import CallRegistry

REFUSED = frozenset({"FULL", "JOINEMPTY", "JOINUNAVAIL"})
"""QUEUESTATUS of a caller whom the queue did not let in."""
LET_GO = REFUSED | {"TIMEOUT", "LEAVEEMPTY", "LEAVEUNAVAIL", "WITHDRAW"}
"""QUEUESTATUS of a caller whom no agent answered, and who is still there."""


class Queueing:
    """Handles events about callers in queues."""

    def __init__(self, registry: CallRegistry, conversations: Conversations) -> None:
        self._registry = registry
        self._conversations = conversations

    def on_queue_caller_join(self, event: e.QueueCallerJoin) -> None:
        """A caller begins to wait in a queue, or an agent who consults it."""
        registry = self._registry
        call = registry.call(event)
        channel = registry.channels.get(event.uniqueid)
        # Already in a conversation: the event is older than the snapshot the tracker was rebuilt from.
        if call is None or channel is None or channel.bridge is not None:
            return
        call = self._conversations.sent_elsewhere(event, call, channel)
        channel.queue, channel.abandoned = event.queue, False
        channel.consults = not self.waits_for_caller(call, channel)
        caller = Party(event.caller_number, event.caller_name)
        if channel.consults:
            registry.tell(f.CallUpdated(at=event.at, call=call, what="consultation"))
        else:
            call = self._as_caller(call, channel)
            call = registry.change(call, caller=call.caller if call.caller.number else caller)
            caller = call.caller
            call = self._queued(event.at, call, event.queue, event.position)
        waiting = Waiting(
            call_id=call.id,
            uniqueid=event.uniqueid,
            position=event.position,
            since=event.at,
            caller=caller.number,
        )
        registry.tell(*registry.queue_state.join(event.at, event.queue, waiting))

    def waits_for_caller(self, call: Call, channel: Channel) -> bool:
        """Whether the caller waits by that channel, rather than an agent who consults the queue meanwhile.

        The caller may also wait behind a Local channel that they dialled, or that stands for them.
        """
        plumbing = self._registry.behind(channel)
        mine = {channel.uniqueid, *(one.uniqueid for one in plumbing)}
        callers = [leg for leg in call.legs if leg.side is Side.CALLER and leg.ended_at is None]
        if not callers or any(leg.uniqueid in mine for leg in callers):
            return True
        if plumbing and any(leg.uniqueid == plumbing[-1].parent for leg in callers):
            return True
        return not call.talking and all(leg.bridge is None for leg in callers)

    def _as_caller(self, call: Call, channel: Channel) -> Call:
        """The waiting channel is the caller's, whatever was taken for it before (half of a Local channel)."""
        registry = self._registry
        plumbing = {one.uniqueid for one in registry.behind(channel)}
        behind = any(
            leg.side is Side.CALLER and leg.ended_at is None and leg.uniqueid not in plumbing
            for leg in call.legs
            if leg.uniqueid != channel.uniqueid
        )
        if call.direction is not Direction.INBOUND or (channel.local and behind):
            return call
        kept = tuple(
            structs.replace(leg, side=Side.CALLER) if leg.uniqueid == channel.uniqueid else leg
            for leg in call.legs
            if leg.uniqueid == channel.uniqueid or leg.side is not Side.CALLER
        )
        if not any(leg.uniqueid == channel.uniqueid for leg in kept):
            kept = (registry.leg(channel, Side.CALLER), *kept)
        return registry.change(call, legs=kept)

    def _queued(self, at: float, call: Call, queue: str, position: int) -> Call:
        """The caller waits in that queue now."""
        registry = self._registry
        call = registry.change(
            call,
            queue=queue,
            let_go=False,
            line=registry.line_of_queue.get(queue, call.line),
            queued_at=call.queued_at if call.queued_at is not None else at,
        )
        call = self._conversations.refresh(registry.classify(call), given_up=True)
        registry.tell(f.CallQueued(at=at, call=call, queue=queue, position=position))
        return call

    def handed_over(self, at: float, call: Call, source: Channel, heir: Channel) -> Call:
        """The caller takes the place of the agent's channel that had called a queue: a masquerade."""
        registry, queue = self._registry, source.queue
        registry.tell(
            *registry.queue_state.moved(at, source.uniqueid, heir.uniqueid, call.id, call.caller.number)
        )
        if queue is None:
            return call
        source.queue, heir.queue, heir.abandoned, heir.consults = None, queue, False, False
        return self._queued(at, call, queue, self._position(queue, heir))

    def left_waiting(self, at: float, call: Call) -> Call:
        """Whoever consulted a queue may have left the caller there: then it is the caller who waits."""
        for channel in self._registry.members(call.id):
            if channel.queue is None or not channel.consults or call.talking:
                continue
            channel.consults = False
            registry = self._registry
            registry.tell(
                *registry.queue_state.moved(
                    at, channel.uniqueid, channel.uniqueid, call.id, call.caller.number
                )
            )
            call = self._queued(at, call, channel.queue, self._position(channel.queue, channel))
        return call

    def _position(self, queue: str, channel: Channel) -> int:
        waiting = self._registry.queue_state.queues[queue].waiting
        return next((one.position for one in waiting if one.uniqueid == channel.uniqueid), 0)

    def on_queue_caller_abandon(self, event: e.QueueCallerAbandon) -> None:
        """The caller gave up; the call keeps its state until it ends."""
        if (channel := self._registry.channels.get(event.uniqueid)) is not None:
            channel.abandoned = True

    def on_queue_caller_leave(self, event: e.QueueCallerLeave) -> None:
        """The caller is no longer waiting: an agent answered, the queue let go, or the caller gave up."""
        registry = self._registry
        registry.tell(*registry.queue_state.leave(event.at, event.queue, event.uniqueid))
        channel = registry.channels.get(event.uniqueid)
        call = registry.call(event)
        if channel is None or call is None:
            return
        channel.queue = None
        if not channel.abandoned:
            self._conversations.refresh(call, given_up=True)

    def on_agent_complete(self, event: e.AgentComplete) -> None:
        """app_queue's conversation is over. A channel it does not name is already gone."""
        registry = self._registry
        # The other channel may be a consultation's.
        call = registry.call_of(event.dest_uniqueid) or registry.call_of(event.uniqueid)
        if call is None or not event.dest_channel:
            return
        dest = registry.channels.get(event.dest_uniqueid)
        if dest is None or not self._with_caller(call, dest):
            call = self._conversations.end_conversation(event.at, call, event.dest_channel)
            self.left_waiting(event.at, call)
        registry.show(event.at, dest.agent if dest else None)

    def _with_caller(self, call: Call, channel: Channel) -> bool:
        """Whether that party hears the caller, as one whom the caller was handed to goes on doing."""
        here = {one.uniqueid for one in self._registry.parties(channel)} - {channel.uniqueid}
        return any(leg.side is Side.CALLER and leg.uniqueid in here for leg in call.legs)

    def on_queue_status(self, event: e.VarSet) -> None:
        """QUEUESTATUS: Queue() is over and the caller goes on in the dialplan."""
        registry = self._registry
        call, channel = registry.call(event), registry.channels.get(event.uniqueid)
        if call is None or channel is None or event.value not in LET_GO:
            return
        if event.value in REFUSED and channel.queue is None and channel.refused_at != event.at:
            channel.refused_at = event.at
            line = registry.lines.get(call.line or "")
            if line is not None:
                # app_queue does not say which queue it was.
                call = registry.change(call, queue=line.queue)
                registry.tell(
                    *registry.queue_state.refused(event.at, line.queue, event.uniqueid, call.id, event.value)
                )
        # Asterisk says of every wait without an answer that the caller gave up: this one did not.
        channel.abandoned = False
        if channel.consults:
            return
        call = self._conversations.refresh(registry.change(call, let_go=True), given_up=True)
        registry.tell(f.CallUpdated(at=event.at, call=call, what=f.LET_GO))
