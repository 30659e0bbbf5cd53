"""Calls as people understand them: from the first ring to the last hang-up."""

from enum import StrEnum

from msgspec import Struct


class Side(StrEnum):
    """The two sides of a conversation. In a stereo recording the caller is left and the agent right."""

    CALLER = "caller"
    AGENT = "agent"


class CallState(StrEnum):
    """The phase a call is in, in the usual order; transfers lead back to QUEUED or RINGING."""

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
    """A conversation took place, and the call ended during it or right after it."""
    ABANDONED_IVR = "abandoned_ivr"
    ABANDONED_QUEUE = "abandoned_queue"
    """The caller gave up while waiting; `answered_at` is set if this was a second wait, after a transfer."""
    ABANDONED_RINGING = "abandoned_ringing"
    """The caller gave up while a phone was ringing; `answered_at` as above."""
    ABANDONED_PARKED = "abandoned_parked"
    """The caller gave up while parked, or nobody answered when the call returned to the parker."""
    QUEUE_TIMEOUT = "queue_timeout"
    """The queue released the caller, or did not let them in: timeout, nobody there, full."""
    FAILED = "failed"
    MERGED = "merged"
    """It continued as part of `Call.merged_into`: a consultation that became a transfer, or a pick-up."""
    UNSEEN = "unseen"
    """The call ended while the gateway was not watching."""


class EndedBy(StrEnum):
    """Who hung up."""

    CALLER = "caller"
    """The other side: the caller, or whom an agent called."""
    AGENT = "agent"
    """The agent, or whoever answered in an agent's place."""
    SYSTEM = "system"
    """The PBX: a timeout, the dialplan, a command, a lost phone, or a call that could not be put through."""


class IncidentKind(StrEnum):
    """What else may happen on a call."""

    VOICEMAIL = "voicemail"
    """The caller was sent to a mailbox: the detail."""
    BLOCKED = "blocked"
    """The PBX refused the caller: a blacklist, or the cause `call rejected`."""
    RECORDING_PAUSED = "recording_paused"
    """The PBX stopped recording, or records silence; the detail names the direction, if not both."""
    RECORDING_RESUMED = "recording_resumed"


class CallSource(StrEnum):
    """What is known of the call, and from where."""

    WATCHED = "watched"
    """The gateway watched it to its end."""
    PARTLY = "partly"
    """It ended while the gateway was away: its end is from the PBX's records, or the last moment known."""
    RECORDS = "records"
    """It lay wholly inside an outage: all of it is from the PBX's records."""


class Direction(StrEnum):
    INBOUND = "inbound"
    """Somebody outside called; only these calls have a work order."""
    OUTBOUND = "outbound"
    """An agent called somebody outside."""
    INTERNAL = "internal"
    """An agent called another agent or a line."""


class TransferType(StrEnum):
    """How a call moved to another party."""

    BLIND = "blind"
    ATTENDED = "attended"
    BLONDE = "blonde"
    """Attended, but completed while the target was still ringing."""
    FORWARD = "forward"
    """The called phone forwarded the call."""
    PICKUP = "pickup"
    """Somebody answered a call that was ringing elsewhere."""
    PARK = "park"
    RETRIEVE = "retrieve"
    """Somebody took a parked call."""
    RECALL = "recall"
    """Nobody took a parked call in time, so it returned to the parker."""


class MissedReason(StrEnum):
    """Why a phone that was called did not take the call."""

    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    """It rang, and the call was refused."""
    BUSY = "busy"
    """It was busy at once, or set to do not disturb: it never rang."""
    UNREACHABLE = "unreachable"
    """It never rang: not registered, switched off, or its dialplan led nowhere."""


class Party(Struct, frozen=True):
    """A person on a call, as named by the network. Untrusted input: only ever shown as text."""

    number: str = ""
    name: str = ""


class Leg(Struct, frozen=True):
    """One channel of a call."""

    uniqueid: str
    channel: str
    """Channel name, e.g. `PJSIP/trunk-00000001`; changes on a masquerade."""
    side: Side
    party: Party
    created_at: float
    agent: str | None = None
    ringing_at: float | None = None
    """When the phone began to ring, by its own word; it may not say so."""
    answered_at: float | None = None
    ended_at: float | None = None
    cause: int | None = None
    """Q.850 hang-up cause."""
    hung_up_at: float | None = None
    """When the party itself hung up; `None` if it was hung up on, or nothing tells."""
    bridge: str | None = None
    held: bool = False
    muted: bool = False
    """Muted by the command `mute`; a phone's own mute key is invisible to the PBX."""


class Recording(Struct, frozen=True):
    """A recording of a call that the PBX is making or has made."""

    path: str
    """Path of the file on the PBX."""
    channel: str
    started_at: float
    ended_at: float | None = None


