"""Facts: what happened, as the tracker found it. They are journalled, published and shown.

Each fact carries its instant (`at`, POSIX seconds, from the PBX where it says so) and the state after it,
so that a reader needs no fold of its own. The JSON form is tagged by `kind`.
"""

from typing import Any, Literal, Protocol

from msgspec import Struct

from domain.alarms import Alarm
from domain.calls import Call, TransferType
from domain.figures import AgentFigures, QueueFigures
from domain.orders import Alert, Order
from domain.queues import AgentStatus, Queue, QueueEntry
from domain.recogniser import Recogniser
from domain.transcripts import Utterance


class Fact(Struct, frozen=True, kw_only=True, tag_field="kind", tag=lambda name: name):
    """Base of all facts."""

    at: float


class CallFact(Fact, frozen=True, kw_only=True):
    """Something happened on a call; `call` is its state afterwards."""

    call: Call


class CallStarted(CallFact, frozen=True, kw_only=True):
    pass


RECOVERED = "recovered"
"""`CallUpdated.what`: an agent's phone took the call back on a new channel."""


class CallUpdated(CallFact, frozen=True, kw_only=True):
    """A detail changed (caller ID, IVR answer, leg, recording) that has no name of its own."""

    what: str


class CallQueued(CallFact, frozen=True, kw_only=True):
    queue: str
    position: int


class AgentRinging(CallFact, frozen=True, kw_only=True):
    """An agent's phone begins to ring with this call: the moment of the screen-pop."""

    agent: str
    channel: str


class AgentMissed(CallFact, frozen=True, kw_only=True):
    """The agent's phone rang and was not answered."""

    agent: str
    rang: float
    """Seconds."""


class CallAnswered(CallFact, frozen=True, kw_only=True):
    agent: str
    channel: str
    """The agent's channel."""
    waited: float
    """Seconds in the queue."""


class CallHeld(CallFact, frozen=True, kw_only=True):
    held: bool
    by: str = ""
    """Agent id of who held or resumed, else the number."""


class ConversationEnded(CallFact, frozen=True, kw_only=True):
    """One agent's stretch of the conversation is over (the call may go on with another)."""

    agent: str | None
    channel: str


class CallTransferred(CallFact, frozen=True, kw_only=True):
    """The fields are those of the last of `call.transfers`."""

    transfer_type: TransferType
    origin: str
    target: str
    result: str


class CallParked(CallFact, frozen=True, kw_only=True):
    space: str


class ConferenceChanged(CallFact, frozen=True, kw_only=True):
    """Somebody joined or left; `call.conferences` tells who is in it."""


class CallsMerged(CallFact, frozen=True, kw_only=True):
    """Another call became part of this one; it ends as `merged`."""

    merged: str
    """The other's id."""


class CallEnded(CallFact, frozen=True, kw_only=True):
    pass


class QueueChanged(Fact, frozen=True, kw_only=True):
    """A queue as it now is. Derived: published, not journalled; stays and agents' statuses tell the same."""

    queue: Queue


class QueueEntryChanged(Fact, frozen=True, kw_only=True):
    """A caller's stay in a queue came one stage further; each stage is told once. Figures are their sum."""

    entry: QueueEntry
    stage: Literal["entered", "left", "served", "wrapped_up"]
    """`left`: the wait is over, `entry.outcome` says how; `served`: the conversation is over."""


class QueueFiguresChanged(Fact, frozen=True, kw_only=True):
    """A queue's day or one of its intervals; at most once a second. Derived: published, not journalled."""

    figures: QueueFigures


class AgentFiguresChanged(Fact, frozen=True, kw_only=True):
    """An agent's day so far. Derived: published, not journalled."""

    figures: AgentFigures


class AgentChanged(Fact, frozen=True, kw_only=True):
    agent: AgentStatus


class PbxLinkChanged(Fact, frozen=True, kw_only=True):
    """The link to a PBX came up, went down or was refused."""

    pbx: str
    up: bool
    reason: str


class UtteranceHeard(Fact, frozen=True, kw_only=True):
    utterance: Utterance


class RecogniserChanged(Fact, frozen=True, kw_only=True):
    """How speech recognition keeps up. Shown, never journalled."""

    recogniser: Recogniser


class OrderChanged(Fact, frozen=True, kw_only=True):
    order: Order
    changed: tuple[str, ...]
    """Names of the fields that changed; empty when only the state did."""


class LifeSafetyAlert(Fact, frozen=True, kw_only=True):
    """Danger to life was heard on a call; told once a call."""

    alert: Alert


class AlarmChanged(Fact, frozen=True, kw_only=True):
    """A threshold rule was broken by something, or (`over`) is so no longer."""

    alarm: Alarm
    over: bool
    progress: bool = False
    """Only `alarm.latest` moved while it stays raised. Shown, never journalled."""


AnyFact = (
    CallStarted
    | CallUpdated
    | CallQueued
    | AgentRinging
    | AgentMissed
    | CallAnswered
    | CallHeld
    | ConversationEnded
    | CallTransferred
    | CallParked
    | ConferenceChanged
    | CallsMerged
    | CallEnded
    | QueueChanged
    | QueueEntryChanged
    | QueueFiguresChanged
    | AgentFiguresChanged
    | AgentChanged
    | PbxLinkChanged
    | UtteranceHeard
    | RecogniserChanged
    | OrderChanged
    | LifeSafetyAlert
    | AlarmChanged
)
"""Every fact there is; `msgspec.json.decode(data, type=AnyFact)` reads any of them back."""

DERIVED = (QueueChanged, QueueFiguresChanged, AgentFiguresChanged, RecogniserChanged)


def is_journalled(fact: AnyFact) -> bool:
    """Whether the journal keeps the fact.

    It does not keep what other facts tell already, partial texts, and the progress of an alarm.
    """
    if isinstance(fact, UtteranceHeard):
        return fact.utterance.final
    if isinstance(fact, AlarmChanged):
        return not fact.progress
    return not isinstance(fact, DERIVED)


class Recorder(Protocol):
    """Port: the one door for facts."""

    def record(self, *facts: AnyFact) -> None:
        """Keep the facts in the journal (see `is_journalled`) and pass them on, in order. Never waits."""
        ...

    async def flush(self) -> None:
        """Return when everything recorded before is committed."""
        ...


JsonObject = dict[str, Any]
