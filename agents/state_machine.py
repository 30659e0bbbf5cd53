"""The agent state machine: takes input from PBX, calls and agent, returns state and effects. Pure.

Queue calls are always held off by a pause in the PBX itself, which lasts even if the gateway dies. Wrap-up
(话后处理) is a pause with a reserved reason that carries its end. Every transition is a function from
`Seen` to `Seen` and the effects that the caller must carry out; docs/agents.md describes states and rules.
"""

import re

from msgspec import Struct, structs

from domain.calls import Direction
from domain.queues import MISSED_REASON, WRAP_UP_REASON, AgentState

RETRY_S = 5.0
"""Seconds after which an unpause that had no effect on the PBX is requested again."""


LONGEST_WRAP_UP_S = 12 * 3600.0
"""A wrap-up that is to end later than this was dated by a wrong clock, and is over."""


class Seen(Struct, frozen=True):
    """Everything known about an agent at one moment. Times are POSIX seconds."""

    logged_in: bool = False
    """Whether the agent is a member of at least one queue."""
    paused: bool = False
    """Whether the PBX holds off calls from every queue."""
    reason: str = ""
    """The pause reason, as given by the PBX."""
    device: str = "UNKNOWN"
    """Asterisk's device state of the phone: `NOT_INUSE`, `INUSE`, `RINGING`, `UNAVAILABLE` …"""
    ringing: bool = False
    """Whether a tracked call is ringing there."""
    talking: bool = False
    held: bool = False
    direction: Direction | None = None
    """Direction of the call that is ringing or in progress."""
    wrap_up_from: float = 0.0
    wrap_up_until: float = 0.0
    """When wrap-up ends."""
    missed: int = 0
    """Consecutive queue calls that rang without being answered."""


class SetPause(Struct, frozen=True):
    """Effect: pause or unpause the agent in all queues of the PBX."""

    agent: str
    paused: bool
    reason: str = ""


Effect = SetPause
Outcome = tuple[Seen, tuple[Effect, ...]]

DEVICE_BY_STATUS = {
    0: "UNKNOWN",
    1: "NOT_INUSE",
    2: "INUSE",
    3: "BUSY",
    4: "INVALID",
    5: "UNAVAILABLE",
    6: "RINGING",
    7: "RINGINUSE",
    8: "ONHOLD",
}
"""AMI's numeric member status → device state name."""

UNREACHABLE = frozenset({"UNAVAILABLE", "INVALID"})


def state_of(seen: Seen, now: float) -> AgentState:
    """Return the agent's state. What happens on the phone takes precedence over login and pause."""
    if seen.talking:
        return AgentState.ON_HOLD if seen.held else AgentState.TALKING
    if seen.ringing:
        return AgentState.RINGING
    if not seen.logged_in:
        return AgentState.LOGGED_OUT
    if seen.device in UNREACHABLE:
        return AgentState.UNREACHABLE
    # In use without a tracked call: a call of the agent's own.
    if seen.device in ("INUSE", "BUSY", "ONHOLD", "RINGINUSE"):
        return AgentState.TALKING
    if wraps_up(seen, now) or in_wrap_up_pause(seen):
        return AgentState.WRAP_UP
    if seen.paused:
        return AgentState.PAUSED
    if seen.device == "RINGING":
        return AgentState.RINGING
    return AgentState.AVAILABLE


# -- wrap-up ---------------------------------------------------------------------------------------------
def wrap_up_reason(until: float) -> str:
    """Return the reserved pause reason of a wrap-up that ends at `until` (rounded to seconds)."""
    return f"{WRAP_UP_REASON}:{until:.0f}"


def wrap_up_end(reason: str) -> float | None:
    """Return when the wrap-up with that pause reason ends; `None` if it is not a wrap-up's reason."""
    found = re.fullmatch(rf"{WRAP_UP_REASON}:(\d{{1,12}})", reason)
    return float(found[1]) if found else None


def wraps_up(seen: Seen, now: float) -> bool:
    """Whether a wrap-up goes on."""
    return now < seen.wrap_up_until <= now + LONGEST_WRAP_UP_S


def in_wrap_up_pause(seen: Seen) -> bool:
    """Whether the PBX holds the agent in wrap-up."""
    return seen.paused and wrap_up_end(seen.reason) is not None


def talk_over(agent: str, seen: Seen, at: float, wrap_up_s: float) -> Outcome:
    """A queue call is over: start wrap-up, without another pause if the agent paused during the call."""
    if wrap_up_s <= 0 or not seen.logged_in:
        return seen, ()
    seen = structs.replace(seen, wrap_up_from=at, wrap_up_until=at + wrap_up_s)
    if seen.paused and not in_wrap_up_pause(seen):
        return seen, ()
    return seen, (SetPause(agent, True, wrap_up_reason(seen.wrap_up_until)),)


