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
CALLED = frozenset({"Down", "Ringing"})
"""States of a channel that is being called; one that calls is in state Ring."""
NOBODY_KNOWS = frozenset({EndReason.MERGED, EndReason.UNSEEN})


class Hangups:
    """Notes on each leg when its party hung up."""

    def __init__(self, registry: CallRegistry) -> None:
        self._registry = registry

    def on_hangup_request(self, event: e.HangupRequest) -> None:
        """A party hung up, as its own end of the line says; the Hangup follows."""
        registry = self._registry
        self._reported()
        channel, call = registry.channels.get(event.uniqueid), registry.call(event)
        leg = call.leg(event.uniqueid) if call is not None else None
        if channel is None or call is None or leg is None:
            return
        # A phone that was called and refuses has not hung up; it may do so before its DialBegin.
        called = channel.parent is not None or channel.state in CALLED
        # Nor has a phone whose call every other phone refused: then the PBX refuses it.
        asked = [one for one in registry.members(call.id) if one.parent == event.uniqueid]
        refused = bool(asked) and all(one.dial_status and one.state in CALLED for one in asked)
        if leg.answered_at is not None or not (called or refused):
            registry.set_leg(call, event.uniqueid, hung_up_at=event.at)

    def _reported(self) -> None:
        """From now on the PBX's word counts, and no guess made before."""
        registry = self._registry
        if registry.reports_hangups:
            return
        registry.reports_hangups = True
        for call in list(registry.calls.values()):
            for leg in call.legs:
                registry.set_leg(registry.calls[call.id], leg.uniqueid, hung_up_at=None)

    def on_soft_hangup_request(self, event: e.SoftHangupRequest) -> None:
        """The PBX itself hangs a channel up: a party who did so would have been told of before."""
        self._registry.call(event)
        self._reported()

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
    # A phone that declines passes its cause 21 on to the caller: that is no refusal by the dialplan.
    reached = call.queued_at is not None or bool(call.conversations) or len(call.legs) > 1
    turned_away = call.direction is Direction.INBOUND and not reached
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
        first, *others = call.legs
        gave_up = first.hung_up_at is not None and not any(
            leg.ended_at is not None and leg.ended_at <= first.hung_up_at for leg in others
        )
        # After the last phone has refused, the PBX refuses the calling one, which reports a hang-up too.
        ended_by = _side(first) if gave_up else EndedBy.SYSTEM
        return ended_by, (called[-1] if called else last.cause) or None
    if reason in GAVE_UP:
        caller = (call.caller_leg if call.direction is Direction.INBOUND else call.legs[0]) or last
        asked = caller.hung_up_at is not None or not reported
        return (_side(caller) if asked else EndedBy.SYSTEM), caller.cause or None
    just = [
        leg
        for leg in call.legs
        if leg.hung_up_at is not None and at - leg.hung_up_at <= JUST_S and not _left_two(call, leg)
    ]
    if last.hung_up_at is not None or just:
        who = last if not just else min(just, key=lambda leg: leg.hung_up_at or 0.0)
        return (EndedBy.SYSTEM if who.cause == MEDIA_LOST else _side(who)), who.cause or None
    known = reason is EndReason.QUEUE_TIMEOUT or reported or last.cause == MEDIA_LOST
    return EndedBy.SYSTEM if known else None, last.cause or None


def _side(leg: Leg) -> EndedBy:
    return EndedBy.CALLER if leg.side is Side.CALLER else EndedBy.AGENT


def _left_two(call: Call, leg: Leg) -> bool:
    """Whether two others went on together: who transfers the caller, or leaves a conference, ends nothing."""
    gone = leg.ended_at or 0.0
    others = [one for one in call.legs if one is not leg and one.answered_at is not None]
    return sum((one.ended_at or 0.0) > gone for one in others) > 1
