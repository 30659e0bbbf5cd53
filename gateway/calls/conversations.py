"""Who talks with whom: bridges, holds, and the call state that follows from them. Pure."""

from collections.abc import Callable

from msgspec import structs

from domain import facts as f
from domain.calls import Call, CallState, Conversation, Direction, Hold, Side, Transfer, TransferType
from domain.pbx import events as e
from domain.pbx.events import ChannelEvent
from gateway.calls.channels import Channel
from gateway.calls.conferences import Conferences
from gateway.calls.registry import CallRegistry

HOLDING = "holding_bridge"
Since = Callable[[Call, Channel], float]


class Conversations:
    """Handles events about bridges and holds."""

    def __init__(self, registry: CallRegistry) -> None:
        self._registry = registry
        self.conferences = Conferences(registry)

    # -- state ---------------------------------------------------------------------------------------------
    def refresh(self, call: Call, *, given_up: bool = False) -> Call:
        """Derive the call's state from its channels and return the updated call.

        A phone that stopped ringing because the caller gave up, or because another phone answered, leaves the
        call ringing, and a caller who left the parking lot leaves it parked: the next event decides.
        `given_up` means that nobody answered.
        """
        members = self._registry.members(call.id)
        if call.talking:
            held = any(leg.held and leg.ended_at is None for leg in call.legs)
            state = CallState.HELD if held else CallState.TALKING
        elif any(one.parked is not None for one in members):
            state = CallState.PARKED
        elif any(one.ringing for one in members):
            state = CallState.RINGING
        elif any(self._registry.hears(one) for one in members if not one.local):
            # Colleagues who consulted each other, and whose caller is gone.
            state = CallState.TALKING
        elif call.state is CallState.RINGING and not given_up:
            state = CallState.RINGING
        elif any(one.queue is not None for one in members):
            state = CallState.QUEUED
        elif call.state is CallState.PARKED and not given_up:
            state = CallState.PARKED
        else:
            state = CallState.IVR
        return call if state is call.state else self._registry.change(call, state=state)

    # -- bridges -------------------------------------------------------------------------------------------
    def on_bridge_enter(self, event: e.BridgeEnter) -> None:
        """A channel enters a bridge: the channels in it can now hear each other."""
        call = self._registry.call(event)
        if call is None:
            return
        channel = self._registry.channels[event.uniqueid]
        if event.technology == HOLDING:
            self._registry.set_bridge(channel, None)
            self._registry.set_leg(call, channel.uniqueid, bridge=None)
            return
        channel.ringing, channel.sent_to, channel.parked = False, "", None
        channel.spoke_at = event.exten
        channel.state = event.state or channel.state
        self._registry.set_bridge(channel, event.bridge)
        self._registry.set_leg(call, channel.uniqueid, bridge=event.bridge)
        self._back(event.at, channel)
        self.settle(event.at, channel)

    def settle(self, at: float, channel: Channel, since: Since | None = None) -> None:
        """Update calls after a change of the parties bridged with `channel`.

        `since`: when a conversation began that is noticed only now.
        """
        registry = self._registry
        parties = registry.parties(channel)
        call = registry.calls[channel.call_id]
        if len(parties) < 2:
            registry.show(at, channel.agent)
            return
        for one in parties:
            if one.call_id != call.id and (other := registry.calls.get(one.call_id)) is not None:
                call = registry.merge(at, call, other)
        for one in parties:
            if call.leg(one.uniqueid) is None and not one.local:
                call = registry.add_leg(call, one)
        legs = [(one, leg) for one in parties if (leg := call.leg(one.uniqueid)) is not None]
        # Agents on their own are consulting each other; a conversation needs the caller.
        if any(leg.side is Side.CALLER for _, leg in legs):
            for one, leg in legs:
                if leg.side is Side.AGENT:
                    began = at if since is None else since(call, one)
                    call = self.begin_conversation(at, call, one, leg.agent, 0.0, began)
        elif call.talking and legs and sum(not one.local for one in parties) > 1:
            # No conversation begins, so nothing else would report the change.
            registry.tell(f.CallUpdated(at=at, call=call, what="consultation"))
        call = self._left_behind(at, call, parties)
        call = self.conferences.confer(at, self.refresh(call), parties)
        for one in parties:
            registry.show(at, one.agent)

    def _back(self, at: float, channel: Channel) -> None:
        """Resume a holder who is bridged with the caller again: DTMF transfers send no Unhold."""
        call = self._registry.calls[channel.call_id]
        leg = call.leg(channel.uniqueid)
        others = {one.uniqueid for one in self._registry.parties(channel)} - {channel.uniqueid}
        if leg is None or not leg.held or channel.silenced:
            return
        if any(one.side is Side.CALLER and one.uniqueid in others for one in call.legs):
            self.set_held(at, call, channel.uniqueid, False)

    def _left_behind(self, at: float, call: Call, parties: list[Channel]) -> Call:
        """End the conversations of those who left the bridge while the caller now talks with others.

        It does not matter whether they have hung up.
        """
        running = [talk.channel for talk in call.conversations if talk.ended_at is None]
        # A phone behind a Local channel may enter its own bridge only after the caller has entered theirs.
        here = {one.name for each in parties for one in (each, self._registry.telephone(each))}
        if here.issuperset(running) or not any(
            leg.side is Side.CALLER and leg.channel in here for leg in call.legs
        ):
            return call
        for one in self._registry.members(call.id):
            if one.bridge is None and one.name in running:
                call = self.end_conversation(at, call, one.name)
        return call

    def on_bridge_leave(self, event: e.BridgeLeave) -> None:
        """A channel leaves a bridge."""
        registry = self._registry
        call = registry.call(event)
        if call is None:
            return
        channel = registry.channels[event.uniqueid]
        bridge = channel.bridge
        if bridge is None or bridge != event.bridge:
            return
        self.sent_elsewhere(event, call, channel)
        call = registry.set_leg(registry.calls[channel.call_id], channel.uniqueid, bridge=None)
        registry.set_bridge(channel, None)
        self.conferences.left(event.at, call)
        registry.show(event.at, channel.agent)

    def succeed(self, at: float, gone: Channel, bridge: str) -> None:
        """A channel hung up without leaving its bridge: its successor is in the bridge now."""
        heir = self._registry.channels.get(gone.successor or "")
        if heir is None or heir.bridge == bridge:
            return
        heir.sent_to, heir.spoke_at = "", None
        self._registry.set_bridge(heir, bridge)
        self._registry.set_leg(self._registry.calls[heir.call_id], heir.uniqueid, bridge=bridge)
        self.settle(at, heir)

    def sent_elsewhere(self, event: ChannelEvent, call: Call, channel: Channel) -> Call:
        """Record a blind transfer if a caller was moved out of a conversation unannounced (Redirect)."""
        leg = call.leg(channel.uniqueid)
        stays = channel.spoke_at is None or event.exten in ("", "s", "h", channel.spoke_at)
        if stays or channel.sent_to or leg is None or leg.side is not Side.CALLER or not call.conversations:
            return call
        channel.sent_to = event.exten
        return self.transferred(
            event.at, call, TransferType.BLIND, call.conversations[-1].agent or "", event.exten, "success"
        )

    def transferred(
        self, at: float, call: Call, transfer_type: TransferType, origin: str, target: str, result: str
    ) -> Call:
        """Record a transfer of the call to another party."""
        step = Transfer(at=at, transfer_type=transfer_type, origin=origin, target=target, result=result)
        call = self._registry.change(call, transfers=(*call.transfers, step))
        self._registry.tell(
            f.CallTransferred(
                at=at, call=call, transfer_type=transfer_type, origin=origin, target=target, result=result
            )
        )
        return call

    # -- with the caller -----------------------------------------------------------------------------------
    def begin_conversation(
        self,
        at: float,
        call: Call,
        channel: Channel,
        agent: str | None,
        waited: float,
        began: float | None = None,
    ) -> Call:
        """Start a party's conversation with the caller, unless it is already in progress.

        `began`: where that was before `at`.

        Who is no agent (a number outside, a phone nobody configured) talks like anybody else; the call keeps
        the agent it had last.
        """
        if any(talk.ended_at is None and talk.channel == channel.name for talk in call.conversations):
            return call
        channel.ringing = False
        party = self._registry.party(channel.uniqueid) if agent is None else ""
        began = at if began is None else min(began, at)
        talk = Conversation(agent=agent, channel=channel.name, started_at=began, party=party)
        held = any(leg.held and leg.ended_at is None for leg in call.legs)
        queue = channel.served or call.queue
        if call.direction is not Direction.INTERNAL:
            # Whom a colleague's consultation of a queue reached may come to the caller yet.
            channel.served = None
        call = self._registry.change(
            call,
            queue=queue,
            line=self._registry.line_of_queue.get(queue or "", call.line)
            if queue != call.queue
            else call.line,
            state=CallState.HELD if held else CallState.TALKING,
            agent=agent if agent is not None else call.agent,
            let_go=False,
            answered_at=call.answered_at if call.answered_at is not None else began,
            conversations=(*call.conversations, talk),
        )
        self._registry.tell(
            f.CallAnswered(at=at, call=call, agent=agent, channel=channel.name, waited=waited, party=party)
        )
        self._registry.show(at, agent)
        return call

    def end_conversation(self, at: float, call: Call, channel: str) -> Call:
        """End the conversation of the party on that channel."""
        running = next((t for t in call.conversations if t.ended_at is None and t.channel == channel), None)
        if running is None:
            return call
        conversations = tuple(
            structs.replace(t, ended_at=at) if t is running else t for t in call.conversations
        )
        call = self.refresh(self._registry.change(call, conversations=conversations))
        self._registry.tell(
            f.ConversationEnded(at=at, call=call, agent=running.agent, channel=channel, party=running.party)
        )
        return call

    def end_conversations(self, at: float, call: Call) -> Call:
        """End all conversations that are running."""
        for talk in call.conversations:
            if talk.ended_at is None:
                call = self.end_conversation(at, call, talk.channel)
        return call

    # -- holds ---------------------------------------------------------------------------------------------
    def on_hold(self, event: e.Hold) -> None:
        """A party puts the other side on hold."""
        self.held(event, True)

    def on_unhold(self, event: e.Unhold) -> None:
        """A party resumes the call."""
        self.held(event, False)

    def held(self, event: ChannelEvent, held: bool) -> None:
        """A party holds or resumes, as reported by any kind of event."""
        call = self._registry.call(event)
        leg = call.leg(event.uniqueid) if call is not None else None
        # Phones resume before each transfer whether or not they held: report only real changes.
        if call is None or leg is None or leg.held is held:
            return
        call = self.set_held(event.at, call, event.uniqueid, held)
        for channel in self._registry.members(call.id):
            self._registry.show(event.at, channel.agent)

    def set_held(self, at: float, call: Call, uniqueid: str, held: bool) -> Call:
        """Record that a leg holds the others or has resumed."""
        leg = call.leg(uniqueid)
        if leg is None or leg.held is held:
            return call
        if held:
            holds = (*call.holds, Hold(uniqueid=uniqueid, agent=leg.agent, started_at=at))
        else:
            holds = tuple(
                structs.replace(one, ended_at=at)
                if one.uniqueid == uniqueid and one.ended_at is None
                else one
                for one in call.holds
            )
        call = self._registry.set_leg(self._registry.change(call, holds=holds), uniqueid, held=held)
        call = self.refresh(call)
        self._registry.tell(f.CallHeld(at=at, call=call, held=held, by=leg.agent or leg.party.number))
        return call
