"""What an agent may say became of a call. Pure."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from domain.outcomes import JOINED, CallOutcome, Detail, OutcomeKind
from workorders.errors import OrderRefusedError

MAX_ANSWER = 4000
MAX_WORDS = 200
"""Of a target, a reason, an article's id."""


class OutcomeChoice(Struct, frozen=True):
    """An outcome as it is asked for: unchecked."""

    kind: str
    answer: str = ""
    article: str = ""
    target: str = ""
    reason: str = ""
    order_id: str = ""
    urges: bool = False


_DETAILS: Mapping[str, frozenset[Detail]] = {
    # What is added to an order is said in words like an answer.
    "answer": frozenset({Detail.ANSWER, Detail.ORDER}),
    "article": frozenset({Detail.ANSWER}),
    "target": frozenset({Detail.TARGET}),
    "reason": frozenset({Detail.REASON}),
    "order_id": frozenset({Detail.ORDER}),
    "urges": frozenset({Detail.ORDER}),
}


def checked(kinds: Sequence[OutcomeKind], choice: OutcomeChoice, *, by: str, at: float) -> CallOutcome:
    """Return the outcome that was chosen.

    Raises:
        OrderRefusedError: unknown outcome or reason, a detail that does not belong to it, one that lacks, or
            text that is too long (all 422).
    """
    kind = next((one for one in kinds if one.id == choice.kind), None)
    if kind is None:
        known = ", ".join(one.id for one in kinds)
        raise OrderRefusedError("outcome_unknown", status=422, outcome=choice.kind[:80], outcomes=known)
    for name, details in _DETAILS.items():
        if getattr(choice, name) and not details & set(kind.details):
            raise OrderRefusedError("outcome_detail", status=422, outcome=kind.id, detail=name)
    if kind.reasons and choice.reason not in kind.reasons:
        reasons = ", ".join(kind.reasons)
        raise OrderRefusedError("outcome_reason", status=422, outcome=kind.id, reasons=reasons)
    if kind.id == JOINED and not choice.order_id:
        raise OrderRefusedError("outcome_order", status=422)
    for name, most in (("answer", MAX_ANSWER), ("article", MAX_WORDS), ("target", MAX_WORDS)):
        if len(getattr(choice, name)) > most:
            raise OrderRefusedError("outcome_text", status=422, detail=name, most=most)
    return CallOutcome(
        kind=kind.id,
        at=at,
        by=by,
        answer=choice.answer.strip(),
        article=choice.article,
        target=choice.target.strip(),
        reason=choice.reason,
        order_id=choice.order_id,
        urges=choice.urges,
    )
