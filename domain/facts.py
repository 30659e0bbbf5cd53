"""Facts: what happened, as established by the tracker. They are journalled, published and displayed.

Each fact carries its time (`at`, POSIX seconds, from the PBX if it sends one) and the resulting state, so
that readers do not have to fold facts themselves. The JSON form is tagged by `kind`.
"""

from typing import Any, Literal, Protocol

from msgspec import Struct

from domain.alarms import Alarm
from domain.calls import Call, MissedReason, TransferType
from domain.figures import AgentFigures, QueueFigures
from domain.order_status import OrderStatus
from domain.orders import Alert, Order
from domain.queues import AgentStatus, Queue, QueueEntry
from domain.recogniser import Recogniser
from domain.transcripts import Utterance


class Fact(Struct, frozen=True, kw_only=True, tag_field="kind", tag=lambda name: name):
    """Base of all facts."""

    at: float


class CallFact(Fact, frozen=True, kw_only=True):
    """Something happened on a call; `call` is the state afterwards."""

    call: Call


class CallStarted(CallFact, frozen=True, kw_only=True):
    pass


RESYNC = "resync"
"""`CallUpdated.what` of a call that was found again on the PBX: after a lost link, or by a new process."""
LET_GO = "let_go"
"""`CallUpdated.what` of a call that a queue let go, or refused: the caller goes on in the dialplan."""
RECOVERED = "recovered"
"""`CallUpdated.what` after a call recovery: the agent's phone continued the call on a new channel."""


class CallUpdated(CallFact, frozen=True, kw_only=True):
    """A detail changed that has no fact of its own: caller ID, IVR answer, leg, recording."""

    what: str


class CallQueued(CallFact, frozen=True, kw_only=True):
    queue: str
    position: int


class AgentRinging(CallFact, frozen=True, kw_only=True):
    """An agent's phone started ringing with this call: the moment for the screen-pop."""

    agent: str
    channel: str


class AgentMissed(CallFact, frozen=True, kw_only=True):
    """The agent's phone was called but did not take the call; told once for all phones of the agent."""

    agent: str
    rang: float
    """Seconds the phone itself rang; 0.0 where it did not, or did not say so."""
    reason: MissedReason = MissedReason.NO_ANSWER


class CallAnswered(CallFact, frozen=True, kw_only=True):
    """A conversation with the caller began; the call may have others."""

    agent: str | None
    channel: str
    """The channel of whoever answered."""
    waited: float
    """Seconds in the queue."""
    party: str = ""
    """Who answered where it is no agent: number, else device."""


class CallHeld(CallFact, frozen=True, kw_only=True):
    held: bool
    by: str = ""
    """Who held or resumed the call: agent id, else number."""


class ConversationEnded(CallFact, frozen=True, kw_only=True):
    """The conversation with one party is over; the call may continue with another."""

    agent: str | None
    channel: str
    party: str = ""
    """As in `CallAnswered`."""


class CallTransferred(CallFact, frozen=True, kw_only=True):
    """The call moved to another party; the fields repeat the last of `call.transfers`."""

    transfer_type: TransferType
    origin: str
    target: str
    result: str


class CallParked(CallFact, frozen=True, kw_only=True):
    space: str


class ConferenceChanged(CallFact, frozen=True, kw_only=True):
    """Somebody joined or left a conference; see `call.conferences` for its members."""


class CallsMerged(CallFact, frozen=True, kw_only=True):
    """Another call became part of this one; that call ended as `merged`."""

    merged: str
    """Id of the other call."""


class CallEnded(CallFact, frozen=True, kw_only=True):
    pass


class QueueChanged(Fact, frozen=True, kw_only=True):
    """A queue's current state.

    Published but not journalled: it can be derived from queue entries and agent statuses.
    """

    queue: Queue


