"""Call recovery: a new channel takes the place of the agent's old one. Pure.

A browser phone whose page was reloaded calls again with Replaces (RFC 3891), and the PBX swaps the new
channel for the old one in the bridge. For people nothing has happened: the call and its conversation
continue, on hold or muted as before.
"""

from msgspec import structs

from domain import facts as f
from domain.calls import Call
from domain.pbx import events as e
from gateway.calls.channels import Channel
from gateway.calls.conversations import Conversations
from gateway.calls.registry import CallRegistry


class CallRecovery:
    """Handles channels entering a bridge, which may replace another channel there."""

    def __init__(self, registry: CallRegistry, conversations: Conversations) -> None:
        self._registry = registry
        self._conversations = conversations

    def on_bridge_enter(self, event: e.BridgeEnter) -> None:
        """A channel enters a bridge; if it replaces the same agent's channel, recover the call."""
        registry = self._registry
        old, call = registry.channels.get(event.swaps), registry.call(event)
        new = registry.channels.get(event.uniqueid)
        same = old is not None and new is not None and new.agent is not None and new.agent == old.agent
        if not same or call is None or old is None or new is None or new.local or old.local:
            self._conversations.on_bridge_enter(event)
            return
        self._replace(event.at, call, old, new)
        self._conversations.on_bridge_enter(event)
        registry.tell(f.CallUpdated(at=event.at, call=registry.calls[new.call_id], what=f.RECOVERED))

    def _replace(self, at: float, call: Call, old: Channel, new: Channel) -> None:
        """Transfer the state of the old leg to the new one."""
        call = self._registry.add_leg(call, new)
        before = call.leg(old.uniqueid)
        if before is None:
            return
        if before.held and not old.silenced:
            # The phone itself held the other side (re-INVITE), which the new channel does not.
            call = self._conversations.set_held(at, call, old.uniqueid, False)
            before = structs.replace(before, held=False)
        call = self._registry.set_leg(
            call, new.uniqueid, side=before.side, held=before.held, muted=before.muted, party=before.party
        )
        call = self._registry.set_leg(call, old.uniqueid, held=False, muted=False)
        new.silenced, new.parent, new.ringing = old.silenced, old.parent, False
        for one in self._registry.members(call.id):
            if one.parent == old.uniqueid:
                one.parent = new.uniqueid
        self._registry.change(
            call,
            conversations=tuple(
                structs.replace(talk, channel=new.name)
                if talk.channel == old.name and talk.ended_at is None
                else talk
                for talk in call.conversations
            ),
            holds=tuple(
                structs.replace(hold, uniqueid=new.uniqueid)
                if hold.uniqueid == old.uniqueid and hold.ended_at is None
                else hold
                for hold in call.holds
            ),
        )
