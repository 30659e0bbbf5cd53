"""What work-order systems tell of their orders: the mirror."""

from collections.abc import Callable, Iterable

from fastapi import APIRouter
from prometheus_client.core import CounterMetricFamily, Metric

from domain.calls import Direction
from domain.facts import AnyFact, CallStarted
from gateway.facts.bus import LocalBus
from gateway.module import Module
from gateway.modules.delivery import endpoint_of
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.settings.mapping import mapping_of, signing_secret
from gateway.storage.order_status import OrderStatusRepository
from gateway.supervision import Job
from gateway.web.access import Access
from gateway.web.routes import inbound
from workorders.inbound.polling import Polled, StatusPolling, reader_of
from workorders.inbound.reading import StatusReader
from workorders.inbound.service import Sender, StatusService


class OrderStatusModule(Module):
    """Takes what comes back, and keeps it beside the orders."""

    name = "order_status"
    needs = (OrderStatusRepository, LocalBus)

    async def open(self, runtime: Runtime) -> None:
        """A reader for each work-order system."""
        bus = runtime.get(LocalBus)
        # The transaction that keeps it writes its fact, too.
        store = runtime.get(OrderStatusRepository)
        self._statuses = StatusService(senders(runtime.settings), store, bus.publish)
        self._polling = StatusPolling(polled(runtime.settings), store, bus.publish, may_ask=runtime.may_act)

    def listeners(self) -> Iterable[Callable[[AnyFact], None]]:
        """Whoever calls may be told what became of an earlier order: now is the time to ask."""
        return [self._on_fact] if self._polling.systems else ()

    def _on_fact(self, fact: AnyFact) -> None:
        if isinstance(fact, CallStarted) and fact.call.direction is Direction.INBOUND:
            self._polling.hurry()

    def jobs(self) -> Iterable[Job]:
        """Asking those who cannot call."""
        return [Job("order status polling", self._polling.run)] if self._polling.systems else ()

    def metrics(self) -> Iterable[Metric]:
        """How often which system was asked."""
        polls = CounterMetricFamily(
            "hotline_order_status_polls", "Times a work-order system was asked", labels=["endpoint", "result"]
        )
        for one in self._polling.systems:
            polls.add_metric([one.endpoint.id, "answered"], one.asked - one.failed)
            polls.add_metric([one.endpoint.id, "failed"], one.failed)
        return [polls]

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/inbound`."""
        return [inbound.router(self._statuses)]


def senders(settings: Settings) -> dict[str, Sender]:
    """The work-order systems that may tell of their orders: those with a secret, by the endpoint's id."""
    return {
        one.id: Sender(secret, StatusReader(one.inbound.places, one.inbound.words, settings.timezone))
        for one in settings.workorders
        if (secret := signing_secret(one, mapping_of(one, settings.timezone))) is not None
    }


def polled(settings: Settings) -> list[Polled]:
    """The work-order systems that are asked: those whose mapping says how."""
    found = []
    for one in settings.workorders:
        endpoint = endpoint_of(one, settings.timezone)
        if endpoint.mapping.poll is not None and one.inbound.poll_s:
            reader = reader_of(endpoint.mapping.poll, one.inbound.words, settings.timezone)
            found.append(Polled(endpoint, endpoint.mapping.poll, reader, one.inbound.poll_s))
    return found
