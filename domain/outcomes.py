"""The outcome of a call (通话结果): what became of the caller's matter. Every served call has exactly one.

It stands on the order that was drafted with the call, and decides what is sent of it.
"""

from enum import StrEnum

from msgspec import Struct


class Sends(StrEnum):
    """What the work-order system gets of a call with that outcome."""

    ORDER = "order"
    """The order, to be worked on."""
    CLOSED = "closed"
    """The order as closed (办结): the matter was settled on the line."""
    NOTHING = "nothing"
    """Nothing; the draft is dropped."""


class Detail(StrEnum):
    """What an outcome can be asked to say beside its name."""

    ANSWER = "answer"
    """What was answered, and by which article or policy."""
    TARGET = "target"
    """To whom the caller was handed over: a unit, a line, or a number."""
    REASON = "reason"
    """Why, one of `OutcomeKind.reasons`."""
    ORDER = "order"
    """The order under way that the call belongs to."""


class OutcomeKind(Struct, frozen=True):
    """One outcome that agents can choose."""

    id: str
    name: str
    """As agents read it, Chinese."""
    name_en: str
    sends: Sends
    details: tuple[Detail, ...] = ()
    reasons: tuple[str, ...] = ()
    """Ids of the reasons among which one is chosen."""


ORDER, ANSWERED, JOINED, TRANSFERRED, INVALID = "order", "answered", "joined", "transferred", "invalid"
INVALID_REASONS = ("nuisance", "silent", "misdialled")
"""骚扰, 静默, 错拨."""

OUTCOMES = (
    OutcomeKind(ORDER, "生成工单", "Work order", Sends.ORDER),
    OutcomeKind(ANSWERED, "直接答复", "Answered on the line", Sends.CLOSED, (Detail.ANSWER,)),
    OutcomeKind(JOINED, "补充催办", "Adds to an order", Sends.NOTHING, (Detail.ORDER,)),
    OutcomeKind(TRANSFERRED, "转接办理", "Handed over", Sends.CLOSED, (Detail.TARGET,)),
    OutcomeKind(INVALID, "无效来电", "Not a request", Sends.NOTHING, (Detail.REASON,), INVALID_REASONS),
)
"""Those that every installation has; more by configuration."""


class CallOutcome(Struct, frozen=True):
    """What became of one call."""

    kind: str
    """Id of an `OutcomeKind`."""
    at: float
    by: str = ""
    """Username of who chose it; empty: nobody did, and the order was sent."""
    answer: str = ""
    article: str = ""
    """Id of the knowledge-base article that the answer is from."""
    target: str = ""
    reason: str = ""
    order_id: str = ""
    """The order that the call adds to."""
    urges: bool = False
    """The caller only asks for the order to be dealt with soon (催办); else something is added (补充)."""


class OutcomeSuggestion(Struct, frozen=True):
    """The outcome that what was said and done on the call speaks for."""

    outcome: CallOutcome
    confidence: float
    """0..1."""
    quote: str = ""
    """The words it is taken from. Untrusted input."""


class Supplement(Struct, frozen=True):
    """What a later call of the citizen added to an order (补充), or that it urges it on (催办)."""

    call_id: str
    at: float
    by: str
    urges: bool
    text: str
    """What was said on that call, in short."""
    order_id: str = ""
    """The draft it was on: several matters of one call may add to the same order."""
