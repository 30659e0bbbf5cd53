"""Masks everything that reveals something about a caller, according to a visibility. Pure.

All output goes through `redact`: screens, files and the stream. Types it does not know contain nothing about
callers and are returned unchanged.
"""

import json
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any, TypeVar

from msgspec import structs

from domain.audit import AuditEntry
from domain.calls import Call, Conference, Direction, Leg, Party
from domain.deliveries import DeliveryView
from domain.deployment import EndpointState
from domain.history import OrderOfCall
from domain.messages import Message
from domain.order_status import OrderStatus
from domain.orders import Alert, FieldValue, Order, SentOrder
from domain.outcomes import CallOutcome, OutcomeSuggestion
from domain.queues import Queue
from domain.screen_pop import Contact
from domain.transcripts import Utterance
from domain.unfinished import UnfinishedCall
from domain.visibility.masks import HIDDEN, mask_address, mask_name, mask_number, put_back, without
from domain.visibility.policy import Visibility

T = TypeVar("T")
NUMBERS = frozenset({"phone", "phone_incomplete"})
NAMES = frozenset({"caller_name"})
ADDRESSES = frozenset({"location"})
PUBLIC = frozenset(
    {
        *("request_type", "category", "category2", "category3", "town", "village", "unit", "occurred"),
        *("enterprise", "credit_code", "credit_code_incomplete", "employer", "headcount", "policy", "degree"),
    }
)
"""Order fields by content: personal numbers, names and addresses, and fields that are never personal
(`PUBLIC`). All other fields are free text, which may contain any of these."""
IDENTIFIERS = frozenset(
    {"call", "call_id", "order", "duplicate_of", "recording", "agent", "line", "lines", "target", "from"}
)
"""Audit arguments that may contain long numbers but never a subscriber's."""

Known = Sequence[tuple[str, str]]
"""Names and addresses known from an order, each with its masked form."""


def redact(value: T, visibility: Visibility) -> T:
    """Return `value` with everything masked that `visibility` does not allow."""
    if visibility.whole:
        return value
    seen: T = _redact(value, visibility)
    return seen


@singledispatch
def _redact(value: Any, visibility: Visibility) -> Any:
    return value


# -- calls --------------------------------------------------------------------------------
@_redact.register
def _(value: UnfinishedCall, visibility: Visibility) -> UnfinishedCall:
    # A message of the database may quote what it was given: only the kind of fault is left.
    return structs.replace(value, trouble=value.trouble.partition(":")[0])


@_redact.register
def _(call: Call, visibility: Visibility) -> Call:
    ours = call.direction is Direction.INBOUND
    return structs.replace(
        call,
        caller=_party(call.caller, visibility),
        called=call.called if ours else visibility.number(call.called),
        ivr={name: visibility.number(value) for name, value in call.ivr.items()},
        legs=tuple(_leg(leg, visibility) for leg in call.legs),
        conversations=tuple(
            structs.replace(
                one, channel=_channel(one.channel, visibility), party=visibility.number(one.party)
            )
            for one in call.conversations
        ),
        recordings=tuple(
            structs.replace(one, path=visibility.number(one.path), channel=_channel(one.channel, visibility))
            for one in call.recordings
        ),
        transfers=tuple(
            structs.replace(one, origin=visibility.number(one.origin), target=visibility.number(one.target))
            for one in call.transfers
        ),
        conferences=tuple(_conference(one, visibility) for one in call.conferences),
    )


def _party(party: Party, visibility: Visibility) -> Party:
    return Party(visibility.number(party.number), visibility.name(party.name))


def _leg(leg: Leg, visibility: Visibility) -> Leg:
    party = leg.party
    # An agent's own name is not secret, but the PBX may put the caller's number there instead.
    name = visibility.number(party.name) if leg.agent is not None else visibility.name(party.name)
    return structs.replace(
        leg, channel=_channel(leg.channel, visibility), party=Party(visibility.number(party.number), name)
    )


def _channel(name: str, visibility: Visibility) -> str:
    """Mask the number in `Local/13800138000@out-0000001a;1` but keep the suffix that tells channels apart."""
    head, dash, tail = name.rpartition("-")
    return visibility.number(head) + dash + tail


