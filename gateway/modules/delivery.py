"""How orders reach the work-order systems."""

import time
from collections.abc import Iterable

from fastapi import APIRouter

from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.orders import SqlOutbox
from gateway.supervision import Job
from gateway.web.access import Access
from gateway.web.routes import deliveries
from workorders.delivery.outbox import Delivery
from workorders.delivery.worker import DeliveryWorker, Endpoint, Outcome
from workorders.service import OrderService


class DeliveryModule(Module):
    """Delivers what is in the outbox and tells the orders what became of it."""

    name = "delivery"
    needs = (SqlOutbox, OrderService)

    async def open(self, runtime: Runtime) -> None:
        """One worker for all configured work-order systems."""
        self._outbox = runtime.get(SqlOutbox)
        self._submission = runtime.get(OrderService).submission
        endpoints = [
            Endpoint(
                id=one.id,
                url=str(one.url),
                secret=one.read_secret(),
                timeout_s=one.timeout_s,
                max_attempts=one.max_attempts,
                first_retry_s=one.first_retry_s,
                max_retry_s=one.max_retry_s,
            )
            for one in runtime.settings.workorders
        ]
        self._worker = DeliveryWorker(self._outbox, endpoints, on_outcome=self._on_outcome)
        self._submission.on_submitted = self._worker.wake

    async def _on_outcome(self, delivery: Delivery, outcome: Outcome) -> None:
        if outcome.state == "delivered":
            await self._submission.on_delivered(delivery.order_id, outcome.external_id, time.time())
        elif outcome.state == "dead":
            await self._submission.on_dead(delivery.order_id, time.time())

    def jobs(self) -> Iterable[Job]:
        """The worker."""
        return [Job("delivery", self._worker.run)]

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/deliveries`."""
        return [deliveries.router(access, self._outbox)]
