"""The call tracker of one PBX: takes events, keeps the state of its calls, returns facts.

Pure: no clock, no I/O. A call lives from its first channel to its last. `lifecycle` and `conversations`
follow who talks with whom, from channels and bridges; `queueing` follows who waits, `ringing` which phones
ring, from app_queue and app_dial; `transfers` follows how calls move between parties. All work on one
`CallRegistry`. The cost of an event grows with the size of its own call, not with the number of calls.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import structs

from agents.queues.state import QueueState
from domain.calls import Call
from domain.facts import AnyFact
from domain.lines import Line
from domain.pbx import events as e
from domain.pbx.events import AnyPbxEvent
from domain.phones import AgentProfile
from gateway.calls.call_recovery import CallRecovery
from gateway.calls.channels import Channel
from gateway.calls.conversations import Conversations
from gateway.calls.dialplan import Dialplan
from gateway.calls.hangups import Hangups
from gateway.calls.lifecycle import Lifecycle
from gateway.calls.queueing import Queueing
from gateway.calls.registry import CallRegistry
from gateway.calls.ringing import Ringing
from gateway.calls.transfers import Transfers

DAY_S = 86_400.0


def _each(*handlers: Callable[[Any], None]) -> Callable[[Any], None]:
    """A handler that calls several, in order."""

    def handle(event: AnyPbxEvent) -> None:
        for handler in handlers:
            handler(event)

    return handle


class CallTracker:
    """One PBX's live calls (`calls`, by id), queues and agents (`queue_state`)."""

    def __init__(
        self, pbx: str, lines: Sequence[Line], profiles: Iterable[AgentProfile], *, missed_limit: int = 0
    ) -> None:
        self.pbx = pbx
        self._latest = -math.inf
        self.queue_state = QueueState(pbx, lines, profiles, missed_limit=missed_limit)
        self.registry = CallRegistry(pbx, self.queue_state, lines)
        self.conversations = Conversations(self.registry)
        self.queueing = queueing = Queueing(self.registry, self.conversations)
        self.lifecycle = lifecycle = Lifecycle(self.registry, self.conversations, queueing)
        hangups = Hangups(self.registry)
        ringing = Ringing(self.registry, self.conversations)
        transfers = Transfers(self.registry, self.conversations, queueing)
        dialplan = Dialplan(self.registry, self.conversations, queueing)
        self._handlers: dict[type[AnyPbxEvent], Callable[[Any], None]] = {
            e.NewChannel: lifecycle.on_new_channel,
            e.NewState: _each(lifecycle.on_new_state, ringing.on_new_state),
            e.NewCallerId: lifecycle.on_new_caller_id,
            e.Rename: lifecycle.on_rename,
            e.Hangup: _each(ringing.on_hangup, lifecycle.on_hangup),
            e.HangupRequest: hangups.on_hangup_request,
            e.SoftHangupRequest: hangups.on_soft_hangup_request,
            e.BridgeEnter: _each(
                hangups.on_bridge_enter, CallRecovery(self.registry, self.conversations).on_bridge_enter
            ),
            e.BridgeLeave: _each(hangups.on_bridge_leave, self.conversations.on_bridge_leave),
            e.Hold: self.conversations.on_hold,
            e.Unhold: self.conversations.on_unhold,
            e.VarSet: dialplan.on_var_set,
            e.MixMonitorStart: dialplan.on_mix_monitor_start,
            e.MixMonitorStop: dialplan.on_mix_monitor_stop,
            e.RecordingMuted: dialplan.on_recording_muted,
            e.DialplanStep: dialplan.on_step,
            e.DialBegin: ringing.on_dial_begin,
            e.DialState: ringing.on_dial_state,
            e.DialEnd: ringing.on_dial_end,
            e.QueueCallerJoin: queueing.on_queue_caller_join,
            e.QueueCallerAbandon: queueing.on_queue_caller_abandon,
            e.QueueCallerLeave: queueing.on_queue_caller_leave,
            e.AgentCalled: ringing.on_agent_called,
            e.AgentRingNoAnswer: ringing.on_agent_ring_no_answer,
            e.AgentConnect: ringing.on_agent_connect,
            e.AgentComplete: _each(hangups.on_agent_complete, queueing.on_agent_complete),
            e.BlindTransfer: transfers.on_blind_transfer,
            e.AttendedTransfer: transfers.on_attended_transfer,
            e.Pickup: transfers.on_pickup,
            e.ParkedCall: transfers.on_parked_call,
            e.UnParkedCall: transfers.on_unparked_call,
            e.ParkedCallOver: transfers.on_parked_call_over,
            e.ParkedCallTimeOut: transfers.on_parked_call_time_out,
            e.ChanSpyStart: transfers.on_chan_spy_start,
            e.QueueMemberAdded: self._on_queue_member,
            e.QueueMemberStatus: self._on_queue_member,
            e.QueueMemberPause: self._on_queue_member,
            e.QueueMemberPenalty: self._on_queue_member,
            e.QueueMemberRingInUse: self._on_queue_member,
            e.QueueMemberRemoved: self._on_queue_member,
            e.QueueMembersListed: self._on_queue_members_listed,
            e.DeviceStateChange: self._on_device_state_change,
        }

    @property
    def calls(self) -> dict[str, Call]:
        """The live calls by id."""
        return self.registry.calls

    @property
    def channels(self) -> dict[str, Channel]:
        """The live channels by unique id."""
        return self.registry.channels

    def apply(self, event: AnyPbxEvent) -> list[AnyFact]:
        """Process one event and return the resulting facts, in order; none if nothing changed."""
        event = self._dated(event)
        self.registry.tell(*self.queue_state.observe(event))
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        return self.registry.take()

    def _dated(self, event: AnyPbxEvent) -> AnyPbxEvent:
        """The event, not before the one that came before it: clocks are set while calls go on."""
        if event.at >= self._latest or not self.calls or self._latest - event.at > DAY_S:
            self._latest = event.at
            return event
        return structs.replace(event, at=self._latest)

    def _on_queue_member(self, event: e.QueueMemberEvent) -> None:
        self.registry.tell(*self.queue_state.member(event))

    def _on_queue_members_listed(self, event: e.QueueMembersListed) -> None:
        self.registry.tell(*self.queue_state.members_listed(event))

    def _on_device_state_change(self, event: e.DeviceStateChange) -> None:
        self.registry.tell(*self.queue_state.device(event))
