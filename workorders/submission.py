"""How an order leaves: into the outbox, revision by revision, and what becomes of its deliveries."""

import time
from collections.abc import Callable, Sequence

import structlog

from domain.calls import Call
from domain.facts import Recorder
from domain.orders import Order, OrderState
from workorders import filling
from workorders.delivery.payload import RecordingRef, build_payload
from workorders.ports import CallReader, OrderStore, OrderWriter
from workorders.rules import OrderRules

log = structlog.get_logger(__name__)


class Submission:
    """Submits orders, and settles what an earlier run left behind."""

    def __init__(
        self, rules: OrderRules, facts: Recorder, calls: CallReader, orders: OrderStore, writer: OrderWriter
    ) -> None:
        self._rules = rules
        self._facts = facts
        self._calls = calls
        self._orders = orders
        self._writer = writer
        self.on_submitted: Callable[[], None] = lambda: None
        """Called whenever something new is in the outbox."""

    async def submit(self, order: Order, call: Call, recordings: Sequence[RecordingRef]) -> Order | None:
        """Hand this very state of the order to the outbox: exactly what was read is sent, once.

        Returns the order as submitted; `None` if it has changed since it was read.
        """
        now = time.time()
        sent = filling.submitted(order, now)
        await self._facts.flush()
        said = await self._calls.list_utterances(call.id)
        bodies = dict.fromkeys(
            self._rules.endpoints_of(sent.line), build_payload(sent, call, said, recordings)
        )
        if not await self._writer.change(order, sent, (), bodies):
            return None
        if not bodies:
            log.warning("order_without_endpoint", order=sent.id, line=sent.line, fix="add [[workorders]]")
        self.on_submitted()
        log.info("order_submitted", order=sent.id, call=call.id, line=sent.line, endpoints=sorted(bodies))
        return sent

    async def settle_left_behind(self) -> int:
        """Settle orders whose deliveries are over though they still count as submitted; how many."""
        left = await self._orders.unsettled()
        for order in left:
            state, number, at = await self._orders.outcome_of(order.id)
            settled = filling.with_state(order, OrderState(state), at or time.time(), external_id=number)
            await self._writer.change(order, settled)
        return len(left)