class QueueEntryChanged(Fact, frozen=True, kw_only=True):
    """A queue entry reached its next stage; each stage is reported once. Queue figures are sums of these."""

    entry: QueueEntry
    stage: Literal["entered", "moved", "left", "served", "wrapped_up"]
    """`moved`: the caller took the place of the agent who had called the queue; `left`: the wait is over, and
    `entry.outcome` says how; `served`: the conversation is over."""


class QueueFiguresChanged(Fact, frozen=True, kw_only=True):
    """Figures of a queue's day or one of its intervals, at most once a second.

    Derived, therefore published but not journalled.
    """

    figures: QueueFigures


class AgentFiguresChanged(Fact, frozen=True, kw_only=True):
    """Figures of an agent's day so far. Derived, therefore published but not journalled."""

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
    """The load of speech recognition changed. Published, never journalled."""

    recogniser: Recogniser


class OrderChanged(Fact, frozen=True, kw_only=True):
    order: Order
    changed: tuple[str, ...]
    """Names of the fields that changed; empty when only the state did."""


class OrderStatusTold(Fact, frozen=True, kw_only=True):
    """A work-order system told what became of an order."""

    call_id: str
    """The call that the order was made of."""
    line: str
    status: OrderStatus


class LifeSafetyAlert(Fact, frozen=True, kw_only=True):
    """Danger to life was heard on a call; reported once per call."""

    alert: Alert


class AlarmChanged(Fact, frozen=True, kw_only=True):
    """A threshold rule was broken, or, if `over`, no longer is."""

    alarm: Alarm
    over: bool
    progress: bool = False
    """Only `alarm.latest` moved while it stays raised. Shown, never journalled."""


class FactRejected(Fact, frozen=True, kw_only=True):
    """A fact could not be stored and was set aside. Passed on, never journalled."""

    rejected: str
    """Its kind."""
    error: str


class PostCallChanged(Fact, frozen=True, kw_only=True):
    """What is done after a call fails and is tried again; or (`trouble` empty) is done. Never journalled."""

    call_id: str
    pbx: str
    line: str | None
    trouble: str


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
    | OrderStatusTold
    | LifeSafetyAlert
    | AlarmChanged
    | FactRejected
    | PostCallChanged
)
"""Any fact; `msgspec.json.decode(data, type=AnyFact)` decodes them."""

DERIVED = (
    FactRejected,
    PostCallChanged,
    QueueChanged,
    QueueFiguresChanged,
    AgentFiguresChanged,
    RecogniserChanged,
)


def is_journalled(fact: AnyFact) -> bool:
    """Whether the journal keeps the fact.

    It does not keep what other facts tell already, partial texts, and the progress of an alarm.
    """
    if isinstance(fact, UtteranceHeard):
        return fact.utterance.final
    if isinstance(fact, AlarmChanged):
        return not fact.progress
    return not isinstance(fact, DERIVED)


ABOUT_NO_CALL = frozenset({"AgentChanged", "AlarmChanged", "PbxLinkChanged", "QueueEntryChanged"})
"""Kinds of journalled facts of which `call_id_of` is `None`."""


def call_id_of(fact: AnyFact) -> str | None:
    """Return the id of the call that the fact is about; `None`: it is about no one call."""
    if isinstance(fact, CallFact):
        return fact.call.id
    if isinstance(fact, UtteranceHeard):
        return fact.utterance.call_id
    if isinstance(fact, OrderChanged):
        return fact.order.call_id
    if isinstance(fact, OrderStatusTold):
        return fact.call_id
    if isinstance(fact, LifeSafetyAlert):
        return fact.alert.call_id
    return None


class Recorder(Protocol):
    """Port: the one door for facts."""

    def record(self, *facts: AnyFact) -> None:
        """Keep the facts in the journal (see `is_journalled`) and pass them on, in order. Never waits."""
        ...

    async def flush(self) -> None:
        """Return when everything recorded before is committed."""
        ...


JsonObject = dict[str, Any]
