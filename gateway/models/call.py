"""Calls as people mean them: from the first ring to the last hang-up."""

from enum import StrEnum

from msgspec import Struct


class Side(StrEnum):
    """Whose voice: the two legs of a conversation. The recording holds caller left, agent right."""

    CALLER = "caller"
    AGENT = "agent"


class CallState(StrEnum):
    """Where a call is. The order is the usual way of a call; transfers lead back to QUEUED or RINGING."""

    IVR = "ivr"
    QUEUED = "queued"
    RINGING = "ringing"
    TALKING = "talking"
    HELD = "held"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a call ended."""

    COMPLETED = "completed"
    """A conversation took place."""
    ABANDONED_IVR = "abandoned_ivr"
    ABANDONED_QUEUE = "abandoned_queue"
    ABANDONED_RINGING = "abandoned_ringing"
    QUEUE_TIMEOUT = "queue_timeout"
    """The queue let the caller go: timeout, empty queue or full queue."""
    FAILED = "failed"
    UNSEEN = "unseen"
    """The call ended while the gateway was not watching."""


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Party(Struct, frozen=True):
    """A person on a call, as the network names them. Hostile input: never trusted, only shown as text."""

    number: str = ""
    name: str = ""


class Leg(Struct, frozen=True):
    """One channel of a call."""

    uniqueid: str
    channel: str
    """Channel name, e.g. `PJSIP/trunk-00000001`; changes on masquerade."""
    side: Side
    party: Party
    created_at: float
    agent: str | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    cause: int | None = None
    """Q.850 hang-up cause."""
    bridge: str | None = None
    held: bool = False


class Recording(Struct, frozen=True):
    """A recording the PBX is making or has made of a call, as the PBX names it."""

    path: str
    """The file's path on the PBX."""
    channel: str
    started_at: float
    ended_at: float | None = None


class Talk(Struct, frozen=True):
    """A stretch of conversation between the caller and one agent; what may be transcribed."""

    agent: str | None
    channel: str
    """The agent's channel."""
    started_at: float
    ended_at: float | None = None


class Call(Struct, frozen=True):
    """One call and everything known of it. Instants are POSIX seconds; `None` is "not (yet)"."""

    id: str
    """`<pbx>-<linkedid>`: stable across restarts of the gateway."""
    pbx: str
    linkedid: str
    direction: Direction
    state: CallState
    caller: Party
    called: str
    """The number dialled (DID)."""
    started_at: float
    line: str | None = None
    queue: str | None = None
    agent: str | None = None
    """The agent ringing or talking now, else the last who talked."""
    ivr: dict[str, str] = {}
    """What the caller chose and entered in the IVR."""
    queued_at: float | None = None
    ringing_at: float | None = None
    answered_at: float | None = None
    """First answered by an agent."""
    ended_at: float | None = None
    end_reason: EndReason | None = None
    legs: tuple[Leg, ...] = ()
    talks: tuple[Talk, ...] = ()
    recordings: tuple[Recording, ...] = ()

    @property
    def caller_leg(self) -> Leg | None:
        """The caller's channel, if there is one."""
        return next((leg for leg in self.legs if leg.side is Side.CALLER), None)
