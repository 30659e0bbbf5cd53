"""The work order (工单): a form whose fields each carry a confidence and the evidence for their value."""

from enum import StrEnum
from typing import Any

from msgspec import Struct


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
    """Being filled in, automatically while the call is in progress."""
    SUBMITTED = "submitted"
    """In the outbox: will be delivered, even across crashes and restarts."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """Refused for good or out of attempts; needs an operator."""


class RequestType(StrEnum):
    """Type of request (诉求类型)."""

    CONSULTATION = "咨询"
    HELP = "求助"
    COMPLAINT = "投诉"
    REPORT = "举报"
    SUGGESTION = "建议"
    PRAISE = "表扬"


MATTER_CONFIDENCE = 0.4


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


class Order(Struct, frozen=True):
    """One work order. Every inbound call answered by an agent has exactly one."""

    id: str
    """UUIDv5 of the call's id, so that creating an order twice yields the same one."""
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
