"""Matters that are no calls become orders: the same form, filling, search for earlier ones, and sending."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import structlog
from msgspec import structs

from domain.intake import Matter, call_of
from domain.orders import FieldValue, Method, Order
from workorders import filling
from workorders.errors import OrderRefusedError
from workorders.forms import FieldError, check_value
from workorders.ports import OrderWriter
from workorders.rules import OrderRules
from workorders.service import OrderService

log = structlog.get_logger(__name__)

Kept = Literal["new", "known", "reused"]


class MatterStore(Protocol):
    """Port: matters, each kept once."""

    async def keep(self, matter: Matter, digest: str) -> tuple[Kept, Matter]:
        """Keep it; what is kept under its id. `reused`: another one is."""
        ...


class IntakeService:
    """Takes matters. Each becomes one order, however often it is sent."""

    def __init__(
        self,
        rules: OrderRules,
        matters: MatterStore,
        orders: OrderService,
        writer: OrderWriter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = rules
        self._matters = matters
        self._orders = orders
        self._writer = writer
        self._clock = clock

    async def take(self, matter: Matter, digest: str, fields: Mapping[str, Any]) -> tuple[Kept, Order | None]:
        """Make the matter an order. `fields`: what the sender knows of it, by name; it is not overwritten.

        Sent again, or taken up where an earlier try broke off, it is the same order. `None`: `reused`, its id
        is another matter's.

        Raises:
            OrderRefusedError: no such line, no such field, or a bad value (422).
        """
        if all(line.id != matter.line for line in self._rules.lines):
            raise OrderRefusedError("line_unknown", status=422, line=matter.line)
        checked = self._checked(matter.line, fields)
        kept, matter = await self._matters.keep(matter, digest)
        if kept == "reused":
            return kept, None
        call = call_of(matter)
        order = next(iter(await self._orders.orders_of_call(call.id)), None)
        if order is None or order.state == "draft":
            begun = filling.new_order(call, matter.line, matter.at)
            begun = structs.replace(begun, source=matter.source.value, fields={**begun.fields, **checked})
            await self._writer.change(None, begun, tuple(begun.fields))
            order, *_ = await self._orders.complete(call, ())
        log.info("matter_taken", order=order.id, source=matter.source.value, line=order.line, kept=kept)
        return kept, order

    def _checked(self, line: str, fields: Mapping[str, Any]) -> dict[str, FieldValue]:
        form = self._rules.line(line).form
        try:
            values = {name: check_value(form, name, value) for name, value in fields.items()}
        except FieldError as error:
            raise OrderRefusedError(error.message.code, status=422, **error.message.params) from None
        return {
            name: FieldValue(value=value, confidence=1.0, method=Method.AGENT)
            for name, value in values.items()
            if value not in (None, "", [])
        }