def extend_wrap_up(agent: str, seen: Seen, at: float, seconds: float, most_s: float) -> Outcome | None:
    """Extend wrap-up by `seconds`, to `most_s` in total at most; `None` if the agent is not in wrap-up."""
    if not (wraps_up(seen, at) or in_wrap_up_pause(seen)):
        return None
    until = min(max(seen.wrap_up_until, at) + seconds, max(seen.wrap_up_from + most_s, seen.wrap_up_until))
    seen = structs.replace(seen, wrap_up_until=until)
    if seen.paused and not in_wrap_up_pause(seen):
        return seen, ()
    return seen, (SetPause(agent, True, wrap_up_reason(until)),)


def finish_wrap_up(agent: str, seen: Seen, at: float) -> Outcome | None:
    """End wrap-up; `None` if the agent is not in wrap-up."""
    if not (wraps_up(seen, at) or in_wrap_up_pause(seen)):
        return None
    effects = () if seen.paused and not in_wrap_up_pause(seen) else (SetPause(agent, False),)
    return structs.replace(seen, wrap_up_from=0.0, wrap_up_until=0.0), effects


def due(seen: Seen, now: float) -> float | None:
    """Return when `time_passed` should be called next; `None` for never."""
    if wraps_up(seen, now):
        return seen.wrap_up_until
    return now + RETRY_S if in_wrap_up_pause(seen) else None


def time_passed(agent: str, seen: Seen, now: float) -> Outcome:
    """End wrap-up if its time is over."""
    if wraps_up(seen, now):
        return seen, ()
    over = structs.replace(seen, wrap_up_from=0.0, wrap_up_until=0.0)
    return over, (SetPause(agent, False),) if in_wrap_up_pause(seen) else ()


# -- what the PBX says --------------------------------------------------------------------------------------
def membership(seen: Seen, *, logged_in: bool, paused: bool, reason: str, device: str) -> Seen:
    """The agent's memberships changed; the arguments combine all queues."""
    changes: dict[str, object] = {}
    if not logged_in:
        changes = {"wrap_up_from": 0.0, "wrap_up_until": 0.0, "missed": 0}
    elif (paused, reason) != (seen.paused, seen.reason):
        end = wrap_up_end(reason) if paused else None
        if end is not None:
            # This also covers a restart of the gateway: the PBX remembers the end.
            changes = {"wrap_up_until": end if abs(end - seen.wrap_up_until) > 1 else seen.wrap_up_until}
        else:
            # Somebody set another pause, or none: that ends the wrap-up.
            changes = {"wrap_up_from": 0.0, "wrap_up_until": 0.0}
        if not paused:
            changes["missed"] = 0
    return structs.replace(
        seen, logged_in=logged_in, paused=paused, reason=reason if paused else "", device=device, **changes
    )


def rang_unanswered(agent: str, seen: Seen, limit: int) -> Outcome:
    """A queue call rang unanswered; the `limit`-th in a row pauses the agent (0: never)."""
    seen = structs.replace(seen, missed=seen.missed + 1)
    if limit and seen.missed >= limit and not seen.paused:
        return seen, (SetPause(agent, True, MISSED_REASON),)
    return seen, ()


def answered(seen: Seen) -> Seen:
    """A queue call was answered."""
    return structs.replace(seen, missed=0, wrap_up_from=0.0, wrap_up_until=0.0)


def rejoined(agent: str, seen: Seen, before: Seen, at: float) -> Outcome:
    """Merge the state after a lost link: `seen` is the PBX's, `before` has what only the gateway knows."""
    seen = structs.replace(seen, missed=before.missed if seen.logged_in else 0)
    end = wrap_up_end(seen.reason) if seen.paused else None
    if end is not None and end <= at + LONGEST_WRAP_UP_S:
        started = before.wrap_up_from or min(at, end)
        return structs.replace(seen, wrap_up_from=started, wrap_up_until=end), ()
    if wraps_up(before, at) and seen.logged_in and not seen.talking:
        seen = structs.replace(seen, wrap_up_from=before.wrap_up_from, wrap_up_until=before.wrap_up_until)
        # The wrap-up pause never arrived; if somebody paused the agent meanwhile, that pause stays.
        return seen, () if seen.paused else (SetPause(agent, True, wrap_up_reason(seen.wrap_up_until)),)
    return seen, ()
