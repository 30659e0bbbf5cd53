"""The call tracker of one PBX: events in, facts out, the picture of calls kept. Pure: no clock, no I/O.

A call lives from its first channel to its last. Channels and bridges tell who speaks with whom
(`lifecycle`, `conversations`), app_queue and app_dial who waits and rings (`ringing`); `transfers` tells how
a call goes from one party to another. All write in one `Book`. An event costs what its own call is large, not
what the number of calls is.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from agents.queues.state import Floor
from domain.calls import Call
from domain.facts import AnyFact
from domain.lines import Line
from domain.pbx import events as e
from domain.pbx.events import AnyPbxEvent
from domain.phones import AgentProfile
from gateway.calls.call_recovery import TakingBack
from gateway.calls.channels import Channel
from gateway.calls.conversations import Conversations
from gateway.calls.dialplan import Dialplan
from gateway.calls.lifecycle import Lifecycle
from gateway.calls.registry import Book
from gateway.calls.ringing import Ringing
from gateway.calls.transfers import Transfers


class CallTracker:
    """One PBX's calls (`calls`, live ones by id), queues and agents (`floor`)."""

    def __init__(
        self, pbx: str, lines: Sequence[Line], profiles: Iterable[AgentProfile], *, missed_limit: int = 0
    ) -> None:
        self.pbx = pbx
        self.floor = Floor(pbx, lines, profiles, missed_limit=missed_limit)
        self.book = Book(pbx, self.floor, lines)
        self.conversations = Conversations(self.book)
        self.lifecycle = lifecycle = Lifecycle(self.book, self.conversations)
        ringing = Ringing(self.book, self.conversations)
        transfers = Transfers(self.book, self.conversations)
        dialplan = Dialplan(self.book, self.conversations)
        self._handlers: dict[type[AnyPbxEvent], Callable[[Any], None]] = {
            e.NewChannel: lifecycle.appear,
            e.NewState: lifecycle.state,
            e.NewCallerId: lifecycle.caller_id,
            e.Rename: lifecycle.rename,
            e.Hangup: lifecycle.vanish,
            e.BridgeEnter: TakingBack(self.book, self.conversations).enter,
            e.BridgeLeave: self.conversations.leave,
            e.Hold: self.conversations.hold,
            e.Unhold: self.conversations.unhold,
            e.VarSet: dialplan.variable,
            e.MixMonitorStart: dialplan.recording_begins,
            e.MixMonitorStop: dialplan.recording_ends,
            e.DialBegin: ringing.dial,
            e.DialEnd: ringing.dialled,
            e.QueueCallerJoin: ringing.join,
            e.QueueCallerAbandon: ringing.abandon,
            e.QueueCallerLeave: ringing.leave,
            e.AgentCalled: ringing.called,
            e.AgentRingNoAnswer: ringing.missed,
            e.AgentConnect: ringing.connect,
            e.AgentComplete: ringing.complete,
            e.BlindTransfer: transfers.blind,
            e.AttendedTransfer: transfers.attended,
            e.Pickup: transfers.pickup,
            e.ParkedCall: transfers.park,
            e.UnParkedCall: transfers.unpark,
            e.ParkedCallOver: transfers.unparked,
            e.ParkedCallTimeOut: transfers.recall,
            e.ChanSpyStart: transfers.spy,
            e.QueueMemberAdded: self._member,
            e.QueueMemberStatus: self._member,
            e.QueueMemberPause: self._member,
            e.QueueMemberRemoved: self._member,
            e.DeviceStateChange: self._device,
        }

    @property
    def calls(self) -> dict[str, Call]:
        """The live calls by id."""
        return self.book.calls

    @property
    def channels(self) -> dict[str, Channel]:
        """The live channels by unique id."""
        return self.book.channels

    def apply(self, event: AnyPbxEvent) -> list[AnyFact]:
        """Fold one event in; the facts that follow, in order. An event that says nothing new says nothing."""
        self.book.tell(*self.floor.observe(event))
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        return self.book.take()

    def _member(self, event: e.QueueMemberEvent) -> None:
        self.book.tell(*self.floor.member(event))

    def _device(self, event: e.DeviceStateChange) -> None:
        self.book.tell(*self.floor.device(event))
