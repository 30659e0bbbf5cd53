"""Work orders: read, filled in, kept while typing, marked as duplicates, sent off."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Response
from msgspec import Struct, structs
from pydantic import BaseModel, ConfigDict, Field

from agents.accounts.identity import Identity, Principal, Scope
from domain.order_status import OrderStatus
from domain.orders import Order
from domain.refusals import refusal
from domain.visibility.redact import redact, redact_unsaved, typed
from gateway.web import examples
from gateway.web.access import Access
from gateway.web.answers import found, json, problem
from gateway.web.auditing import Note
from gateway.web.contract import answers
from gateway.web.patience import within
from workorders.outcomes import OutcomeChoice

Value = str | bool | list[str]
MAX_UNSAVED = 4000
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class OrderDetail(Order, frozen=True, kw_only=True):
    """An order with what is typed into it, and what became of it."""

    unsaved: dict[str, str]
    """Field name → what was typed into it and is not (yet) valid."""
    statuses: list[OrderStatus]
    """What work-order systems told of it, as it happened."""


class UnsavedTexts(Struct, frozen=True):
    unsaved: dict[str, str]


DETAIL = OrderDetail(**structs.asdict(examples.ORDER), unsaved={}, statuses=[examples.STATUS])
CHANGED = {409: ("order_stale", "order_overtaken", "order_submitted", "order_withdrawn")}
FIELDS = ("field_choice", "field_code", "field_list", "field_text", "field_unknown", "field_yes_no")
SENT = {409: ("order_not_sent", "order_stale", "order_submitted", "order_withdrawn")}
OUTCOMES = ("outcome_detail", "outcome_order", "outcome_reason", "outcome_text", "outcome_unknown")


def example(**body: Any) -> ConfigDict:
    """Pydantic's configuration of a body, with an example of it."""
    return ConfigDict(json_schema_extra={"examples": [body]})


class Fields(BaseModel):
    model_config = example(fields={"title": "人民路路灯损坏"}, revision=1, seen={"title": "路灯"})

    fields: dict[str, Value]
    revision: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    seen: dict[str, Value | None] = {}


class Unsaved(BaseModel):
    model_config = example(unsaved={"credit_code": "9132", "wish": None})

    unsaved: Annotated[
        dict[FieldName, Annotated[str, Field(max_length=MAX_UNSAVED)] | None], Field(max_length=100)
    ]


class DuplicateOf(BaseModel):
    model_config = example(order_id=examples.ORDER_ID)

    order_id: str | None


class Outcome(BaseModel):
    model_config = example(kind="answered", answer="周一至周五九点到五点办理")

    kind: str
    answer: str = ""
    article: str = ""
    target: str = ""
    reason: str = ""
    order_id: str = ""
    urges: bool = False


class Further(BaseModel):
    model_config = example(call_id=examples.CALL.id, number=2, begins=42.5)

    call_id: str
    number: Annotated[int, Field(ge=2, lt=100)]
    begins: Annotated[float, Field(ge=0, le=864_000)] | None = None


class Reason(BaseModel):
    model_config = example(reason="来电人撤回诉求")

    reason: Annotated[str, Field(max_length=200)] = ""


class Concluding(Protocol):
    """Port: outcomes of calls (`workorders.conclusion.Conclusion`)."""

    async def choose(self, order_id: str, choice: OutcomeChoice, *, by: str) -> Order | None: ...

    async def hold_back(self, order_id: str, *, by: str) -> Order | None: ...


class Correcting(Protocol):
    """Port: orders that have left (`workorders.correction.Correction`)."""

    async def open(self, order_id: str, *, by: str) -> Order | None: ...

    async def give_up(self, order_id: str, *, by: str) -> Order | None: ...

    async def withdraw(self, order_id: str, reason: str, *, by: str) -> Order | None: ...