def _conference(one: Conference, visibility: Visibility) -> Conference:
    members = tuple(structs.replace(member, party=visibility.number(member.party)) for member in one.members)
    return structs.replace(one, members=members)


@_redact.register
def _(utterance: Utterance, visibility: Visibility) -> Utterance:
    return structs.replace(utterance, text=visibility.spoken(utterance.text))


@_redact.register
def _(queue: Queue, visibility: Visibility) -> Queue:
    waiting = tuple(structs.replace(one, caller=visibility.number(one.caller)) for one in queue.waiting)
    return structs.replace(queue, waiting=waiting)


@_redact.register
def _(alert: Alert, visibility: Visibility) -> Alert:
    # Without the words, the alert still says that there is danger, and on whose call.
    return structs.replace(alert, quote=visibility.number(alert.quote) if visibility.transcripts else "")


@_redact.register
def _(contact: Contact, visibility: Visibility) -> Contact:
    return structs.replace(contact, name=visibility.name(contact.name), note=visibility.number(contact.note))


# -- orders -------------------------------------------------------------------------------
@_redact.register
def _(order: Order, visibility: Visibility) -> Order:
    known = known_of(order, visibility)
    return structs.replace(
        order,
        fields={name: _field(name, field, visibility, known) for name, field in order.fields.items()},
        offers={
            name: tuple(_field(name, one, visibility, known) for one in offers)
            for name, offers in order.offers.items()
        },
        related=tuple(
            structs.replace(one, title=visibility.number(without(one.title, known))) for one in order.related
        ),
        outcome=_outcome(order.outcome, visibility, known) if order.outcome is not None else None,
        suggested=_suggestion(order.suggested, visibility, known) if order.suggested is not None else None,
        split=(
            structs.replace(order.split, quote=visibility.spoken(without(order.split.quote, known)))
            if order.split is not None
            else None
        ),
        supplements=tuple(
            structs.replace(one, text=visibility.number(without(one.text, known)))
            for one in order.supplements
        ),
        sent=_sent(order.sent, visibility, known) if order.sent is not None else None,
        withdrawn=(
            structs.replace(order.withdrawn, reason=visibility.number(without(order.withdrawn.reason, known)))
            if order.withdrawn is not None
            else None
        ),
    )


def _sent(sent: SentOrder, visibility: Visibility, known: Known) -> SentOrder:
    return structs.replace(
        sent,
        fields={name: _field(name, field, visibility, known) for name, field in sent.fields.items()},
        outcome=_outcome(sent.outcome, visibility, known) if sent.outcome is not None else None,
    )


@_redact.register
def _(status: OrderStatus, visibility: Visibility) -> OrderStatus:
    # Officials are named; of what they write, only numbers can be told.
    return structs.replace(status, text=visibility.number(status.text))


def _outcome(outcome: CallOutcome, visibility: Visibility, known: Known) -> CallOutcome:
    return structs.replace(
        outcome,
        answer=visibility.number(without(outcome.answer, known)),
        target=visibility.number(without(outcome.target, known)),
    )


def _suggestion(one: OutcomeSuggestion, visibility: Visibility, known: Known) -> OutcomeSuggestion:
    return OutcomeSuggestion(
        _outcome(one.outcome, visibility, known),
        one.confidence,
        visibility.spoken(without(one.quote, known)),
    )


@_redact.register
def _(both: OrderOfCall, visibility: Visibility) -> OrderOfCall:
    return OrderOfCall(
        redact(both.order, visibility), redact(both.call, visibility), redact(both.status, visibility)
    )


def known_of(order: Order, visibility: Visibility) -> Known:
    """Return the order's names and addresses that `visibility` does not allow in full, longest first."""
    found: dict[str, str] = {}
    for names, whole, mask in (
        (NAMES, visibility.names, mask_name),
        (ADDRESSES, visibility.addresses, mask_address),
    ):
        if whole:
            continue
        for name in names:
            for field in _told_of(order, name):
                if isinstance(field.value, str) and len(field.value) > 1:
                    found[field.value] = mask(field.value)
    return sorted(found.items(), key=lambda one: -len(one[0]))


