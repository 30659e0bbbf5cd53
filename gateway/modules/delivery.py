"""How orders reach the work-order systems."""

from collections.abc import Iterable

import structlog
from fastapi import APIRouter

from domain.facts import OrderChanged
from domain.orders import Order
from gateway.facts.bus import LocalBus
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.settings import WorkOrderEndpoint
from gateway.settings.mapping import mapping_of, secrets_of, signing_secret
from gateway.storage.outbox import SqlOutbox
from gateway.supervision import Job
from gateway.web.access import Access
from gateway.web.routes import deliveries
from workorders.delivery.outbox import Delivery
from workorders.delivery.worker import DeliveryWorker, Endpoint, Outcome
from workorders.service import OrderService

log = structlog.get_logger(__name__)


class DeliveryModule(Module):
    """Delivers what is in the outbox and tells the orders what became of it."""

    name = "delivery"
    needs = (SqlOutbox, OrderService)

    async def open(self, runtime: Runtime) -> None:
        """One worker for all configured work-order systems."""
        self._outbox = runtime.get(SqlOutbox)
        self._bus = runtime.get(LocalBus)
        self._submission = runtime.get(OrderService).submission
        settings = runtime.settings
        endpoints = [endpoint_of(one, settings.timezone) for one in settings.workorders]
        self._worker = DeliveryWorker(
            self._outbox, endpoints, on_outcome=self._on_outcome, may_send=runtime.may_act
        )
        # What an earlier process was sending when it ended is sent again now, under the same key.
        await self._outbox.release(runtime.former_holders)
        self._submission.on_submitted = self._worker.wake

    def _on_outcome(self, _: Delivery, __: Outcome, order: Order | None) -> None:
        if order is None:
            return
        # The transaction that settled it wrote its fact, too.
        self._bus.publish(OrderChanged(at=order.updated_at, order=order, changed=()))

    async def _settle_left_behind(self) -> None:
        if settled := await self._submission.settle_left_behind():
            log.info("orders_settled_at_start", orders=settled)

    def jobs(self) -> Iterable[Job]:
        """Settle what an earlier version left half-way; then the worker."""
        return [Job("orders left behind", self._settle_left_behind), Job("delivery", self._worker.run)]

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/deliveries`."""
        return [deliveries.router(access, self._outbox)]


def endpoint_of(one: WorkOrderEndpoint, timezone: str) -> Endpoint:
    """The work-order system as the worker knows it.

    Raises:
        ValueError: its mapping is written wrongly, or a secret is not there; the message names the fix.
    """
    try:
        mapping = mapping_of(one, timezone)
        return Endpoint(
            id=one.id,
            url=str(one.url),
            secret=signing_secret(one, mapping),
            mapping=mapping,
            secrets=secrets_of(one, mapping),
            timeout_s=one.timeout_s,
            max_attempts=one.max_attempts,
            first_retry_s=one.first_retry_s,
            max_retry_s=one.max_retry_s,
            at_once=one.at_once,
        )
    except ValueError as error:
        raise ValueError(f"workorders {one.id}: {error}") from error
