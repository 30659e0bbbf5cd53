"""Orders as the rest of the gateway uses them: read, filled in by agents, submitted."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from msgspec import structs

from domain.calls import Call
from domain.facts import CallAnswered, Recorder, UtteranceHeard
from domain.orders import Order, OrderState
from domain.spans import elapsed
from workorders import filling
from workorders.conclusion import Conclusion, still_draft
from workorders.correction import Correction
from workorders.delivery.payload import RecordingRef
from workorders.drafting import Drafting, Understanding
from workorders.errors import OrderRefusedError
from workorders.forms import FieldError, check_value
from workorders.ports import CallReader, OrderStore, OrderWriter
from workorders.rules import OrderRules
from workorders.submission import Submission

log = structlog.get_logger(__name__)


class OrderService:
    """The one place where orders change. What it returns is what the database holds."""

    def __init__(
        self,
        rules: OrderRules,
        understanding: Understanding,
        facts: Recorder,
        calls: CallReader,
        orders: OrderStore,
        writer: OrderWriter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._orders = orders
        self.drafting = Drafting(rules, understanding, facts, calls, orders, writer)
        self.submission = Submission(rules, facts, calls, orders, writer)
        self.conclusion = Conclusion(rules, self.drafting, self.submission, calls, orders, clock)
        self.correction = Correction(self.drafting, self.submission, clock)

    # -- while the call goes on, and right after -----------------------------------------------------------
    async def on_call_answered(self, fact: CallAnswered) -> None:
        """Begin the draft of a call of the public that an agent answered."""
        if fact.call.has_work_order and fact.agent is not None:
            # Answered for the first time: by the second agent of a call, much may have been said.
            first = sum(talk.agent is not None for talk in fact.call.conversations) <= 1
            await self.drafting.open(fact.call, answered_now=first)

    async def on_utterance_heard(self, fact: UtteranceHeard) -> None:
        """Refill the order with a final utterance."""
        if fact.utterance.final:
            await self.drafting.heard(fact.utterance)

    async def of_call(self, call: Call) -> Order:
        """The first order of that call, begun if there is none yet."""
        return next(iter((await self.drafting.open(call)).orders.values()))

    async def complete(self, call: Call, recordings: Sequence[RecordingRef]) -> Sequence[Order]:
        """Fill its orders from the whole transcript; where the line says so, they are sent, now or soon."""
        orders = await self.conclusion.after_call(await self.drafting.complete(call), recordings)
        self.drafting.forget(call.id)
        return orders

    # -- reading -----------------------------------------------------------------------------------------
    async def get_order(self, order_id: str) -> Order | None:
        """The order of that id."""
        return await self._orders.get_order(order_id)

    async def orders_of_call(self, call_id: str) -> Sequence[Order]:
        """The call's orders by number; none where no agent answered, or it is not from outside."""
        return await self._orders.orders_of_call(call_id)

    async def list_orders(self, *, state: OrderState | None = None, limit: int = 50) -> Sequence[Order]:
        """Newest first."""
        return await self._orders.list_orders(state=state, limit=limit)

    # -- what agents do ----------------------------------------------------------------------------------
    async def set_fields(
        self,
        order_id: str,
        fields: Mapping[str, Any],
        *,
        revision: int | None,
        by: str,
        seen: Mapping[str, Any] | None = None,
    ) -> Order | None:
        """Set what the agent typed: never overwritten afterwards. `None`: no such order.

        `fields` maps field name to a string, a bool or a list of strings. With `revision` given and not
        the order's own, somebody else was faster. `seen` is what the desk showed for these fields when
        typing began: refused only where another desk has typed something else there since.

        Raises:
            OrderRefusedError: already submitted, stale revision or overtaken (409), unknown field or bad
                value (422).
        """
        async with self.drafting.editing(order_id) as draft:
            if draft is None:
                return None
            form = self._rules.line(draft.order.line).form
            try:
                checked = {name: check_value(form, name, value) for name, value in fields.items()}
            except FieldError as error:
                raise OrderRefusedError(error.message.code, status=422, **error.message.params) from None

            def edit(order: Order) -> tuple[Order, tuple[str, ...]]:
                still_draft(order)
                if filling.is_set(order, checked):
                    return order, ()
                if revision is not None and revision != order.revision:
                    raise OrderRefusedError(
                        "order_stale", code="stale", revision=order.revision, asked=revision
                    )
                if typed := filling.overtaken(order, fields, seen or {}):
                    raise OrderRefusedError("order_overtaken", code="overtaken", fields=", ".join(typed))
                now = self._clock()
                return self._postponed(filling.set_by_agent(order, checked, now), now), tuple(checked)

            edited = await self.drafting.change(draft, edit)
            log.info("order_edited", order=order_id, by=by, fields=sorted(checked))
            return edited

    async def add_order(self, call_id: str, number: int, *, begins: float | None, by: str) -> Order | None:
        """Open the call's order of that number, for a further matter. `None`: no such call.

        Asked again, the order is there already. `begins`: where in the call the matter begins, seconds of
        call time; `None`: now, or where the call ended.

        Raises:
            OrderRefusedError: the call has no orders, `number` is not the next one or too high (409), the
                matter would begin before the last one (422).
        """
        call = await self.drafting.call(call_id)
        if call is None:
            return None
        if not call.has_work_order or call.answered_at is None:
            raise OrderRefusedError("order_none")
        log.info("order_asked_for", call=call_id, number=number, by=by)
        if begins is None:
            begins = elapsed(call.started_at, call.ended_at or self._clock())
        return await self.drafting.add(call, number, begins)

    async def mark_duplicate(self, order_id: str, original: str | None, *, by: str) -> Order | None:
        """Mark the order as a repetition of `original` (of a chain: its first), or (`None`) as none.

        `None`: no such order.

        Raises:
            OrderRefusedError: already submitted (409); no such original, or the order itself (422).
        """
        first = original
        if original is not None:
            other = await self.get_order(original)
            if other is None:
                raise OrderRefusedError("order_unknown", status=422, order=original)
            # One step leads to the first of them all: nobody must follow a chain.
            first = other.duplicate_of or other.id
        async with self.drafting.editing(order_id) as draft:
            if draft is None:
                return None
            if first == order_id:
                raise OrderRefusedError("order_itself", status=422)

            def edit(order: Order) -> tuple[Order, tuple[str, ...]]:
                still_draft(order)
                return filling.marked_duplicate(order, first, self._clock()), ()

            before = draft.order
            marked = await self.drafting.change(draft, edit)
            if marked != before:
                log.info("order_marked", order=order_id, by=by, duplicate_of=first)
            return marked

    async def submit(self, order_id: str, *, by: str) -> Order | None:
        """Let the order leave; one that has left is left alone. `None`: no such order.

        Raises:
            OrderRefusedError: its delivery was given up.
        """
        order = await self.get_order(order_id)
        if order is None:
            return None
        if order.state is OrderState.DEAD:
            raise OrderRefusedError("order_dead")
        if order.state is not OrderState.DRAFT:
            return order
        return await self.conclusion.send(order_id, by=by)

    def _postponed(self, order: Order, now: float) -> Order:
        """An order that is about to leave does not leave while the agent types."""
        if order.send_at is None:
            return order
        window = self._rules.line(order.line).send_after_s
        return structs.replace(order, send_at=max(order.send_at, now + window))
