"""Who waits in a queue, and how the wait ends, from the events of app_queue. Pure."""

from msgspec import structs

from domain import facts as f
from domain.calls import Direction, Party, Side
from domain.pbx import events as e
from domain.queues import Waiting
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
        """A caller begins to wait in a queue."""
        registry = self._registry
        call = registry.call(event)
        channel = registry.channels.get(event.uniqueid)
        # Already in a conversation: the event is older than the snapshot the tracker was rebuilt from.
        if call is None or channel is None or channel.bridge is not None:
            return
        call = self._conversations.sent_elsewhere(event, call, channel)
        channel.queue, channel.abandoned = event.queue, False
        # The waiting channel is the caller's, whatever was taken for it before (half of a Local channel).
        if call.direction is Direction.INBOUND:
            kept = tuple(
                structs.replace(leg, side=Side.CALLER) if leg.uniqueid == event.uniqueid else leg
                for leg in call.legs
                if leg.uniqueid == event.uniqueid or leg.side is not Side.CALLER
            )
            if not any(leg.uniqueid == event.uniqueid for leg in kept):
                kept = (registry.leg(channel, Side.CALLER), *kept)
            call = registry.change(call, legs=kept)
        call = registry.change(
            call,
            queue=event.queue,
            let_go=False,
            line=registry.line_of_queue.get(event.queue, call.line),
            queued_at=call.queued_at if call.queued_at is not None else event.at,
            caller=call.caller if call.caller.number else Party(event.caller_number, event.caller_name),
        )
        call = self._conversations.refresh(registry.classify(call), given_up=True)
        waiting = Waiting(
            call_id=call.id,
            uniqueid=event.uniqueid,
            position=event.position,
            since=event.at,
            caller=call.caller.number,
        )
        registry.tell(
            f.CallQueued(at=event.at, call=call, queue=event.queue, position=event.position),
            *registry.queue_state.join(event.at, event.queue, waiting),
        )

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
        call = self._conversations.refresh(registry.change(call, let_go=True), given_up=True)
        registry.tell(f.CallUpdated(at=event.at, call=call, what=f.LET_GO))
