"""How calls go from one party to another: transfers, pick-up, parking, listening in. Pure."""

from domain import facts as f
from domain.calls import Direction, Manner
from domain.pbx import events as e
from gateway.calls.conversations import Conversations
from gateway.calls.registry import Book

TOGETHER_S = 2.0
"""A blind transfer to the parking lot and the parking that follows from it come within this time."""


class Transfers:
    """The handlers of transfers, over one book."""

    def __init__(self, book: Book, conversations: Conversations) -> None:
        self._book = book
        self._talks = conversations

    def blind(self, event: e.BlindTransfer) -> None:
        """A party sent the other to an extension."""
        call = self._book.call_of(event.transferer_uniqueid) or self._book.call_of(event.transferee_uniqueid)
        if call is None:
            return
        transferee = self._book.channels.get(event.transferee_uniqueid)
        if transferee is not None:
            if transferee.sent_to == event.exten or transferee.parked is not None:
                return  # seen on its way already
            transferee.sent_to = event.exten or "?"
        origin = self._book.party(event.transferer_uniqueid)
        self._talks.transferred(
            event.at, call, Manner.BLIND, origin, event.exten, event.result.lower() or "success"
        )

    def attended(self, event: e.AttendedTransfer) -> None:
        """A party joined the two it spoke with: the caller's call goes on, the consultation is part of it."""
        book = self._book
        call = book.call_of(event.original_uniqueid) or book.call_of(event.transferee_uniqueid)
        second = book.call_of(event.second_uniqueid)
        origin = book.party(event.original_uniqueid) or book.party(event.second_uniqueid)
        dialled = [one for one in book.channels_of(second) if one.parent == event.second_uniqueid]
        answered = [one for one in dialled if one.state == "Up" and not one.ringing]
        rings = [one for one in dialled if one.ringing]
        # No target is named, or one gone already, where the two are not in a bridge yet (handed over within
        # milliseconds of the answer) or a Local channel was optimised away.
        known = {event.original_uniqueid, event.second_uniqueid, event.transferee_uniqueid}
        joined = [one for one in book.bridges.get(event.destination_bridge, ()) if one not in known]
        likely = [book.party(one) for one in (*joined, *(one.uniqueid for one in answered or rings))]
        target = book.party(event.target_uniqueid) or (likely[-1] if likely else "")
        if call is None:
            call = second
        if call is None:
            return
        if event.destination_type == "Threeway":
            return  # nobody leaves: the bridge shows the conference
        result = event.result.lower() or "success"
        if second is not None and second.id != call.id and result == "success":
            call = book.merge(event.at, call, second)
        if result == "success":
            # Who handed over holds nobody any more, whenever their phone is hung up.
            call = self._talks.set_held(event.at, call, event.original_uniqueid, False)
        if (transferee := book.channels.get(event.transferee_uniqueid)) is not None:
            transferee.sent_to = target or "?"
            if event.destination_type == "App" and result == "success":
                consulted = book.channels.get(event.second_uniqueid)
                if consulted is not None:
                    consulted.successor = transferee.uniqueid
        spoke = event.destination_type != "App" and event.second_state in ("", "Up")
        manner = Manner.ATTENDED if spoke or answered else Manner.BLONDE
        self._talks.transferred(event.at, call, manner, origin, target, result)

    def pickup(self, event: e.Pickup) -> None:
        """A phone answered the call that rang on another."""
        book = self._book
        picker = book.call(event)
        call = book.call_of(event.target_uniqueid)
        if picker is None or call is None:
            return
        target = book.channels[event.target_uniqueid]
        target.ringing = False
        origin = book.party(event.target_uniqueid)
        if picker.id != call.id:
            call = book.merge(event.at, call, picker)
        self._talks.transferred(event.at, call, Manner.PICKUP, origin, book.party(event.uniqueid), "success")
        book.show(event.at, target.agent)

    def park(self, event: e.ParkedCall) -> None:
        """A call waits in the parking lot."""
        book = self._book
        call = book.call_of(event.uniqueid)
        if call is None:
            return
        channel = book.channels[event.uniqueid]
        channel.parked, channel.sent_to = event.space, event.space
        origin = call.agent or ""
        last = call.transfers[-1] if call.transfers else None
        if last is not None and last.manner is Manner.BLIND and event.at - last.at < TOGETHER_S:
            # The transfer to the lot's own number is the parking itself.
            origin = last.origin
            call = book.change(call, transfers=call.transfers[:-1])
        call = self._talks.transferred(event.at, call, Manner.PARK, origin, event.space, "success")
        for talk in call.talks:
            if talk.ended_at is None:
                call = self._talks.end_talk(event.at, call, talk.channel)
        call = self._talks.refresh(call, given_up=True)
        book.tell(f.CallParked(at=event.at, call=call, space=event.space))

    def unpark(self, event: e.UnParkedCall) -> None:
        """Somebody took a parked call."""
        book = self._book
        call = book.call_of(event.uniqueid)
        if call is None:
            return
        book.channels[event.uniqueid].parked = None
        target = book.party(event.retriever_uniqueid)
        other = book.call_of(event.retriever_uniqueid)
        if other is not None and other.id != call.id:
            call = book.merge(event.at, call, other)
        self._talks.refresh(call)
        self._talks.transferred(
            event.at, book.calls[call.id], Manner.RETRIEVE, event.space, target, "success"
        )

    def unparked(self, event: e.ParkedCallOver) -> None:
        """A parked call was given up; the state stays until its channel is gone."""
        channel = self._book.channels.get(event.uniqueid)
        if channel is not None:
            channel.parked = None

    def recall(self, event: e.ParkedCallTimeOut) -> None:
        """Nobody took a parked call: it goes back to who parked it; the state is theirs to change."""
        call = self._book.call_of(event.uniqueid)
        if call is None:
            return
        channel = self._book.channels[event.uniqueid]
        channel.parked, channel.sent_to = None, event.parker or "?"
        last = next((step for step in reversed(call.transfers) if step.manner is Manner.PARK), None)
        target = self._book.agent_of(event.parker) or (last.origin if last else "") or event.parker
        self._talks.transferred(event.at, call, Manner.RECALL, event.space, target, "success")

    def spy(self, event: e.ChanSpyStart) -> None:
        """Somebody listens to a call: a call of its own that is no part of it."""
        book = self._book
        listener, heard = book.call_of(event.spyer_uniqueid), book.call_of(event.spyee_uniqueid)
        if listener is None or heard is None or listener.id == heard.id:
            return
        listener = book.change(listener, monitors=heard.id, direction=Direction.INTERNAL)
        book.tell(f.CallUpdated(at=event.at, call=listener, what="monitors"))
