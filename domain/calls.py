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
    PARKED = "parked"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a call ended."""

    COMPLETED = "completed"
    """A conversation took place, and the call ended in it or right after it."""
    ABANDONED_IVR = "abandoned_ivr"
    ABANDONED_QUEUE = "abandoned_queue"
    """Given up while waiting; `answered_at` tells whether it was a second wait, after a transfer."""
    ABANDONED_RINGING = "abandoned_ringing"
    """Given up while a phone rang; likewise."""
    ABANDONED_PARKED = "abandoned_parked"
    """Given up while parked, or nobody answered when it went back to who had parked it."""
    QUEUE_TIMEOUT = "queue_timeout"
    """The queue let the caller go: timeout, empty queue or full queue."""
    FAILED = "failed"
    MERGED = "merged"
    """It went on as part of another, `Call.merged_into`: a consultation that became a transfer, a pick-up."""
    UNSEEN = "unseen"
    """The call ended while the gateway was not watching."""


class Direction(StrEnum):
    INBOUND = "inbound"
    """Somebody outside called: the only calls with a work order."""
    OUTBOUND = "outbound"
    """An agent called somebody outside."""
    INTERNAL = "internal"
    """An agent called an agent, or a line."""


class TransferType(StrEnum):
    """How a call came to another party."""

    BLIND = "blind"
    ATTENDED = "attended"
    BLONDE = "blonde"
    """Attended, but handed over while the target still rang."""
    FORWARD = "forward"
    """The phone that was called sent the call on."""
    PICKUP = "pickup"
    """Somebody answered a call that rang elsewhere."""
    PARK = "park"
    RETRIEVE = "retrieve"
    """Somebody took a parked call."""
    RECALL = "recall"
    """Nobody took a parked call in time: it went back to who had parked it."""


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
    muted: bool = False
    """Not heard by the others, by the command `mute`; a phone's own mute key tells nobody."""


class Recording(Struct, frozen=True):
    """A recording the PBX is making or has made of a call, as the PBX names it."""

    path: str
    """The file's path on the PBX."""
    channel: str
    started_at: float
    ended_at: float | None = None


class Conversation(Struct, frozen=True):
    """A stretch of conversation between the caller and one agent; what may be transcribed."""

    agent: str | None
    channel: str
    """The agent's channel."""
    started_at: float
    ended_at: float | None = None


class Hold(Struct, frozen=True):
    """A time one party was kept on hold by another."""

    uniqueid: str
    """The channel that held."""
    agent: str | None
    """Whose channel it was, if an agent's."""
    started_at: float
    ended_at: float | None = None


class Transfer(Struct, frozen=True):
    """One step of a call to another party."""

    at: float
    transfer_type: TransferType
    origin: str
    """Agent id, else number, of the party the call came from; of a parked call, its place."""
    target: str
    """Agent id or number of the party it went to; of a call being parked, the place."""
    result: str
    """Asterisk's: `success`, `fail`, `invalid`, `not permitted`."""


class Member(Struct, frozen=True):
    """One party's stay in a conference."""

    uniqueid: str
    party: str
    """Agent id, else the number."""
    joined_at: float
    left_at: float | None = None


class Conference(Struct, frozen=True):
    """A time three parties or more spoke with each other (三方通话)."""

    started_at: float
    members: tuple[Member, ...]
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
    conversations: tuple[Conversation, ...] = ()
    recordings: tuple[Recording, ...] = ()
    holds: tuple[Hold, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    conferences: tuple[Conference, ...] = ()
    consults: str | None = None
    """The call on hold for which this one was made (its id): a consultation (询问)."""
    monitors: str | None = None
    """The call that this one listens to (its id): a supervisor's listening, whispering or barging in."""
    merged_into: str | None = None

    @property
    def caller_leg(self) -> Leg | None:
        """The caller's channel, if there is one."""
        return next((leg for leg in self.legs if leg.side is Side.CALLER), None)

    @property
    def agents(self) -> tuple[str, ...]:
        """Who talked on the call, in order, each once; and the agent it rings at."""
        talked = [talk.agent for talk in self.conversations if talk.agent is not None]
        return tuple(dict.fromkeys([*talked, self.agent] if self.agent is not None else talked))

    @property
    def has_work_order(self) -> bool:
        """Whether the public spoke with an agent: such a call has a work order and a transcript."""
        return self.direction is Direction.INBOUND and bool(self.conversations)

    @property
    def needs_post_call(self) -> bool:
        """Whether there is work after its end: recording and transcript, and the order of a served call."""
        return self.has_work_order or (bool(self.conversations) and bool(self.recordings))

    @property
    def talking(self) -> bool:
        """Whether a conversation with an agent is going on, held or not."""
        return any(talk.ended_at is None for talk in self.conversations)

    def leg(self, uniqueid: str) -> Leg | None:
        """The leg on that channel."""
        return next((leg for leg in self.legs if leg.uniqueid == uniqueid), None)
