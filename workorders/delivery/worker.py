"""Delivering orders over HTTP: signed, repeated until they are there, given up only for a reason.

Signed as Standard Webhooks says: `webhook-id`, `webhook-timestamp`, `webhook-signature`. The receiver
recognises a repetition by `webhook-id`.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Sequence

import aiohttp
import structlog

from domain.delivery_failures import given_up
from domain.messages import Message
from domain.orders import Order
from workorders.delivery.outbox import Delivery, OutboxStore
from workorders.delivery.retry import Outcome, delay
from workorders.delivery.sending import Endpoint, Sender

log = structlog.get_logger(__name__)

IDLE_S = 5.0
SHORTEST_S = 0.01
SETTLE_PAUSES_S = (0.2, 1.0, 5.0, 15.0)
"""Between tries to note what became of a delivery; after them its lease decides."""

__all__ = ["DeliveryWorker", "Endpoint", "Outcome"]


OnOutcome = Callable[[Delivery, Outcome, Order | None], None]
"""Called after each try; with the order, if its state changed with it."""


class DeliveryWorker:
    """Empties the outbox for as long as `run()` runs. Endpoints do not wait for each other."""

    def __init__(
        self,
        store: OutboxStore,
        endpoints: Sequence[Endpoint],
        *,
        clock: Callable[[], float] = time.time,
        on_outcome: OnOutcome | None = None,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        """`may_send`: asked before each try; without leave nothing is sent."""
        self._store = store
        self._endpoints = {endpoint.id: endpoint for endpoint in endpoints}
        self._clock = clock
        self._on_outcome = on_outcome
        self._may_send = may_send
        self._wakes = {endpoint.id: asyncio.Event() for endpoint in endpoints}

    def wake(self) -> None:
        """Something new is in the outbox."""
        for event in self._wakes.values():
            event.set()

    async def run(self) -> None:
        """Deliver until cancelled. What was being sent then is sent again after its lease."""
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=connector) as session,
            asyncio.TaskGroup() as group,
        ):
            sender = Sender(session, self._clock)
            for endpoint in self._endpoints.values():
                group.create_task(self._serve(sender, endpoint, group), name=f"deliver to {endpoint.id}")

    async def _serve(self, sender: Sender, endpoint: Endpoint, group: asyncio.TaskGroup) -> None:
        """One endpoint: as many deliveries at once as it has places; the oldest first."""
        wake = self._wakes[endpoint.id]
        ready: deque[Delivery] = deque()
        sending: set[asyncio.Task[None]] = set()

        def done(task: asyncio.Task[None]) -> None:
            sending.discard(task)
            # A place is free, and the order's next revision may be due.
            wake.set()

        while True:
            wake.clear()
            pause = IDLE_S
            try:
                free = endpoint.at_once - len(sending)
                if free and self._may_send():
                    if len(ready) < free:
                        pause = await self._claim(endpoint, ready, endpoint.at_once + free - len(ready))
                    for delivery in [ready.popleft() for _ in range(min(free, len(ready)))]:
                        task = group.create_task(self._deliver(sender, endpoint, delivery))
                        sending.add(task)
                        task.add_done_callback(done)
            except Exception:
                # The store is away for a moment: nothing is lost, it is asked again.
                log.exception("outbox_failed", endpoint=endpoint.id)
            # Not wait_for: Python 3.11's loses a cancellation that comes together with the wake.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await wake.wait()

    async def _claim(self, endpoint: Endpoint, ready: deque[Delivery], limit: int) -> float:
        """Claim what is due for the free places and for the next; return how long nothing more is."""
        claimed = await self._store.claim(endpoint.id, self._lease_s(endpoint), limit)
        ready += claimed
        due_s = None if len(claimed) == limit else await self._store.next_due_s(endpoint.id)
        return IDLE_S if due_s is None else min(IDLE_S, max(SHORTEST_S, due_s))

    def _lease_s(self, endpoint: Endpoint) -> float:
        # Twice a try: it may wait for a place while others are tried.
        return 30.0 + 2 * endpoint.timeout_s * endpoint.mapping.most + sum(SETTLE_PAUSES_S)

    async def _deliver(self, sender: Sender, endpoint: Endpoint, delivery: Delivery) -> None:
        """One try, and what came of it noted. Never raises: others are on their way beside it."""
        try:
            if not self._may_send():
                return
            outcome = await sender.send(endpoint, delivery)
            for pause in (*SETTLE_PAUSES_S, None):
                try:
                    await self._settle(delivery, endpoint, outcome)
                    return
                except Exception as error:
                    if pause is None:
                        raise
                    log.warning("delivery_not_settled", order=delivery.order_id, error=str(error)[:300])
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - not a secret
        except Exception:
            # Its lease runs out, and it is sent again under the same key.
            log.exception("delivery_failed", order=delivery.order_id, endpoint=endpoint.id)

    async def _settle(self, delivery: Delivery, endpoint: Endpoint, outcome: Outcome) -> None:
        attempts = delivery.attempts + 1
        why = outcome.failure or Message("")
        if outcome.state == "retry" and attempts >= endpoint.max_attempts:
            why = given_up(why, attempts)
            outcome = Outcome(state="dead", status=outcome.status, failure=why)
        known = {"order": delivery.order_id, "endpoint": delivery.endpoint, "attempt": attempts}
        if outcome.state == "delivered":
            order = await self._store.delivered(delivery.id, outcome.status or 0, outcome.external_id)
            log.info("order_delivered", external_id=outcome.external_id, **known)
        elif outcome.state == "dead":
            order = await self._store.dead(delivery.id, outcome.status, why)
            log.error("order_undeliverable", reason=why.text, **known)
        else:
            wait = max(
                delay(attempts, endpoint.first_retry_s, endpoint.max_retry_s), outcome.retry_after_s or 0.0
            )
            order = None
            await self._store.retry(delivery.id, wait, outcome.status, why)
            log.warning("order_delivery_failed", reason=why.text, retry_in_s=round(wait, 1), **known)
        if self._on_outcome is not None:
            self._on_outcome(delivery, outcome, order)
