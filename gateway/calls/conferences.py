"""Three or more parties who talk with each other. Pure."""

from msgspec import structs

from domain import facts as f
from domain.calls import Call, Conference, Member
from gateway.calls.channels import Channel
from gateway.calls.registry import CallRegistry

CONFERENCE = 3
"""Minimum number of parties in a conference."""
PAUSE_S = 0.5
"""A conference that is complete again within this time has not ended."""


class Conferences:
    """Keeps a call's conferences."""

    def __init__(self, registry: CallRegistry) -> None:
        self._registry = registry

    def confer(self, at: float, call: Call, parties: list[Channel]) -> Call:
        """Start, update or end the conference of a call after its parties changed."""
        running = next((one for one in call.conferences if one.ended_at is None), None)
        if running is None and len(parties) < CONFERENCE:
            return call
        here = {one.uniqueid: one for one in parties} if len(parties) >= CONFERENCE else {}
        before = running or Conference(started_at=at, members=())
        last = call.conferences[-1] if call.conferences else None
        if running is None and last is not None and _paused(last, here, at):
            # A Local channel was optimised away: everybody left and came back immediately.
            before = running = last
            members = [
                structs.replace(one, left_at=None) if one.left_at == last.ended_at else one
                for one in last.members
            ]
            before = structs.replace(last, members=tuple(members))
        members = [
            structs.replace(one, left_at=at) if one.left_at is None and one.uniqueid not in here else one
            for one in before.members
        ]
        present = {one.uniqueid for one in members if one.left_at is None}
        members += [
            Member(uniqueid=one, party=self._registry.party(one), joined_at=at)
            for one in here
            if one not in present
        ]
        after = structs.replace(before, members=tuple(members), ended_at=None if here else at)
        if after == running:
            return call
        earlier = tuple(one for one in call.conferences if one is not running)
        call = self._registry.change(call, conferences=(*earlier, after))
        self._registry.tell(f.ConferenceChanged(at=at, call=call))
        return call

    def left(self, at: float, call: Call) -> None:
        """Somebody left a bridge: a conference may have ended."""
        running = next((one for one in call.conferences if one.ended_at is None), None)
        if running is None:
            return
        here = (self._registry.channels.get(one.uniqueid) for one in running.members if one.left_at is None)
        self.confer(
            at,
            call,
            max((self._registry.parties(one) for one in here if one is not None), key=len, default=[]),
        )


def _paused(conference: Conference, here: dict[str, Channel], at: float) -> bool:
    """Whether a conference that has just ended is continuing with the same parties."""
    if conference.ended_at is None or at - conference.ended_at > PAUSE_S:
        return False
    return {one.uniqueid for one in conference.members if one.left_at == conference.ended_at} == set(here)
