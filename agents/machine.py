"""The agent state machine: which state follows from what the PBX and the calls say. Pure."""

from msgspec import Struct

from gateway.models.queue import AgentState


class Seen(Struct, frozen=True):
    """All that is known of an agent at one instant."""

    logged_in: bool = False
    """A member of at least one queue."""
    paused: bool = False
    device: str = "UNKNOWN"
    """Asterisk's device state of the phone: `NOT_INUSE`, `INUSE`, `RINGING`, `UNAVAILABLE` …"""
    ringing: bool = False
    """A queue call is ringing there."""
    talking: bool = False
    held: bool = False
    wrap_up_until: float = 0.0
    """POSIX seconds; after a call the agent is left in peace until then."""


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
"""AMI's numeric member status to the device state's name."""

UNREACHABLE = frozenset({"UNAVAILABLE", "INVALID"})


def state_of(seen: Seen, now: float) -> AgentState:
    """The state an agent is in. What is happening on the phone outranks what was arranged."""
    if seen.talking:
        return AgentState.ON_HOLD if seen.held else AgentState.TALKING
    if seen.ringing:
        return AgentState.RINGING
    if not seen.logged_in:
        return AgentState.LOGGED_OUT
    if seen.device in UNREACHABLE:
        return AgentState.UNREACHABLE
    if seen.paused:
        return AgentState.PAUSED
    if seen.wrap_up_until > now:
        return AgentState.WRAP_UP
    # In use without a queue call: a call of the agent's own.
    if seen.device in ("INUSE", "BUSY", "ONHOLD", "RINGINUSE"):
        return AgentState.TALKING
    if seen.device == "RINGING":
        return AgentState.RINGING
    return AgentState.AVAILABLE
