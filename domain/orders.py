"""The work order (工单): a form of fields, each with its confidence and the evidence it came from."""

from enum import StrEnum
from typing import Any

from msgspec import Struct


class Evidence(Struct, frozen=True):
    """The span of transcript (and so of audio) a value came from."""

    utterance_id: str
    start: int
    """First character in the utterance's text."""
    end: int
    quote: str
    audio_start: float
    """Seconds of call time."""
    audio_end: float


class Method(StrEnum):
    """How a value was had."""

    AGENT = "agent"
    """Typed or confirmed by the agent: never overwritten."""
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
    """0..1, calibrated: of fields at 0.8, four in five are right."""
    method: Method
    evidence: tuple[Evidence, ...] = ()


class OrderState(StrEnum):
    """The life of an order on our side; the work-order system's own progress is kept beside it."""

    DRAFT = "draft"
    """Filling itself while the call runs."""
    SUBMITTED = "submitted"
    """In the outbox: will be delivered, whatever is lost or restarted."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """Refused for good or out of tries; waits for an operator."""


class RequestType(StrEnum):
    """诉求类型."""

    CONSULTATION = "咨询"
    HELP = "求助"
    COMPLAINT = "投诉"
    REPORT = "举报"
    SUGGESTION = "建议"
    PRAISE = "表扬"


MATTER_CONFIDENCE = 0.4


class RelatedOrder(Struct, frozen=True):
    """An earlier order that may be about the same thing."""

    order_id: str
    created_at: float
    reason: str
    """`caller` (same number) or `matter` (same place and category)."""
    title: str = ""
    state: str = ""


class KnowledgeHit(Struct, frozen=True):
    """An article of the knowledge base, found by what was said."""

    id: str
    title: str
    score: float
    """0..1, against the best article there could be."""
    passage: str
    """The part that fits best."""


class Alert(Struct, frozen=True):
    """Somebody's life or body is at risk, as far as was heard on a call: the supervisor must know at once."""

    call_id: str
    order_id: str
    line: str
    agent: str | None
    at: float
    quote: str
    """The words, as heard. Hostile input."""
    confidence: float


class Order(Struct, frozen=True):
    """One work order; a call that reached the queue has exactly one."""

    id: str
    """UUIDv5 of the call's id: making it twice makes the same order."""
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
    """The work-order system's own number, from its reply."""
    offers: dict[str, tuple[FieldValue, ...]] = {}
    """What was heard that contradicts a field's value, best first: for the agent to take over or leave."""
    related: tuple[RelatedOrder, ...] = ()
    """Earlier orders of the same caller, or of the same place and matter."""
    duplicate_of: str | None = None
    """The order that this one repeats (重复工单), as the agent found: the receiver merges them."""
    knowledge: tuple[KnowledgeHit, ...] = ()
    """Articles that may help the agent to answer; not delivered."""

    @property
    def matter(self) -> str | None:
        """Place and category as one key; `None` where either is not known well enough."""
        place = self.fields.get("village") or self.fields.get("town")
        about = self.fields.get("category")
        if place is None or about is None or min(place.confidence, about.confidence) < MATTER_CONFIDENCE:
            return None
        return f"{place.value}/{about.value}"[:200]


class UnsubmittedOrder(Struct, frozen=True):
    """A draft and what is known of its call."""

    order_id: str
    call_id: str
    line: str
    pbx: str = ""
    agent: str | None = None
    ended_at: float | None = None
    """`None`: the call goes on."""
