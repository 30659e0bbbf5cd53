"""How calls move between parties: transfers, pick-up, parking, listening in. Pure."""

from domain import facts as f
from domain.calls import Direction, TransferType
from domain.pbx import events as e
from gateway.calls.caller_side import CallerSide
from gateway.calls.conversations import Conversations
from gateway.calls.queueing import Queueing
from gateway.calls.registry import CallRegistry

TOGETHER_S = 2.0
"""A blind transfer to the parking lot and the resulting ParkedCall arrive within this time."""


class Transfers:
    """Handles events about transfers, pick-up, parking and listening in."""

    def __init__(self, registry: CallRegistry, conversations: Conversations, queueing: Queueing) -> None:
        self._registry = registry
        self._queueing = queueing
        self._conversations = conversations
        self._caller_side = CallerSide(registry, conversations)

    def on_blind_transfer(self, event: e.BlindTransfer) -> None:
        """A party transferred the other to an extension."""
        call = self._registry.call_of(event.transferer_uniqueid) or self._registry.call_of(
            event.transferee_uniqueid
        )
        if call is None:
            return
        transferee = self._registry.channels.get(event.transferee_uniqueid)
        if transferee is not None:
            if transferee.sent_to == event.exten or transferee.parked is not None:
                return  # already recorded
            transferee.sent_to = event.exten or "?"
        origin = self._registry.party(event.transferer_uniqueid)
        call = self._conversations.transferred(
            event.at, call, TransferType.BLIND, origin, event.exten, event.result.lower() or "success"
        )
        if call.transfers[-1].result == "success":
            self._caller_side.handed_over(
                event.at, call, {event.transferer_uniqueid}, (event.transferee_uniqueid,)
            )

    def on_attended_transfer(self, event: e.AttendedTransfer) -> None:
        """A party connected its two calls: the caller's continues and absorbs the consultation."""
        registry = self._registry
        call = registry.call_of(event.original_uniqueid) or registry.call_of(event.transferee_uniqueid)
        second = registry.call_of(event.second_uniqueid)
        origin = registry.party(event.original_uniqueid) or registry.party(event.second_uniqueid)
        dialled = [one for one in registry.channels_of(second) if one.parent == event.second_uniqueid]
        answered = [one for one in dialled if one.state == "Up" and not one.ringing]
        rings = [one for one in dialled if one.ringing or one.dialled_at is not None]
        # The event names no target, or one that is already gone, if the two are not in a bridge yet
        # (completed within milliseconds of the answer) or if a Local channel was optimised away.
        known = {event.original_uniqueid, event.second_uniqueid, event.transferee_uniqueid}
        joined = [one for one in registry.bridges.get(event.destination_bridge, ()) if one not in known]
        likely = [registry.party(one) for one in (*joined, *(one.uniqueid for one in answered or rings))]
        target = registry.party(event.target_uniqueid) or (likely[-1] if likely else "")
        consulting = registry.channels.get(event.second_uniqueid)
        both = (*registry.channels_of(second), *registry.channels_of(call))
        queue = next((one.queue for one in both if one.queue and (one is consulting or one.consults)), None)
        target = queue or target
        if call is None:
            call = second
        if call is None:
            return
        if event.destination_type == "Threeway":
            return  # nobody leaves; the conference follows from the bridge
        result = event.result.lower() or "success"
        if second is not None and second.id != call.id and result == "success":
            call = registry.merge(event.at, call, second)
        if result == "success":
            # The transferer no longer holds anybody, even if their phone hangs up later.
            call = self._conversations.set_held(event.at, call, event.original_uniqueid, False)
        if (transferee := registry.channels.get(event.transferee_uniqueid)) is not None:
            transferee.sent_to = target or "?"
            if event.destination_type == "App" and result == "success":
                consulted = registry.channels.get(event.second_uniqueid)
                if consulted is not None:
                    consulted.successor = transferee.uniqueid
        spoke = event.destination_type != "App" and event.second_state in ("", "Up")
        spoke = (spoke or bool(answered)) and queue is None
        transfer_type = TransferType.ATTENDED if spoke else TransferType.BLONDE
        call = self._conversations.transferred(event.at, call, transfer_type, origin, target, result)
        if result == "success":
            if consulting is not None and transferee is not None:
                call = self._queueing.handed_over(event.at, call, consulting, transferee)
            call = self._queueing.left_waiting(event.at, call)
            self._caller_side.handed_over(
                event.at,
                call,
                {event.original_uniqueid, event.second_uniqueid},
                (event.transferee_uniqueid, event.target_uniqueid),
            )

    def on_pickup(self, event: e.Pickup) -> None:
        """A phone answered a call that was ringing on another."""
        registry = self._registry
        picker = registry.call(event)
        call = registry.call_of(event.target_uniqueid)
        if picker is None or call is None:
            return
        target = registry.channels[event.target_uniqueid]
        target.ringing = False
        origin = registry.party(event.target_uniqueid)
        if picker.id != call.id:
            call = registry.merge(event.at, call, picker, kept=call)
        self._conversations.transferred(
            event.at, call, TransferType.PICKUP, origin, registry.party(event.uniqueid), "success"
        )
        registry.show(event.at, target.agent)

    def on_parked_call(self, event: e.ParkedCall) -> None:
        """A call was parked."""
        registry = self._registry
        call = registry.call_of(event.uniqueid)
        if call is None:
            return
        channel = registry.channels[event.uniqueid]
        channel.parked, channel.sent_to = event.space, event.space
        origin = call.agent or ""
        last = call.transfers[-1] if call.transfers else None
        if last is not None and last.transfer_type is TransferType.BLIND and event.at - last.at < TOGETHER_S:
            # The transfer to the parking extension is the parking itself.
            origin = last.origin
            call = registry.change(call, transfers=call.transfers[:-1])
        call = self._conversations.transferred(
            event.at, call, TransferType.PARK, origin, event.space, "success"
        )
        call = self._conversations.end_conversations(event.at, call)
        call = self._conversations.refresh(call, given_up=True)
        registry.tell(f.CallParked(at=event.at, call=call, space=event.space))

    def on_unparked_call(self, event: e.UnParkedCall) -> None:
        """Somebody retrieved a parked call."""
        registry = self._registry
        call = registry.call_of(event.uniqueid)
        if call is None:
            return
        registry.channels[event.uniqueid].parked = None
        target = registry.party(event.retriever_uniqueid)
        other = registry.call_of(event.retriever_uniqueid)
        if other is not None and other.id != call.id:
            call = registry.merge(event.at, call, other)
        self._conversations.refresh(call)
        self._conversations.transferred(
            event.at, registry.calls[call.id], TransferType.RETRIEVE, event.space, target, "success"
        )

    def on_parked_call_over(self, event: e.ParkedCallOver) -> None:
        """A parked caller gave up; the state stays until the channel is gone."""
        channel = self._registry.channels.get(event.uniqueid)
        if channel is not None:
            channel.parked = None

    def on_parked_call_time_out(self, event: e.ParkedCallTimeOut) -> None:
        """Nobody retrieved a parked call, so it returns to the parker, whose ringing sets the next state."""
        call = self._registry.call_of(event.uniqueid)
        if call is None:
            return
        channel = self._registry.channels[event.uniqueid]
        channel.parked, channel.sent_to = None, event.parker or "?"
        last = next(
            (step for step in reversed(call.transfers) if step.transfer_type is TransferType.PARK), None
        )
        target = self._registry.agent_of(event.parker) or (last.origin if last else "") or event.parker
        self._conversations.transferred(event.at, call, TransferType.RECALL, event.space, target, "success")

    def on_chan_spy_start(self, event: e.ChanSpyStart) -> None:
        """Somebody listens to a call: the listener's channel is a separate call, not a leg."""
        registry = self._registry
        listener, heard = registry.call_of(event.spyer_uniqueid), registry.call_of(event.spyee_uniqueid)
        if listener is None or heard is None or listener.id == heard.id:
            return
        listener = registry.change(listener, monitors=heard.id, direction=Direction.INTERNAL)
        registry.tell(f.CallUpdated(at=event.at, call=listener, what="monitors"))