class Orders(Protocol):
    """Port: work orders (`workorders.service.OrderService`)."""

    async def set_fields(
        self,
        order_id: str,
        fields: Mapping[str, Any],
        *,
        revision: int | None,
        by: str,
        seen: Mapping[str, Any] | None = None,
    ) -> Order | None: ...

    async def add_order(
        self, call_id: str, number: int, *, begins: float | None, by: str
    ) -> Order | None: ...

    async def mark_duplicate(self, order_id: str, original: str | None, *, by: str) -> Order | None: ...

    async def submit(self, order_id: str, *, by: str) -> Order | None: ...

    @property
    def conclusion(self) -> Concluding: ...

    @property
    def correction(self) -> Correcting: ...


class UnsavedInput(Protocol):
    """Port: what is typed into an order's fields and is not, or not yet, valid."""

    async def get_unsaved(self, order_id: str) -> dict[str, str]:
        """Field name → text as typed."""
        ...

    async def keep_unsaved(self, order_id: str, texts: Mapping[str, str | None], *, by: str) -> None:
        """Keep these texts; `None` removes that field's, others stay. The last write counts."""
        ...


FieldNames = Callable[[Order], Collection[str]]
"""The names of the fields on the form of an order."""


class Timelines(Protocol):
    """Port: what work-order systems told of orders."""

    async def timeline(self, order_id: str) -> Sequence[OrderStatus]:
        """As it happened."""
        ...