def _told_of(order: Order, name: str) -> list[FieldValue]:
    """All values of a field: the current one, then the offered alternatives."""
    before = order.sent.fields if order.sent is not None else {}
    held = [fields[name] for fields in (order.fields, before) if name in fields]
    return [*held, *order.offers.get(name, ())]


def field_text(name: str, text: str, visibility: Visibility, known: Known = ()) -> str:
    """Mask the text of the order field called `name`."""
    if name in PUBLIC:
        return text
    if name in NUMBERS:
        return visibility.digits(text)
    if name in NAMES:
        return visibility.name(text)
    if name in ADDRESSES:
        return visibility.address(text)
    return visibility.number(without(text, known))


def _field(name: str, field: FieldValue, visibility: Visibility, known: Known) -> FieldValue:
    value = field.value
    if isinstance(value, str):
        value = field_text(name, value, visibility, known)
    elif isinstance(value, list | tuple):
        value = [field_text(name, str(one), visibility, known) for one in value]
    # The sentence a masked value came from would reveal it, however it is phrased.
    hidden = (
        (name in NUMBERS and not visibility.numbers)
        or (name in NAMES and not visibility.names)
        or (name in ADDRESSES and not visibility.addresses)
    )
    evidence = tuple(
        structs.replace(one, quote=HIDDEN if hidden else visibility.spoken(without(one.quote, known)))
        for one in field.evidence
    )
    return structs.replace(field, value=value, evidence=evidence)


def redact_unsaved(order: Order, unsaved: Mapping[str, str], visibility: Visibility) -> dict[str, str]:
    """Mask unsaved input: what has been typed into the order's fields but is not valid yet."""
    known = known_of(order, visibility)
    return {name: field_text(name, text, visibility, known) for name, text in unsaved.items()}


def typed(
    order: Order, texts: Mapping[str, Any], unsaved: Mapping[str, str], visibility: Visibility
) -> dict[str, Any]:
    """Undo masking in field values sent by somebody with that `visibility`.

    Masked pieces they left untouched are restored to the original; otherwise saving a summary would lose the
    number in it.
    """
    if visibility.whole:
        return dict(texts)
    known = known_of(order, visibility)

    def meant(name: str, sent: Any) -> Any:
        if isinstance(sent, list):
            return [meant(name, one) for one in sent]
        if not isinstance(sent, str):
            return sent
        sources = [unsaved[name]] if name in unsaved else []
        for field in _told_of(order, name):
            sources += (
                [str(one) for one in field.value] if isinstance(field.value, list) else [str(field.value)]
            )
        return put_back(sent, sources, lambda text: field_text(name, text, visibility, known), known)

    return {name: meant(name, sent) for name, sent in texts.items()}


# -- operation ----------------------------------------------------------------------------
@_redact.register
def _(entry: AuditEntry, visibility: Visibility) -> AuditEntry:
    if visibility.numbers:
        return entry
    return structs.replace(
        entry,
        args=_json(entry.args),
        params=_json(entry.params),
        message=mask_number(entry.message),
    )


@_redact.register
def _(delivery: DeliveryView, visibility: Visibility) -> DeliveryView:
    return structs.replace(delivery, last_error=_said(delivery.last_error, visibility))


@_redact.register
def _(endpoint: EndpointState, visibility: Visibility) -> EndpointState:
    return structs.replace(endpoint, last_error=_said(endpoint.last_error, visibility))


def _said(said: Message | None, visibility: Visibility) -> Message | None:
    if said is None or visibility.numbers:
        return said
    return structs.replace(said, params=_masked(said.params), text=mask_number(said.text))


def _json(text: str) -> str:
    try:
        return json.dumps(_masked(json.loads(text)), ensure_ascii=False)
    except ValueError:  # truncated JSON
        return mask_number(text)


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _masked(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, name) for one in value]
    return mask_number(value) if isinstance(value, str) and name not in IDENTIFIERS else value
