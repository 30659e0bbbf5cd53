"""What work-order systems tell of their orders: the mirror."""

from collections.abc import Iterable

from fastapi import APIRouter

from gateway.facts.bus import LocalBus
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.settings.mapping import mapping_of, signing_secret
from gateway.storage.order_status import OrderStatusRepository
from gateway.web.access import Access
from gateway.web.routes import inbound
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
        self._statuses = StatusService(
            senders(runtime.settings), runtime.get(OrderStatusRepository), bus.publish
        )

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
