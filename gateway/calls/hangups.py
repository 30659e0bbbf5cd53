"""Who hung up, and why: from the PBX's word for each party, else from who left the bridge first. Pure."""

from msgspec import structs

from domain.calls import Call, Direction, EndedBy, EndReason, Incident, IncidentKind, Leg, Side
from domain.pbx import events as e
from gateway.calls.registry import CallRegistry

JUST_S = 2.0
"""Who hung up less than this before the end of the call ended it."""
MEDIA_LOST = 44
"""Q.850 cause with which the PBX ends a leg that sends no more audio (`rtp_timeout`)."""
REJECTED = 21
"""Q.850 cause with which a dialplan refuses a caller."""
GAVE_UP = frozenset({EndReason.ABANDONED_QUEUE, EndReason.ABANDONED_RINGING, EndReason.ABANDONED_PARKED})
NOBODY_KNOWS = frozenset({EndReason.MERGED, EndReason.UNSEEN})


class Hangups:
    """Notes on each leg when its party hung up."""

    def __init__(self, registry: CallRegistry) -> None:
        self._registry = registry

    def on_hangup_request(self, event: e.HangupRequest) -> None:
        """A party hung up, as its own end of the line says; the Hangup follows."""
        registry = self._registry
        registry.reports_hangups = True
        channel, call = registry.channels.get(event.uniqueid), registry.call(event)
        leg = call.leg(event.uniqueid) if call is not None else None
        if channel is None or call is None or leg is None:
            return
        # A phone that was called and refuses has not hung up.
        if leg.answered_at is not None or channel.parent is None:
            registry.set_leg(call, event.uniqueid, hung_up_at=event.at)

    def on_soft_hangup_request(self, event: e.SoftHangupRequest) -> None:
        """The PBX itself hangs a channel up: a party who did so would have been told of before."""
        registry = self._registry
        call = registry.call(event)
        if call is not None and not registry.reports_hangups:
            for leg in call.legs:
                call = registry.set_leg(call, leg.uniqueid, hung_up_at=None)
        registry.reports_hangups = True

    def on_bridge_enter(self, event: e.BridgeEnter) -> None:
        """Who enters a bridge again had only been moved."""
        call = self._registry.call(event)
        if call is not None:
            self._registry.set_leg(call, event.uniqueid, hung_up_at=None)

    def on_bridge_leave(self, event: e.BridgeLeave) -> None:
        """Where the PBX does not say who hung up, it is whoever leaves the other behind."""
        registry = self._registry
        channel, call = registry.channels.get(event.uniqueid), registry.call(event)
        if registry.reports_hangups or channel is None or call is None or channel.bridge != event.bridge:
            return
        others = [one.uniqueid for one in registry.parties(channel) if one is not channel and not one.local]
        legs = [leg for one in others if (leg := call.leg(one)) is not None]
        if len(legs) == 1 and legs[0].hung_up_at is None:
            registry.set_leg(call, event.uniqueid, hung_up_at=event.at)

    def on_agent_complete(self, event: e.AgentComplete) -> None:
        """app_queue knows better than the order of leaving."""
        registry = self._registry
        call = registry.call_of(event.uniqueid) or registry.call_of(event.dest_uniqueid)
        if registry.reports_hangups or call is None or event.reason not in ("caller", "agent"):
            return
        names = (event.uniqueid, event.dest_uniqueid)
        who, other = names if event.reason == "caller" else reversed(names)
        call = registry.set_leg(call, other, hung_up_at=None)
        registry.set_leg(call, who, hung_up_at=event.at)


def ended(call: Call, at: float, reason: EndReason, *, reported: bool) -> Call:
    """The call with how it ended. `reported`: the PBX says who hangs up."""
    ended_by, cause = goodbye(call, at, reason, reported=reported)
    incidents = call.incidents
    turned_away = call.direction is Direction.INBOUND and call.queued_at is None and not call.conversations
    if turned_away and cause == REJECTED and not any(one.kind is IncidentKind.BLOCKED for one in incidents):
        incidents = (*incidents, Incident(at=at, kind=IncidentKind.BLOCKED))
    return structs.replace(
        call, end_reason=reason, ended_by=ended_by, hangup_cause=cause, incidents=incidents
    )


def goodbye(call: Call, at: float, reason: EndReason, *, reported: bool) -> tuple[EndedBy | None, int | None]:
    """Who ended the call, and the Q.850 cause; `None`: unknown. `reported`: the PBX says who hangs up."""
    if reason in NOBODY_KNOWS or not call.legs:
        return None, None
    last = max(call.legs, key=lambda leg: at if leg.ended_at is None else leg.ended_at)
    if reason is EndReason.FAILED:
        called = [leg.cause for leg in call.legs[1:] if leg.cause]
        ended_by = _side(call.legs[0]) if call.legs[0].hung_up_at is not None else EndedBy.SYSTEM
        return ended_by, (called[-1] if called else last.cause) or None
    if reason in GAVE_UP:
        caller = call.caller_leg or last
        asked = caller.hung_up_at is not None or not reported
        return (EndedBy.CALLER if asked else EndedBy.SYSTEM), caller.cause or None
    just = [leg for leg in call.legs if leg.hung_up_at is not None and at - leg.hung_up_at <= JUST_S]
    if last.hung_up_at is not None or just:
        who = last if not just else min(just, key=lambda leg: leg.hung_up_at or 0.0)
        return (EndedBy.SYSTEM if who.cause == MEDIA_LOST else _side(who)), who.cause or None
    known = reason is EndReason.QUEUE_TIMEOUT or reported or last.cause == MEDIA_LOST
    return EndedBy.SYSTEM if known else None, last.cause or None


def _side(leg: Leg) -> EndedBy:
    return EndedBy.CALLER if leg.side is Side.CALLER else EndedBy.AGENT
