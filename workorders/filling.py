"""The draft: created with the call, refilled as more is heard, never against the agent. Pure."""

import uuid
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from domain.calls import Call
from domain.numbers import national
from domain.orders import (
    FieldValue,
    KnowledgeHit,
    Method,
    Order,
    OrderState,
    RelatedOrder,
    SentOrder,
    SplitSuggestion,
    Withdrawal,
)
from domain.outcomes import CallOutcome, OutcomeSuggestion, Supplement

NAMESPACE = uuid.UUID("6d0c8f6e-3b7e-5d1a-9c55-12345c0ffee5")
CALLER_ID_CONFIDENCE = 0.6
"""The calling number is often, but not always, the one to call back."""


def order_id(call_id: str, number: int = 1) -> str:
    """Return the id of the call's order of that number; always the same one."""
    return str(uuid.uuid5(NAMESPACE, call_id if number == 1 else f"{call_id}#{number}"))


def new_order(call: Call, line_id: str, at: float) -> Order:
    """Create the order of a call that was just answered, from what signalling alone tells."""
    fields = {}
    if (number := national(call.caller.number)) is not None:
        fields["phone"] = FieldValue(value=number, confidence=CALLER_ID_CONFIDENCE, method=Method.SIGNALLING)
    return Order(
        id=order_id(call.id),
        call_id=call.id,
        line=line_id,
        state=OrderState.DRAFT,
        fields=fields,
        created_at=at,
        updated_at=at,
    )


def refill(
    order: Order,
    fields: Mapping[str, FieldValue],
    at: float,
    offers: Mapping[str, tuple[FieldValue, ...]] | None = None,
) -> tuple[Order, tuple[str, ...]]:
    """Take over the fields extracted from the transcript so far; return (order, names that changed).

    What the agent typed is kept; conflicting values are offered beside it (`Order.offers`), as are the
    extraction's own doubts. Extracted values that are no longer found are removed, since they came from the
    same words (a correction revoked them). Values from signalling are kept until something is heard. A
    submitted order is not changed.
    """
    if order.state is not OrderState.DRAFT:
        return order, ()
    merged = {
        name: value
        for name, value in order.fields.items()
        if value.method in (Method.AGENT, Method.SIGNALLING)
    }
    for name, value in fields.items():
        held = merged.get(name)
        if held is None or held.method is Method.SIGNALLING:
            merged[name] = value
    beside = _offers(merged, fields, offers or {})
    # A form has its own field order; here the order of appearance is kept.
    names = {**order.fields, **merged, **order.offers, **beside}
    changed = tuple(
        name
        for name in names
        if order.fields.get(name) != merged.get(name) or order.offers.get(name) != beside.get(name)
    )
    if not changed:
        return order, ()
    return structs.replace(
        order, fields=merged, offers=beside, revision=order.revision + 1, updated_at=at
    ), changed


def _offers(
    held: Mapping[str, FieldValue],
    heard: Mapping[str, FieldValue],
    offers: Mapping[str, tuple[FieldValue, ...]],
) -> dict[str, tuple[FieldValue, ...]]:
    beside: dict[str, tuple[FieldValue, ...]] = {}
    for name, value in held.items():
        found = (heard[name],) if name in heard and value.method is Method.AGENT else ()
        different = [one for one in (*found, *offers.get(name, ())) if one.value != value.value]
        once = {repr(one.value): one for one in reversed(different)}
        if different:
            beside[name] = tuple(one for one in different if once[repr(one.value)] is one)
    return beside


def set_by_agent(order: Order, values: Mapping[str, Any], at: float) -> Order:
    """Set what the agent typed: certain, and from now on protected from extraction."""
    fields, offers = dict(order.fields), dict(order.offers)
    for name, value in values.items():
        before = fields.get(name)
        fields[name] = FieldValue(value=value, confidence=1.0, method=Method.AGENT)
        heard = offers.pop(name, ())
        if before is not None and before.method is not Method.AGENT:
            heard = (before, *heard)
        if left := tuple(one for one in heard if one.value != value):
            offers[name] = left
    return structs.replace(order, fields=fields, offers=offers, revision=order.revision + 1, updated_at=at)


def is_set(order: Order, values: Mapping[str, Any]) -> bool:
    """Whether the agent typed all of this already: the request came twice."""
    return all(
        (field := order.fields.get(name)) is not None
        and field.method is Method.AGENT
        and field.value == value
        for name, value in values.items()
    )