def router(
    access: Access,
    orders: Orders,
    unsaved: UnsavedInput,
    timelines: Timelines,
    field_names: FieldNames,
    note: Note,
) -> APIRouter:
    """`/orders`."""
    routes = APIRouter(prefix="/api/v1/orders")
    who_is = Depends(access.signed_in)
    reader = Depends(access.asking(Scope.ORDERS_READ))

    @routes.post("")
    @answers(
        Order,
        refuses={
            404: ("not_found",),
            409: ("order_many", "order_none", "order_number"),
            422: ("order_begins",),
        },
    )
    async def add(body: Further, who: Identity = who_is) -> Response:
        """Another order for a call, for a further matter; asked again, the one that is there."""
        await access.own_call(body.call_id, who)
        made = await within(orders.add_order(body.call_id, body.number, begins=body.begins, by=who.username))
        named = {"call": body.call_id, "number": body.number, "order": made.id if made else None}
        await note(who, "order.add", named)
        return json(redact(found(made, "call"), access.visibility(who)))

    @routes.get("/{order_id}")
    @answers(OrderDetail, example=DETAIL)
    async def order(order_id: str, who: Principal = reader) -> Response:
        own, visibility = await access.own_order(order_id, who), access.visibility(who)
        return json(
            OrderDetail(
                **structs.asdict(redact(own, visibility)),
                unsaved=redact_unsaved(own, await unsaved.get_unsaved(order_id), visibility),
                statuses=[redact(one, visibility) for one in await timelines.timeline(order_id)],
            )
        )

    @routes.patch("/{order_id}/fields")
    @answers(Order, refuses={**CHANGED, 422: FIELDS})
    async def fields(order_id: str, body: Fields, who: Identity = who_is) -> Response:
        own, visibility = await access.own_order(order_id, who), access.visibility(who)
        kept = {} if visibility.whole else await unsaved.get_unsaved(order_id)

        async def save() -> Order | None:
            changed = await orders.set_fields(
                order_id,
                typed(own, body.fields, kept, visibility),
                revision=body.revision,
                by=who.username,
                seen=typed(own, body.seen, {}, visibility),
            )
            if changed is not None:
                # What is valid now need not be kept apart.
                await unsaved.keep_unsaved(order_id, dict.fromkeys(body.fields), by=who.username)
            return changed

        return json(redact(found(await within(save()), "order"), visibility))

    @routes.put("/{order_id}/unsaved")
    @answers(UnsavedTexts, example=UnsavedTexts({"credit_code": "9132"}), refuses={422: ("fields_unknown",)})
    async def keep(order_id: str, body: Unsaved, who: Identity = who_is) -> Response:
        own, visibility = await access.own_order(order_id, who), access.visibility(who)
        strangers = sorted(set(body.unsaved) - set(field_names(own)))
        if strangers:
            return problem(422, refusal("fields_unknown", fields=", ".join(strangers)))
        meant = (
            body.unsaved
            if visibility.whole
            else typed(own, body.unsaved, await unsaved.get_unsaved(order_id), visibility)
        )
        await within(unsaved.keep_unsaved(order_id, meant, by=who.username))
        return json(UnsavedTexts(redact_unsaved(own, await unsaved.get_unsaved(order_id), visibility)))

    @routes.post("/{order_id}/duplicate_of")
    @answers(Order, refuses={**CHANGED, 422: ("order_itself",)})
    async def duplicate_of(order_id: str, body: DuplicateOf, who: Identity = who_is) -> Response:
        own = await access.own_order(order_id, who)
        if body.order_id is not None and not _offered(own, body.order_id):
            await access.own_order(body.order_id, who)
        marked = await within(orders.mark_duplicate(order_id, body.order_id, by=who.username))
        await note(who, "order.mark_duplicate", {"order": order_id, "duplicate_of": body.order_id})
        return json(redact(found(marked, "order"), access.visibility(who)))

    @routes.put("/{order_id}/outcome")
    @answers(Order, refuses={409: (*CHANGED[409], "order_dropped"), 422: OUTCOMES})
    async def outcome(order_id: str, body: Outcome, who: Identity = who_is) -> Response:
        own = await access.own_order(order_id, who)
        if body.order_id and not _offered(own, body.order_id):
            await access.own_order(body.order_id, who)
        choice = OutcomeChoice(**body.model_dump())
        chosen = await within(orders.conclusion.choose(order_id, choice, by=who.username))
        named = {"order": order_id, "outcome": body.kind, "joined": body.order_id, "reason": body.reason}
        await note(who, "order.outcome", {name: value for name, value in named.items() if value})
        return json(redact(found(chosen, "order"), access.visibility(who)))

    @routes.post("/{order_id}/hold_back")
    @answers(Order, refuses=CHANGED)
    async def hold_back(order_id: str, who: Identity = who_is) -> Response:
        await access.own_order(order_id, who)
        held = await within(orders.conclusion.hold_back(order_id, by=who.username))
        return json(redact(found(held, "order"), access.visibility(who)))

    @routes.post("/{order_id}/correction")
    @answers(Order, refuses=SENT)
    async def correct(order_id: str, who: Identity = who_is) -> Response:
        await access.own_order(order_id, who)
        opened = await within(orders.correction.open(order_id, by=who.username))
        await note(who, "order.correct", {"order": order_id})
        return json(redact(found(opened, "order"), access.visibility(who)))

    @routes.delete("/{order_id}/correction")
    @answers(Order, refuses=SENT)
    async def give_up(order_id: str, who: Identity = who_is) -> Response:
        await access.own_order(order_id, who)
        kept = await within(orders.correction.give_up(order_id, by=who.username))
        await note(who, "order.give_up_correction", {"order": order_id})
        return json(redact(found(kept, "order"), access.visibility(who)))

    @routes.post("/{order_id}/withdraw")
    @answers(Order, refuses=SENT)
    async def withdraw(order_id: str, body: Reason, who: Identity = who_is) -> Response:
        await access.own_order(order_id, who)
        gone = await within(orders.correction.withdraw(order_id, body.reason, by=who.username))
        await note(who, "order.withdraw", {"order": order_id, "reason": body.reason})
        return json(redact(found(gone, "order"), access.visibility(who)))

    @routes.post("/{order_id}/submit")
    @answers(Order, refuses={409: (*CHANGED[409], "order_dead")})
    async def submit(order_id: str, who: Identity = who_is) -> Response:
        await access.own_order(order_id, who)
        sent = found(await within(orders.submit(order_id, by=who.username)), "order")
        return json(redact(sent, access.visibility(who)))

    return routes


def _offered(order: Order, other: str) -> bool:
    """Whether the other order stands beside this one already: the agent has seen that it exists."""
    return any(one.order_id == other for one in order.related)