class Conversation(Struct, frozen=True):
    """A period in which the caller and one other party talk; with an agent, it can be transcribed."""

    agent: str | None
    channel: str
    """The other party's channel."""
    started_at: float
    ended_at: float | None = None
    party: str = ""
    """Who it is where it is no agent: number, else device. Empty for agents, and for who answered unseen."""

    @property
    def with_agent(self) -> bool:
        """Whether an agent talked; whoever answered unseen is taken for one, lest an order be lost."""
        return self.agent is not None or not self.party


class Hold(Struct, frozen=True):
    """A period in which one party kept the others on hold."""

    uniqueid: str
    """The channel that put the others on hold."""
    agent: str | None
    """The agent that channel belongs to, if any."""
    started_at: float
    ended_at: float | None = None


class Transfer(Struct, frozen=True):
    """One move of a call to another party."""

    at: float
    transfer_type: TransferType
    origin: str
    """The party the call came from: agent id, else number; for a parked call, its parking space."""
    target: str
    """The party the call went to: agent id, else number; for a call being parked, the parking space."""
    result: str
    """Asterisk's result: `success`, `fail`, `invalid` or `not permitted`."""


class Member(Struct, frozen=True):
    """One party's time in a conference."""

    uniqueid: str
    party: str
    """Agent id, else the number."""
    joined_at: float
    left_at: float | None = None


class Incident(Struct, frozen=True):
    """One thing that happened on a call, and has no table of its own."""

    at: float
    kind: IncidentKind
    detail: str = ""


class Conference(Struct, frozen=True):
    """A period in which three or more parties talk with each other (三方通话)."""

    started_at: float
    members: tuple[Member, ...]
    ended_at: float | None = None


class Call(Struct, frozen=True):
    """One call and everything known about it. Times are POSIX seconds; `None` means "not (yet)"."""

    id: str
    """`<pbx>-<linkedid>`; stable across restarts of the gateway."""
    pbx: str
    linkedid: str
    direction: Direction
    state: CallState
    caller: Party
    called: str
    """The dialled number (DID)."""
    started_at: float
    line: str | None = None
    queue: str | None = None
    agent: str | None = None
    """The agent ringing or talking now, else the last one who talked."""
    ivr: dict[str, str] = {}
    """What the caller chose and entered in the IVR."""
    queued_at: float | None = None
    ringing_at: float | None = None
    answered_at: float | None = None
    """When somebody first answered."""
    ended_at: float | None = None
    end_reason: EndReason | None = None
    ended_by: EndedBy | None = None
    """Who hung up; `None` while the call goes on, and where nothing tells."""
    hangup_cause: int | None = None
    """Q.850 cause of the end (`domain.hangup_causes`)."""
    legs: tuple[Leg, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    recordings: tuple[Recording, ...] = ()
    holds: tuple[Hold, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    conferences: tuple[Conference, ...] = ()
    incidents: tuple[Incident, ...] = ()
    consults: str | None = None
    """Id of the call on hold for which this one was made, if this is a consultation (询问)."""
    monitors: str | None = None
    """Id of the call this one monitors, if a supervisor is listening, whispering or barging in."""
    merged_into: str | None = None
    let_go: bool = False
    """The queue let the caller go (timeout, nobody there, full, withdrawn), and nobody has answered since."""
    source: CallSource = CallSource.WATCHED

    @property
    def caller_leg(self) -> Leg | None:
        """The caller's channel, if there is one: the live one, else the first."""
        callers = [leg for leg in self.legs if leg.side is Side.CALLER]
        return next((leg for leg in callers if leg.ended_at is None), callers[0] if callers else None)

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents who talked on the call, in order and without repeats, then the current `agent`."""
        talked = [talk.agent for talk in self.conversations if talk.agent is not None]
        return tuple(dict.fromkeys([*talked, self.agent] if self.agent is not None else talked))

    @property
    def reached_agent(self) -> bool:
        """Whether one of our agents talked on the call."""
        return any(talk.with_agent for talk in self.conversations)

    @property
    def has_work_order(self) -> bool:
        """Whether an outside caller talked with an agent: such calls have a work order and a transcript."""
        return self.direction is Direction.INBOUND and self.reached_agent

    @property
    def needs_post_call(self) -> bool:
        """Whether the ended call needs post-processing: its recording, transcript and work order."""
        return self.has_work_order or (self.reached_agent and bool(self.recordings))

    @property
    def talking(self) -> bool:
        """Whether a conversation is in progress, on hold or not."""
        return any(talk.ended_at is None for talk in self.conversations)

    def leg(self, uniqueid: str) -> Leg | None:
        """Return the leg on that channel, if any."""
        return next((leg for leg in self.legs if leg.uniqueid == uniqueid), None)
