"""The work order (工单): a form whose fields each carry a confidence and the evidence for their value."""

from enum import StrEnum
from typing import Any

from msgspec import Struct, structs

from domain.outcomes import ORDER, CallOutcome, OutcomeSuggestion, Supplement


class Evidence(Struct, frozen=True):
    """The span of transcript, and thus of audio, that a value came from."""

    utterance_id: str
    start: int
    """Offset of the first character in the utterance's text; `end` is exclusive."""
    end: int
    quote: str
    audio_start: float
    """Seconds of call time."""
    audio_end: float


class Method(StrEnum):
    """How a value was obtained."""

    AGENT = "agent"
    """Typed or confirmed by the agent; never overwritten."""
    SIGNALLING = "signalling"
    """Known from the call itself (caller ID, DID, IVR digits)."""
    RULE = "rule"
    GAZETTEER = "gazetteer"
    MODEL = "model"
    LLM = "llm"


class FieldValue(Struct, frozen=True):
    """One field of an order. `value` is a string, a bool, or a list of strings; never `None`."""

    value: Any
    confidence: float
    """0..1, calibrated: four out of five fields at 0.8 are right."""
    method: Method
    evidence: tuple[Evidence, ...] = ()


class OrderState(StrEnum):
    """The life cycle of an order in the gateway; progress within the work-order system is separate."""

    DRAFT = "draft"
    """Being filled in, automatically while the call is in progress; then, waiting to be sent."""
    SUBMITTED = "submitted"
    """In the outbox: will be delivered, even across crashes and restarts."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """Refused for good or out of attempts; needs an operator."""
    DROPPED = "dropped"
    """Nothing is sent: so says the outcome of its call."""


class RequestType(StrEnum):
    """Type of request (诉求类型)."""

    CONSULTATION = "咨询"
    HELP = "求助"
    COMPLAINT = "投诉"
    REPORT = "举报"
    SUGGESTION = "建议"
    PRAISE = "表扬"


MATTER_CONFIDENCE = 0.4
CALL = "call"


class RelatedOrder(Struct, frozen=True):
    """An earlier order that may be about the same matter."""

    order_id: str
    created_at: float
    reason: str
    """`caller` (same number) or `matter` (same place and category)."""
    title: str = ""
    state: str = ""


class KnowledgeHit(Struct, frozen=True):
    """A knowledge-base article found from what was said."""

    id: str
    title: str
    score: float
    """0..1, relative to a perfect match."""
    passage: str
    """The best-matching passage."""


class Alert(Struct, frozen=True):
    """A call suggests that somebody's life or health is at risk; supervisors must know at once."""

    call_id: str
    order_id: str
    line: str
    agent: str | None
    at: float
    quote: str
    """The words as transcribed. Untrusted input."""
    confidence: float


class SentOrder(Struct, frozen=True):
    """What an order was when it last left; kept while it is being corrected."""

    state: OrderState
    fields: dict[str, FieldValue]
    outcome: CallOutcome | None


class Withdrawal(Struct, frozen=True):
    """An order that has left is withdrawn (撤回): the receiver need not deal with it."""

    at: float
    by: str
    reason: str


class SplitSuggestion(Struct, frozen=True):
    """The caller seems to have come to another matter, which is to have an order of its own (一事一单)."""

    at: float
    """Where in the call it begins, seconds of call time."""
    quote: str
    """The words that say so. Untrusted input."""


class Order(Struct, frozen=True):
    """One work order. Every inbound call answered by an agent has one, and one for each further matter."""

    id: str
    """UUIDv5 of the call's id and the order's number, so that creating an order twice yields the same one."""
    call_id: str
    line: str
    state: OrderState
    fields: dict[str, FieldValue]
    created_at: float
    updated_at: float
    revision: int = 0
    submitted_at: float | None = None
    delivered_at: float | None = None
    external_id: str | None = None
    """The work-order system's own number for the order, from its reply."""
    offers: dict[str, tuple[FieldValue, ...]] = {}
    """Alternatives heard that contradict a field's value, best first; the agent accepts or ignores them."""
    related: tuple[RelatedOrder, ...] = ()
    """Earlier orders from the same caller, or about the same place and category."""
    duplicate_of: str | None = None
    """The order this one duplicates (重复工单), as marked by the agent; the receiving system merges them."""
    knowledge: tuple[KnowledgeHit, ...] = ()
    """Articles that may help the agent; not delivered."""
    outcome: CallOutcome | None = None
    """What became of the call, once that is known."""
    suggested: OutcomeSuggestion | None = None
    """The outcome that the call so far speaks for; the agent's choice counts."""
    send_at: float | None = None
    """When a draft is sent by itself, POSIX seconds; until then it can be changed or held back."""
    held_back: bool = False
    """An agent keeps the draft from being sent by itself."""
    supplements: tuple[Supplement, ...] = ()
    """What later calls added, oldest first."""
    sent: SentOrder | None = None
    """As it left, while an agent corrects it (then it is a draft again)."""
    source: str = CALL
    """What it was made from: `call`, or a `domain.intake.MatterSource`; then `call_id` is the matter's."""
    changes: tuple[str, ...] = ()
    """What this revision tells anew: names of fields, `outcome`, `supplements`, `withdrawn`."""
    withdrawn: Withdrawal | None = None
    number: int = 1
    """Its place among the orders of its call, from 1. The first one's outcome is that of the call."""
    begins: float = 0.0
    """Where in the call its matter begins, seconds of call time; what is said from there on fills it."""
    ends: float | None = None
    """Where the next matter begins; `None`: it is the call's last."""
    split: SplitSuggestion | None = None
    """Where it seems that another order is to be opened."""

    @property
    def outcome_kind(self) -> str | None:
        """The outcome's kind; `None` as long as it is not known. Version 0.1 knew no other than orders."""
        if self.outcome is None and self.state is not OrderState.DRAFT:
            return ORDER
        return self.outcome.kind if self.outcome is not None else None

    @property
    def as_left(self) -> "Order":
        """The order as it left last, where an agent is correcting it."""
        if self.sent is None:
            return self
        sent = self.sent
        return structs.replace(self, state=sent.state, fields=sent.fields, outcome=sent.outcome)

    @property
    def matter(self) -> str | None:
        """Place and category as one key; `None` if either is not certain enough."""
        place = self.fields.get("village") or self.fields.get("town")
        about = self.fields.get("category")
        if place is None or about is None or min(place.confidence, about.confidence) < MATTER_CONFIDENCE:
            return None
        return f"{place.value}/{about.value}"[:200]


class UnsubmittedOrder(Struct, frozen=True):
    """A draft and what is known about its call."""

    order_id: str
    call_id: str
    line: str
    pbx: str = ""
    agent: str | None = None
    ended_at: float | None = None
    """`None` while the call is in progress."""
