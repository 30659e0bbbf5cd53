"""How an order leaves: into the outbox, and what becomes of its deliveries."""

import time
from collections.abc import Callable, Sequence

import structlog

from domain.calls import Call
from domain.facts import OrderChanged, Recorder
from domain.orders import Order, OrderState
from workorders import filling
from workorders.delivery.payload import RecordingRef, build_payload
from workorders.ports import CallReader, OrderStore
from workorders.rules import OrderRules

log = structlog.get_logger(__name__)


class Submission:
    """Submits orders, and settles them when their deliveries are over."""

    def __init__(self, rules: OrderRules, facts: Recorder, calls: CallReader, orders: OrderStore) -> None:
        self._rules = rules
        self._facts = facts
        self._calls = calls
        self._orders = orders
        self.on_submitted: Callable[[], None] = lambda: None
        """Called whenever something new is in the outbox."""

    async def submit(self, order: Order, call: Call, recordings: Sequence[RecordingRef]) -> Order:
        """Hand the order to the outbox; the order as submitted."""
        now = time.time()
        sent = filling.submitted(order, now)
        said = await self._calls.list_utterances(call.id)
        body = build_payload(sent, call, said, recordings)
        bodies = dict.fromkeys(self._rules.endpoints_of(sent.line), body)
        if not bodies:
            log.warning("order_without_endpoint", order=sent.id, line=sent.line, fix="add [[workorders]]")
        await self._facts.flush()
        await self._orders.submit(sent, bodies, now)
        self._facts.record(OrderChanged(at=now, order=sent, changed=()))
        self.on_submitted()
        log.info("order_submitted", order=sent.id, call=call.id, line=sent.line, endpoints=sorted(bodies))
        return sent

    async def on_delivered(self, order_id: str, external_id: str | None, at: float) -> None:
        """An endpoint has the order; when all have it, it is delivered."""
        if await self._orders.pending_deliveries(order_id):
            return
        await self._settle(order_id, OrderState.DELIVERED, external_id, at)

    async def on_dead(self, order_id: str, at: float) -> None:
        """An endpoint will never have the order as it is."""
        await self._settle(order_id, OrderState.DEAD, None, at)

    async def _settle(self, order_id: str, state: OrderState, external_id: str | None, at: float) -> None:
        await self._facts.flush()
        order = await self._orders.get_order(order_id)
        if order is None or order.state is state:
            return
        settled = filling.with_state(order, state, at, external_id=external_id)
        self._facts.record(OrderChanged(at=at, order=settled, changed=()))
