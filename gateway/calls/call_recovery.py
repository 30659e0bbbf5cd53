"""A phone takes its call back: a new channel in the place of the agent's old one. Pure.

A browser phone whose page was reloaded calls again with Replaces (RFC 3891); the PBX swaps the new
channel for the old one in the bridge. To people nothing happened: one call and talk, held or muted as before.
"""

from msgspec import structs

from domain import facts as f
from domain.calls import Call
from domain.pbx import events as e
from gateway.calls.channels import Channel
from gateway.calls.conversations import Conversations
from gateway.calls.registry import Book


class TakingBack:
    """The handler of channels that enter a bridge, maybe in another's place, over one book."""

    def __init__(self, book: Book, conversations: Conversations) -> None:
        self._book = book
        self._talks = conversations

    def enter(self, event: e.BridgeEnter) -> None:
        """A channel enters a bridge."""
        book = self._book
        old, call = book.channels.get(event.swaps), book.call(event)
        new = book.channels.get(event.uniqueid)
        same = old is not None and new is not None and new.agent is not None and new.agent == old.agent
        if not same or call is None or old is None or new is None or new.local or old.local:
            self._talks.enter(event)
            return
        self._replace(event.at, call, old, new)
        self._talks.enter(event)
        book.tell(f.CallUpdated(at=event.at, call=book.calls[new.call_id], what=f.TAKEN_BACK))

    def _replace(self, at: float, call: Call, old: Channel, new: Channel) -> None:
        """What the old leg was, the new one is."""
        call = self._book.add_leg(call, new)
        before = call.leg(old.uniqueid)
        if before is None:
            return
        if before.held and not old.silenced:
            # The phone itself held the other: the new one does not.
            call = self._talks.set_held(at, call, old.uniqueid, False)
            before = structs.replace(before, held=False)
        call = self._book.set_leg(
            call, new.uniqueid, side=before.side, held=before.held, muted=before.muted, party=before.party
        )
        call = self._book.set_leg(call, old.uniqueid, held=False, muted=False)
        new.silenced, new.parent, new.ringing = old.silenced, old.parent, False
        for one in self._book.members(call.id):
            if one.parent == old.uniqueid:
                one.parent = new.uniqueid
        self._book.change(
            call,
            talks=tuple(
                structs.replace(talk, channel=new.name)
                if talk.channel == old.name and talk.ended_at is None
                else talk
                for talk in call.talks
            ),
            holds=tuple(
                structs.replace(hold, uniqueid=new.uniqueid)
                if hold.uniqueid == old.uniqueid and hold.ended_at is None
                else hold
                for hold in call.holds
            ),
        )
