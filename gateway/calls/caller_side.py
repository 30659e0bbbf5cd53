"""Who is on the caller's side once the caller has handed the others over to each other, or is gone. Pure.

A conversation needs somebody on the caller's side. Where the caller transfers whom they called to a third
party, the one handed over takes that side: of two who talk, one is always the other's caller.
"""

from domain.calls import Call, Direction, Leg, Side
from gateway.calls.conversations import Conversations
from gateway.calls.registry import CallRegistry


class CallerSide:
    """Changes the sides of a call's legs when the caller leaves and others go on."""

    def __init__(self, registry: CallRegistry, conversations: Conversations) -> None:
        self._registry = registry
        self._conversations = conversations

    def handed_over(self, at: float, call: Call, transferers: set[str], others: tuple[str, ...]) -> Call:
        """The caller's own phone (`transferers`: its channels) connected `others` with somebody else."""
        live = [leg for leg in call.legs if leg.ended_at is None]
        callers = [leg for leg in live if leg.side is Side.CALLER]
        if not callers or any(leg.uniqueid not in transferers for leg in callers):
            return call
        heir = next((leg for other in others for leg in live if leg.uniqueid == other), None)
        return call if heir is None else self._inherit(at, call, heir)

    def left(self, at: float, call: Call, leg: Leg | None) -> Call:
        """A leg has hung up: without anybody on the caller's side nobody talks with the caller any more."""
        live = [one for one in call.legs if one.ended_at is None]
        if leg is None or leg.side is not Side.CALLER or any(one.side is Side.CALLER for one in live):
            return call
        heir = next((one for one in live if self._goes_on(call, one)), None)
        if heir is not None:
            return self._inherit(at, call, heir)
        return self._conversations.end_conversations(at, call)

    def _goes_on(self, call: Call, leg: Leg) -> bool:
        """Whether that party goes on talking with others; agents whose caller is gone only consult."""
        channel = self._registry.channels.get(leg.uniqueid)
        if channel is None or (leg.agent is not None and call.direction is Direction.INBOUND):
            return False
        return self._registry.hears(channel)

    def _inherit(self, at: float, call: Call, heir: Leg) -> Call:
        call = self._conversations.end_conversations(at, call)
        call = self._registry.set_leg(call, heir.uniqueid, side=Side.CALLER)
        if (channel := self._registry.channels.get(heir.uniqueid)) is not None:
            self._conversations.settle(at, channel)
        return self._registry.calls[call.id]
