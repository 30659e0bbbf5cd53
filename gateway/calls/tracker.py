"""The call tracker of one PBX: events in, facts out, the picture of calls kept. Pure: no clock, no I/O.

A call is keyed by Linkedid and lives from its first channel to its last. What happens on a call is told by
app_queue where a queue is involved (it knows callers from agents), by channels and bridges elsewhere.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import structs

from gateway.calls.channels import Channel, is_listener, phone_of
from gateway.calls.floor import AgentProfile, Floor
from gateway.models import facts as f
from gateway.models.call import Call, CallState, Direction, EndReason, Leg, Party, Recording, Side, Talk
from gateway.models.facts import AnyFact
from gateway.models.line import Line
from gateway.models.queue import Waiting
from gateway.pbx import events as e
from gateway.pbx.events import AnyPbxEvent, ChannelEvent


class CallTracker:
    """One PBX's calls (`calls`, live ones by id), queues and agents (`floor`)."""

    def __init__(
        self, pbx: str, lines: Sequence[Line], profiles: Iterable[AgentProfile], *, missed_limit: int = 0
    ) -> None:
        self.pbx = pbx
        self.floor = Floor(pbx, lines, profiles, missed_limit=missed_limit)
        self.calls: dict[str, Call] = {}
        self.channels: dict[str, Channel] = {}
        self._lines = {line.id: line for line in lines}
        self._line_of_queue = {line.queue: line.id for line in lines}
        self._line_of_number = {number: line.id for line in lines for number in line.numbers}
        self._handlers: dict[type[AnyPbxEvent], Callable[[Any], list[AnyFact]]] = {
            e.NewChannel: self._new_channel,
            e.NewState: self._new_state,
            e.NewCallerId: self._new_caller_id,
            e.Rename: self._rename,
            e.Hangup: self._hangup,
            e.Hold: lambda event: self._hold(event, True),
            e.Unhold: lambda event: self._hold(event, False),
            e.VarSet: self._var_set,
            e.MixMonitorStart: self._mix_monitor_start,
            e.MixMonitorStop: self._mix_monitor_stop,
            e.BridgeEnter: self._bridge_enter,
            e.BridgeLeave: self._bridge_leave,
            e.BlindTransfer: self._blind_transfer,
            e.AttendedTransfer: self._attended_transfer,
            e.QueueCallerJoin: self._queue_join,
            e.QueueCallerLeave: self._queue_leave,
            e.AgentCalled: self._agent_called,
            e.AgentRingNoAnswer: self._agent_missed,
            e.AgentConnect: self._agent_connect,
            e.AgentComplete: self._agent_complete,
            e.QueueMemberAdded: self.floor.member,
            e.QueueMemberStatus: self.floor.member,
            e.QueueMemberPause: self.floor.member,
            e.QueueMemberRemoved: self.floor.member,
            e.DeviceStateChange: self.floor.device,
        }

    def apply(self, event: AnyPbxEvent) -> list[AnyFact]:
        """Fold one event in; the facts that follow, in order. An event that says nothing new says nothing."""
        facts = self.floor.observe(event)
        handler = self._handlers.get(type(event))
        return [*facts, *handler(event)] if handler else facts

    # -- calls and legs --------------------------------------------------------------------------------
    def call_id(self, linkedid: str) -> str:
        """The id of the call of that Linkedid."""
        return f"{self.pbx}-{linkedid}"

    def knows_line(self, line: str) -> bool:
        """Whether a line of that id is configured."""
        return line in self._lines

    def _call(self, event: ChannelEvent) -> Call | None:
        """The live call of an event's channel; follows a channel whose Linkedid was taken over."""
        channel = self.channels.get(event.uniqueid)
        if channel is None:
            return None
        if event.linkedid and event.linkedid != channel.linkedid:
            self._rehome(channel, event.linkedid)
        return self.calls.get(channel.call_id) if channel.call_id else None

    def _rehome(self, channel: Channel, linkedid: str) -> None:
        """A bridge gave the channel an older Linkedid: its leg belongs to that call now."""
        target = self.calls.get(self.call_id(linkedid))
        channel.linkedid = linkedid
        source = self.calls.get(channel.call_id) if channel.call_id else None
        if target is None or source is None or target.id == source.id:
            return
        moved = next((leg for leg in source.legs if leg.uniqueid == channel.uniqueid), None)
        self.calls[source.id] = structs.replace(
            source, legs=tuple(leg for leg in source.legs if leg.uniqueid != channel.uniqueid)
        )
        if moved is not None:
            side = Side.AGENT if moved.agent else moved.side
            self.calls[target.id] = structs.replace(
                target, legs=(*target.legs, structs.replace(moved, side=side))
            )
        channel.call_id = target.id

    def _keep(self, call: Call) -> Call:
        self.calls[call.id] = call
        return call

    def _set_leg(self, call: Call, uniqueid: str, **changes: Any) -> Call:
        legs = tuple(
            structs.replace(leg, **changes) if leg.uniqueid == uniqueid else leg for leg in call.legs
        )
        return structs.replace(call, legs=legs)

    def _new_channel(self, event: e.NewChannel) -> list[AnyFact]:
        if event.uniqueid in self.channels or is_listener(event.channel):
            return []
        call_id = self.call_id(event.linkedid or event.uniqueid)
        channel = Channel(
            uniqueid=event.uniqueid,
            linkedid=event.linkedid or event.uniqueid,
            name=event.channel,
            state=event.state,
            created_at=event.at,
            caller_number=event.caller_number,
            caller_name=event.caller_name,
            context=event.context,
            exten=event.exten,
            call_id=call_id,
        )
        self.channels[event.uniqueid] = channel
        agent = self.floor.agent_of_phone(phone_of(event.channel))
        call = self.calls.get(call_id)
        if call is not None:
            leg = self._leg(channel, Side.AGENT, agent)
            self._keep(structs.replace(call, legs=(*call.legs, leg)))
            return []
        line = self._line_of_number.get(event.exten)
        call = self._keep(
            Call(
                id=call_id,
                pbx=self.pbx,
                linkedid=channel.linkedid,
                direction=Direction.OUTBOUND if agent else Direction.INBOUND,
                state=CallState.IVR,
                caller=Party(event.caller_number, event.caller_name),
                called=event.exten,
                started_at=event.at,
                line=line,
                legs=(self._leg(channel, Side.CALLER, agent),),
            )
        )
        return [f.CallStarted(at=event.at, call=call)]

    @staticmethod
    def _leg(channel: Channel, side: Side, agent: str | None) -> Leg:
        return Leg(
            uniqueid=channel.uniqueid,
            channel=channel.name,
            side=side,
            party=Party(channel.caller_number, channel.caller_name),
            created_at=channel.created_at,
            agent=agent,
            answered_at=channel.created_at if channel.state == "Up" else None,
        )

    def _new_state(self, event: e.NewState) -> list[AnyFact]:
        call = self._call(event)
        if call is None:
            return []
        self.channels[event.uniqueid].state = event.state
        leg = next((leg for leg in call.legs if leg.uniqueid == event.uniqueid), None)
        if event.state == "Up" and leg is not None and leg.answered_at is None:
            self._keep(self._set_leg(call, event.uniqueid, answered_at=event.at))
        return []

    def _new_caller_id(self, event: e.NewCallerId) -> list[AnyFact]:
        call = self._call(event)
        if call is None:
            return []
        party = Party(event.caller_number, event.caller_name)
        channel = self.channels[event.uniqueid]
        channel.caller_number, channel.caller_name = party.number, party.name
        call = self._set_leg(call, event.uniqueid, party=party)
        leg = call.caller_leg
        if leg is None or leg.uniqueid != event.uniqueid or call.caller == party:
            self._keep(call)
            return []
        return [
            f.CallUpdated(at=event.at, call=self._keep(structs.replace(call, caller=party)), what="caller")
        ]

    def _rename(self, event: e.Rename) -> list[AnyFact]:
        channel = self.channels.get(event.uniqueid)
        if channel is None:
            return []
        channel.name = event.new_name
        call = self.calls.get(channel.call_id or "")
        if call is None:
            return []
        call = self._keep(self._set_leg(call, event.uniqueid, channel=event.new_name))
        return [f.CallUpdated(at=event.at, call=call, what="channel")]

    def _hangup(self, event: e.Hangup) -> list[AnyFact]:
        call = self._call(event)
        channel = self.channels.pop(event.uniqueid, None)
        if channel is None or call is None:
            return []
        facts: list[AnyFact] = []
        if channel.queue:
            facts += self.floor.leave(event.at, channel.queue, channel.uniqueid)
        call = self._set_leg(call, event.uniqueid, ended_at=event.at, cause=event.cause, bridge=None)
        leg = next((leg for leg in call.legs if leg.uniqueid == event.uniqueid), None)
        self._keep(call)
        if leg is not None and leg.agent:
            facts += self._end_talk(event.at, call, leg.agent, leg.channel)
        call = self.calls[call.id]
        if not any(other.call_id == call.id for other in self.channels.values()):
            facts += self.end(event.at, call, self._end_reason(call, event.cause))
        return facts

    @staticmethod
    def _end_reason(call: Call, cause: int) -> EndReason:
        if call.answered_at is not None:
            return EndReason.COMPLETED
        if call.state is CallState.RINGING:
            return EndReason.ABANDONED_RINGING
        if call.state is CallState.QUEUED:
            return EndReason.ABANDONED_QUEUE
        if call.queued_at is not None:
            return EndReason.QUEUE_TIMEOUT
        if call.direction is Direction.INBOUND:
            return EndReason.ABANDONED_IVR
        return EndReason.COMPLETED if cause == 16 else EndReason.FAILED

    def end(self, at: float, call: Call, reason: EndReason) -> list[AnyFact]:
        """Close a live call, with its talks and recordings; the facts that follow."""
        facts: list[AnyFact] = []
        for talk in call.talks:
            if talk.ended_at is None:
                facts += self._end_talk(at, call, talk.agent, talk.channel)
                call = self.calls[call.id]
        recordings = tuple(
            structs.replace(one, ended_at=at) if one.ended_at is None else one for one in call.recordings
        )
        call = structs.replace(
            call, state=CallState.ENDED, ended_at=at, end_reason=reason, recordings=recordings
        )
        self.calls.pop(call.id, None)
        return [*facts, *self.floor.release(at, call.id), f.CallEnded(at=at, call=call)]

    # -- what the dialplan tells -------------------------------------------------------------------------
    def _var_set(self, event: e.VarSet) -> list[AnyFact]:
        call = self._call(event)
        if call is None:
            return []
        name, value = event.variable, event.value
        if name == "HOTLINE_LINE":
            if value not in self._lines or call.line == value:
                return []
            call = structs.replace(call, line=value)
        elif name == "HOTLINE_DID":
            if call.called == value:
                return []
            call = structs.replace(call, called=value[:64])
        elif name == "HOTLINE_RECORDING":
            if not value or any(one.path == value for one in call.recordings):
                return []
            recording = Recording(path=value, channel=event.channel, started_at=event.at)
            call = structs.replace(call, recordings=(*call.recordings, recording))
        elif name.startswith("HOTLINE_IVR_"):
            call = structs.replace(call, ivr={**call.ivr, name[len("HOTLINE_IVR_") :].lower(): value[:200]})
        else:
            return []
        return [f.CallUpdated(at=event.at, call=self._keep(call), what=name)]

    def _mix_monitor_start(self, event: e.MixMonitorStart) -> list[AnyFact]:
        return self._recordings(event, lambda one: structs.replace(one, started_at=event.at))

    def _mix_monitor_stop(self, event: e.MixMonitorStop) -> list[AnyFact]:
        return self._recordings(event, lambda one: structs.replace(one, ended_at=event.at))

    def _recordings(self, event: ChannelEvent, change: Callable[[Recording], Recording]) -> list[AnyFact]:
        call = self._call(event)
        if call is None or not call.recordings:
            return []
        # The event names the channel only; the last recording of that channel is meant.
        last = max((i for i, one in enumerate(call.recordings) if one.channel == event.channel), default=None)
        if last is None:
            return []
        recordings = tuple(change(one) if i == last else one for i, one in enumerate(call.recordings))
        call = self._keep(structs.replace(call, recordings=recordings))
        return [f.CallUpdated(at=event.at, call=call, what="recording")]

    # -- queue and agents ----------------------------------------------------------------------------------
    def _queue_join(self, event: e.QueueCallerJoin) -> list[AnyFact]:
        call = self._call(event)
        # In conversation already: an event from before a snapshot that knew more.
        if call is None or any(talk.ended_at is None for talk in call.talks):
            return []
        self.channels[event.uniqueid].queue = event.queue
        # The channel that waits is the caller's, whatever came before it (a Local channel's other half).
        legs = tuple(
            structs.replace(leg, side=Side.CALLER, agent=None) if leg.uniqueid == event.uniqueid else leg
            for leg in call.legs
            if leg.uniqueid == event.uniqueid or leg.side is not Side.CALLER
        )
        call = self._keep(
            structs.replace(
                call,
                legs=legs,
                state=CallState.QUEUED,
                queue=event.queue,
                line=self._line_of_queue.get(event.queue, call.line),
                queued_at=call.queued_at if call.queued_at is not None else event.at,
                caller=call.caller if call.caller.number else Party(event.caller_number, event.caller_name),
            )
        )
        waiting = Waiting(
            call_id=call.id,
            uniqueid=event.uniqueid,
            position=event.position,
            since=event.at,
            caller=call.caller.number,
        )
        return [
            f.CallQueued(at=event.at, call=call, queue=event.queue, position=event.position),
            *self.floor.join(event.at, event.queue, waiting),
        ]

    def _queue_leave(self, event: e.QueueCallerLeave) -> list[AnyFact]:
        facts = self.floor.leave(event.at, event.queue, event.uniqueid)
        channel = self.channels.get(event.uniqueid)
        if channel is not None:
            channel.queue = None
        return facts

    def _agent_called(self, event: e.AgentCalled) -> list[AnyFact]:
        call = self._call(event)
        if call is None:
            return []
        agent = self.floor.agent_of(event.member, event.interface)
        call = self._own_leg(call, event, agent)
        talking = any(talk.ended_at is None for talk in call.talks)
        call = self._keep(
            structs.replace(
                call,
                state=call.state if talking else CallState.RINGING,
                agent=agent,
                ringing_at=event.at,
            )
        )
        return [
            f.AgentRinging(at=event.at, call=call, agent=agent, channel=event.dest_channel),
            *self.floor.phone(event.at, agent, call_id=call.id, ringing=True),
        ]

    def _own_leg(self, call: Call, event: e.AgentCallEvent, agent: str) -> Call:
        """Note that the agent's channel belongs to this call, though its Newchannel may have been missed."""
        channel = self.channels.get(event.dest_uniqueid)
        if channel is None:
            channel = Channel(
                uniqueid=event.dest_uniqueid,
                linkedid=call.linkedid,
                name=event.dest_channel,
                state="",
                created_at=event.at,
            )
            self.channels[event.dest_uniqueid] = channel
        channel.call_id = call.id
        if any(leg.uniqueid == channel.uniqueid for leg in call.legs):
            return self._set_leg(call, channel.uniqueid, agent=agent, side=Side.AGENT)
        return structs.replace(call, legs=(*call.legs, self._leg(channel, Side.AGENT, agent)))

    def _agent_missed(self, event: e.AgentRingNoAnswer) -> list[AnyFact]:
        call = self._call(event)
        agent = self.floor.agent_of(event.member, event.interface)
        facts = self.floor.phone(event.at, agent, call_id=None)
        if call is None:
            return facts
        if call.state is CallState.RINGING and call.agent == agent:
            call = self._keep(structs.replace(call, state=CallState.QUEUED, agent=None))
        return [f.AgentMissed(at=event.at, call=call, agent=agent, rang=event.ring_time), *facts]

    def _agent_connect(self, event: e.AgentConnect) -> list[AnyFact]:
        call = self._call(event)
        if call is None:
            return []
        agent = self.floor.agent_of(event.member, event.interface)
        if any(talk.ended_at is None and talk.channel == event.dest_channel for talk in call.talks):
            return []
        call = self._own_leg(call, event, agent)
        return self._answered(event.at, call, agent, event.dest_channel, event.hold_time)

    def _answered(self, at: float, call: Call, agent: str, channel: str, waited: float) -> list[AnyFact]:
        talk = Talk(agent=agent, channel=channel, started_at=at)
        call = self._keep(
            structs.replace(
                call,
                state=CallState.TALKING,
                agent=agent,
                answered_at=call.answered_at if call.answered_at is not None else at,
                talks=(*call.talks, talk),
            )
        )
        return [
            f.CallAnswered(at=at, call=call, agent=agent, channel=channel, waited=waited),
            *self.floor.phone(at, agent, call_id=call.id, talking=True),
        ]

    def _agent_complete(self, event: e.AgentComplete) -> list[AnyFact]:
        call = self._call(event)
        agent = self.floor.agent_of(event.member, event.interface)
        if call is None:
            return self.floor.phone(event.at, agent, call_id=None)
        return self._end_talk(event.at, call, agent, event.dest_channel)

    def _end_talk(self, at: float, call: Call, agent: str | None, channel: str) -> list[AnyFact]:
        facts: list[AnyFact] = []
        running = [talk for talk in call.talks if talk.ended_at is None and talk.agent == agent]
        if running:
            talks = tuple(structs.replace(t, ended_at=at) if t in running else t for t in call.talks)
            others = any(talk.ended_at is None for talk in talks)
            state = CallState.TALKING if others else CallState.IVR
            call = self._keep(structs.replace(call, talks=talks, state=state))
            facts.append(f.TalkEnded(at=at, call=call, agent=agent, channel=channel))
        if agent is not None:
            status = self.floor.agents.get(agent)
            if status is None or status.call_id in (None, call.id):
                facts += self.floor.phone(at, agent, call_id=None)
        return facts

    # -- bridges, hold, transfers --------------------------------------------------------------------------
    def _bridge_enter(self, event: e.BridgeEnter) -> list[AnyFact]:
        call = self._call(event)
        if call is None:
            return []
        self.channels[event.uniqueid].bridge = event.bridge
        self._keep(self._set_leg(call, event.uniqueid, bridge=event.bridge))
        return []

    def _bridge_leave(self, event: e.BridgeLeave) -> list[AnyFact]:
        call = self._call(event)
        if call is None:
            return []
        self.channels[event.uniqueid].bridge = None
        self._keep(self._set_leg(call, event.uniqueid, bridge=None))
        return []

    def _hold(self, event: ChannelEvent, held: bool) -> list[AnyFact]:
        call = self._call(event)
        if call is None:
            return []
        call = self._set_leg(call, event.uniqueid, held=held)
        if call.state in (CallState.TALKING, CallState.HELD):
            any_held = any(leg.held for leg in call.legs if leg.ended_at is None)
            call = structs.replace(call, state=CallState.HELD if any_held else CallState.TALKING)
        self._keep(call)
        facts: list[AnyFact] = [f.CallHeld(at=event.at, call=call, held=held)]
        if call.agent is not None:
            facts += self.floor.phone(event.at, call.agent, call_id=call.id, talking=True, held=held)
        return facts

    def _blind_transfer(self, event: e.BlindTransfer) -> list[AnyFact]:
        return self._transferred(event.at, event.transferer_uniqueid, "blind", event.exten, event.result)

    def _attended_transfer(self, event: e.AttendedTransfer) -> list[AnyFact]:
        target = self.channels.get(event.target_uniqueid)
        name = target.name if target else event.destination_type
        return self._transferred(event.at, event.original_uniqueid, "attended", name, event.result)

    def _transferred(self, at: float, uniqueid: str, manner: str, target: str, result: str) -> list[AnyFact]:
        channel = self.channels.get(uniqueid)
        call = self.calls.get(channel.call_id or "") if channel else None
        if call is None:
            return []
        return [f.CallTransferred(at=at, call=call, manner=manner, target=target, result=result)]
