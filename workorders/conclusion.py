"""How a call's order is concluded: the outcome of the call, and the moment at which the order leaves.

After wrap-up an order waits for some seconds (`send_after_s` of its line) in which the agent can think again:
change it, choose another outcome, or hold it back. When it leaves stands in the database; a gateway that
starts again sends what has become due meanwhile.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import structlog

from domain.calls import Call
from domain.facts import AgentChanged
from domain.orders import Order, OrderState
from domain.outcomes import ORDER, CallOutcome
from workorders import filling
from workorders.call_draft import CallDraft, OrderDraft
from workorders.delivery.payload import RecordingRef
from workorders.drafting import Drafting, Edit
from workorders.errors import OrderRefusedError
from workorders.outcomes import OutcomeChoice, checked
from workorders.ports import CallReader, OrderStore
from workorders.rules import OrderRules
from workorders.submission import Submission, references

log = structlog.get_logger(__name__)

IDLE_S = 30.0
"""The longest pause between two looks for drafts that are due."""
SHORTEST_S = 0.5
LONGEST_WAIT_S = 21_600.0
"""No draft waits longer: one that is to be sent later was dated before the clock was set back."""


class Conclusion:
    """Outcomes of calls, and the sending of their orders."""

    def __init__(
        self,
        rules: OrderRules,
        drafting: Drafting,
        submission: Submission,
        calls: CallReader,
        orders: OrderStore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = rules
        self._drafting = drafting
        self._submission = submission
        self._calls = calls
        self._orders = orders
        self._clock = clock
        self._wrap_ups: dict[str, float] = {}
        """Agent → when wrap-up ends, of those who are in it."""
        self._wake = asyncio.Event()

    # -- what agents do ----------------------------------------------------------------------------------
    async def choose(self, order_id: str, choice: OutcomeChoice, *, by: str) -> Order | None:
        """Say what became of the order's call; after the call, the order leaves with it.

        Returns the order as it is then; `None`: no such order.

        Raises:
            OrderRefusedError: already submitted (409); no such outcome, or a detail of it is wrong (422).
        """
        outcome = checked(self._rules.outcomes, choice, by=by, at=self._clock())
        if outcome.order_id:
            await self._check_target(order_id, outcome)
        async with self._drafting.editing(order_id) as draft:
            if draft is None:
                return None
            call, waits = draft.call, self._waits(draft.order)

            def edit(order: Order) -> tuple[Order, tuple[str, ...]]:
                still_draft(order)
                chosen = filling.with_outcome(order, outcome, outcome.at)
                return (chosen if call.ended_at is None or not waits else self._scheduled(chosen, call)), ()

            order = await self._drafting.change(draft, edit)
            log.info("outcome_chosen", order=order_id, by=by, outcome=outcome.kind)
        self._wake.set()
        if waits or call.ended_at is None:
            return order
        return await self.submit(order, call, by=by)

    async def send(self, order_id: str, *, by: str) -> Order | None:
        """Let the order leave, as a work order unless another outcome was chosen. `None`: no such order.

        Raises:
            OrderRefusedError: it has left.
        """
        async with self._drafting.editing(order_id) as draft:
            if draft is None:
                return None
            call, order, waits = draft.call, draft.order, self._waits(draft.order)
            if waits:
                order = await self._drafting.change(draft, self._let_go(call, by))
        self._wake.set()
        log.info("order_sent_off", order=order_id, by=by)
        return order if waits else await self.submit(order, call, by=by)

    def _let_go(self, call: Call, by: str) -> Edit:
        """The order leaves by itself: once the call is over, if it is not."""

        def edit(order: Order) -> tuple[Order, tuple[str, ...]]:
            still_draft(order)
            now = self._clock()
            if order.outcome is None:
                order = filling.with_outcome(order, CallOutcome(kind=ORDER, at=now, by=by), now)
            return (order if call.ended_at is None else self._scheduled(order, call)), ()

        return edit

    async def hold_back(self, order_id: str, *, by: str) -> Order | None:
        """Keep the draft from leaving by itself. `None`: no such order.

        Raises:
            OrderRefusedError: it has left.
        """

        def edit(order: Order) -> tuple[Order, tuple[str, ...]]:
            still_draft(order)
            return filling.held_back(order, self._clock()), ()

        log.info("order_held_back", order=order_id, by=by)
        return await self._drafting.edit(order_id, edit)

    async def _check_target(self, order_id: str, outcome: CallOutcome) -> None:
        target = await self._orders.get_order(outcome.order_id)
        if target is None:
            raise OrderRefusedError("order_unknown", status=422, order=outcome.order_id)
        if target.id == order_id:
            raise OrderRefusedError("order_itself", status=422)
        if target.state is OrderState.DROPPED:
            raise OrderRefusedError("order_dropped", status=422, order=target.id)
        if target.withdrawn is not None:
            raise OrderRefusedError("order_withdrawn", status=422)

    # -- after the call ----------------------------------------------------------------------------------
    async def after_call(self, draft: CallDraft, recordings: Sequence[RecordingRef]) -> list[Order]:
        """Send each order of a call that is over, or say when it leaves, unless an agent has to send it.

        May be called again: an order that was held back stays so. Returns the orders as they are then.
        """
        async with draft.lock:
            await self._drafting.reread(draft)
            each = list(draft.orders)
        return [await self._after_call(OrderDraft(draft, order_id), recordings) for order_id in each]

    async def _after_call(self, draft: OrderDraft, recordings: Sequence[RecordingRef]) -> Order:
        async with draft.of.lock:
            call, order = draft.call, draft.order
            by_itself = self._rules.line(order.line).submit_on_hangup or order.outcome is not None
            if not by_itself or order.held_back:
                return order
            if self._waits(order) and order.state is OrderState.DRAFT:

                def edit(order: Order) -> tuple[Order, tuple[str, ...]]:
                    told = order.send_at is not None or order.held_back
                    return (order if told else self._scheduled(order, call)), ()

                order = await self._drafting.change(draft, edit)
                self._wake.set()
                return order
        return await self.submit(order, call, recordings)

    def _waits(self, order: Order) -> bool:
        """Whether orders of its line wait a while before they leave."""
        return self._rules.line(order.line).send_after_s > 0

    def _scheduled(self, order: Order, call: Call) -> Order:
        """The order as it leaves by itself, so long after wrap-up as its line says."""
        now, window = self._clock(), self._rules.line(order.line).send_after_s
        leaves = max(now, self._wrap_ups.get(call.agent or "", 0.0)) + window
        return filling.scheduled(order, leaves, now)

    async def on_agent_changed(self, fact: AgentChanged) -> None:
        """Wrap-up begins, is extended, or is over: the order of its call leaves so much later."""
        agent, until = fact.agent.id, fact.agent.wrap_up_until
        if self._wrap_ups.get(agent) == until:
            return
        if until is None:
            del self._wrap_ups[agent]
        else:
            self._wrap_ups[agent] = until
        # Wrap-up is that of the agent's last call.
        waiting = await self._orders.scheduled_of(agent)
        last = max(waiting, key=lambda order: order.created_at, default=None)
        for order in waiting:
            if last is not None and order.call_id == last.call_id:
                await self._move(order)

    async def _move(self, order: Order) -> None:
        async with self._drafting.editing(order.id) as draft:
            if draft is None:
                return
            call = draft.call

            def edit(order: Order) -> tuple[Order, tuple[str, ...]]:
                return (order if order.send_at is None else self._scheduled(order, call)), ()

            await self._drafting.change(draft, edit)
        self._wake.set()

    # -- sending -----------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Send what becomes due, until cancelled."""
        while True:
            self._wake.clear()
            await self.send_due()
            due = await self._orders.next_due_draft()
            pause = IDLE_S if due is None else min(IDLE_S, max(SHORTEST_S, due - self._clock()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def send_due(self) -> int:
        """Send the drafts whose time has come; how many. One that cannot be sent keeps no other from it."""
        now, sent = self._clock(), 0
        for order in await self._orders.due_drafts(now, now + LONGEST_WAIT_S):
            try:
                sent += await self._send(order)
            except Exception:
                log.exception("order_not_sent", order=order.id)
        return sent

    async def _send(self, order: Order) -> bool:
        call = await self._calls.get_call(order.call_id)
        if call is None:
            raise LookupError(f"call {order.call_id} is not there")
        taken = await self._calls.list_recordings(call.id)
        # Was it changed since it was read, it may not be due any more: the next look tells.
        sent = await self._submission.submit(order, call, references(taken))
        if sent is not None:
            self._drafting.replace(sent)
        return sent is not None

    async def submit(
        self, order: Order, call: Call, recordings: Sequence[RecordingRef] | None = None, by: str = ""
    ) -> Order:
        """Submit the order as it is now; one that is no draft any more is left alone.

        `recordings`: those of the call, where they are known. `by`: who asks for it.
        """
        if recordings is None:
            recordings = references(await self._calls.list_recordings(call.id))
        while order.state is OrderState.DRAFT:
            sent = await self._submission.submit(order, call, recordings, by)
            if sent is not None:
                self._drafting.replace(sent)
                return sent
            # It was changed since it was read: what is sent must be what the database holds.
            order = await self._orders.get_order(order.id) or order
        return order


def still_draft(order: Order) -> None:
    """Raises OrderRefusedError: the order has been submitted."""
    if order.state is not OrderState.DRAFT:
        raise OrderRefusedError("order_submitted", code="submitted")