def overtaken(order: Order, values: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """Return the fields another desk has changed since `seen`, what this desk showed when typing began.

    Changes by extraction are no conflict: the agent has the last word.
    """
    return sorted(
        name
        for name, value in values.items()
        if name in seen
        and (now := order.fields.get(name)) is not None
        and now.method is Method.AGENT
        and now.value not in (seen[name], value)
    )


def marked_duplicate(order: Order, original: str | None, at: float) -> Order:
    """Mark the order as a duplicate of `original`, or as none; unchanged if already so."""
    if order.duplicate_of == original:
        return order
    return structs.replace(order, duplicate_of=original, revision=order.revision + 1, updated_at=at)


class Beside(Struct, frozen=True):
    """What may help the agent with a draft."""

    related: tuple[RelatedOrder, ...] = ()
    knowledge: tuple[KnowledgeHit, ...] = ()
    suggested: OutcomeSuggestion | None = None
    split: SplitSuggestion | None = None


def put_beside(order: Order, beside: Beside, at: float) -> Order:
    """Put what may help the agent beside the draft; unchanged if it is the same."""
    if order.ends is not None:
        beside = structs.replace(beside, split=None)  # the further order has been opened meanwhile
    before = Beside(order.related, order.knowledge, order.suggested, order.split)
    if order.state is not OrderState.DRAFT or beside == before:
        return order
    return structs.replace(order, **structs.asdict(beside), revision=order.revision + 1, updated_at=at)


# -- how the call ended, and when the order leaves -----------------------------------------------------------
def with_outcome(order: Order, outcome: CallOutcome, at: float) -> Order:
    """Set what became of the call; unchanged if that was chosen already."""
    if order.outcome is not None and structs.replace(order.outcome, at=outcome.at) == outcome:
        return order
    return structs.replace(order, outcome=outcome, revision=order.revision + 1, updated_at=at)


def scheduled(order: Order, send_at: float, at: float) -> Order:
    """Let the draft be sent by itself at `send_at`; unchanged if it is so."""
    if order.state is not OrderState.DRAFT or order.send_at == send_at:
        return order
    return structs.replace(
        order, send_at=send_at, held_back=False, revision=order.revision + 1, updated_at=at
    )


def held_back(order: Order, at: float) -> Order:
    """Keep the draft from being sent by itself; unchanged if it is so."""
    if order.held_back and order.send_at is None:
        return order
    return structs.replace(order, send_at=None, held_back=True, revision=order.revision + 1, updated_at=at)


def submitted(order: Order, outcome: CallOutcome, at: float) -> Order:
    """Return the order as it goes into the outbox, with the outcome of its call."""
    after = structs.replace(order, outcome=outcome)
    return structs.replace(
        after,
        state=OrderState.SUBMITTED,
        changes=_changes(after),
        sent=None,
        send_at=None,
        held_back=False,
        submitted_at=at,
        updated_at=at,
    )


def _changes(order: Order) -> tuple[str, ...]:
    """What a correction tells anew."""
    if order.sent is None:
        return ()
    before = order.sent.fields
    # A field that was confirmed as it is tells nothing anew.
    values = {name: field.value for name, field in order.fields.items()}
    told = {name: field.value for name, field in before.items()}
    changed = [name for name in {**told, **values} if told.get(name) != values.get(name)]
    if _said(order.outcome) != _said(order.sent.outcome):
        changed.append("outcome")
    if "supplements" in order.changes:
        changed.append("supplements")
    return tuple(changed)


def _said(outcome: CallOutcome | None) -> CallOutcome | None:
    """An outcome but for when, and by whom."""
    return None if outcome is None else structs.replace(outcome, at=0.0, by="")


# -- once it has left --------------------------------------------------------------------------------------
def reopened(order: Order, at: float) -> Order:
    """Return the order that has left as a draft again, to be corrected; it leaves when an agent says so."""
    return structs.replace(
        order,
        state=OrderState.DRAFT,
        sent=SentOrder(order.state, order.fields, order.outcome),
        changes=(),
        held_back=True,
        revision=order.revision + 1,
        updated_at=at,
    )


def restored(order: Order, at: float) -> Order:
    """Return the order as it left, without the correction begun; unchanged if none is.

    What calls added meanwhile stays, and leaves (`submitted`).
    """
    if order.sent is None:
        return order
    added = "supplements" in order.changes
    return structs.replace(
        order,
        state=OrderState.SUBMITTED if added else order.sent.state,
        submitted_at=at if added else order.submitted_at,
        fields=order.sent.fields,
        outcome=order.sent.outcome,
        sent=None,
        send_at=None,
        held_back=False,
        revision=order.revision + 1,
        updated_at=at,
    )


def withdrawn(order: Order, withdrawal: Withdrawal, at: float) -> Order:
    """Return the order that has left as it goes out withdrawn. A correction begun is given up."""
    kept = restored(order, at)
    return structs.replace(
        kept,
        state=OrderState.SUBMITTED,
        withdrawn=withdrawal,
        changes=("withdrawn",),
        submitted_at=at,
        revision=order.revision + 1,
        updated_at=at,
    )


def dropped(order: Order, outcome: CallOutcome, at: float) -> Order:
    """Return the order of a call of which nothing is sent."""
    return structs.replace(order, state=OrderState.DROPPED, outcome=outcome, send_at=None, updated_at=at)


def supplemented(order: Order, supplement: Supplement, at: float) -> Order:
    """Return the order with what a later call added; one that has left goes out again, as its next revision.

    Unchanged if that matter of that call has been added to it already.
    """
    # Those of earlier versions name no draft: a call had one.
    own = (supplement.order_id, "")
    if any(one.call_id == supplement.call_id and one.order_id in own for one in order.supplements):
        return order
    leaves_again = order.state is not OrderState.DRAFT
    return structs.replace(
        order,
        state=OrderState.SUBMITTED if leaves_again else order.state,
        supplements=(*order.supplements, supplement),
        changes=("supplements",),
        submitted_at=at if leaves_again else order.submitted_at,
        revision=order.revision + 1,
        updated_at=at,
    )


def with_state(order: Order, state: OrderState, at: float, *, external_id: str | None = None) -> Order:
    """Return the order once its delivery has been settled."""
    # One that is being corrected stays a draft; it is known what it would be without that.
    draft = order.sent is not None
    return structs.replace(
        order,
        state=order.state if draft else state,
        sent=structs.replace(order.sent, state=state) if order.sent is not None else None,
        updated_at=at,
        delivered_at=at if state is OrderState.DELIVERED else order.delivered_at,
        external_id=external_id or order.external_id,
    )
