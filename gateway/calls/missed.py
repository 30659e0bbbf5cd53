"""Why a phone that was called did not take the call, and for how long it rang. Pure."""

from domain.calls import MissedReason
from domain.spans import elapsed
from gateway.calls.channels import Channel

UNANSWERED = frozenset({"NOANSWER", "BUSY", "CONGESTION", "CHANUNAVAIL"})
"""DialStatus of a phone that did not take the call. CANCEL only means that it was told to stop ringing."""
TELLING = UNANSWERED - {"NOANSWER"}
"""Those of them that say why."""
AT_ONCE_S = 1.0
"""A phone that is given up sooner was not really called."""
USER_BUSY = 17
"""Q.850 cause."""


def rang(channel: Channel, at: float, told: float | None, *, reports: bool) -> float:
    """Seconds the phone rang until `at`; `told`: by app_queue; `reports`: the PBX says when phones ring."""
    if channel.ringing_at is not None:
        return elapsed(channel.ringing_at, at)
    if channel.local or channel.dial_status in TELLING:
        return 0.0
    # It may ring without a word: app_queue counts, and so do we where this PBX never says.
    called = elapsed(channel.dialled_at or at, at)
    return told or (called if not reports and called >= AT_ONCE_S else 0.0)


def reason(channel: Channel, at: float, seconds: float, told: float | None) -> MissedReason | None:
    """Why the call was not taken; `None` where only the hang-up cause will tell."""
    if channel.dial_status in TELLING:
        if channel.ringing_at is not None:
            return MissedReason.DECLINED
        return MissedReason.BUSY if channel.dial_status == "BUSY" else MissedReason.UNREACHABLE
    if channel.ringing_at is not None or seconds:
        return MissedReason.NO_ANSWER
    if told is not None:
        return None
    called = elapsed(channel.dialled_at or at, at)
    return MissedReason.NO_ANSWER if called >= AT_ONCE_S else MissedReason.UNREACHABLE


def by_cause(cause: int) -> MissedReason:
    """Why a phone that never rang was not reached."""
    return MissedReason.BUSY if cause == USER_BUSY else MissedReason.UNREACHABLE
