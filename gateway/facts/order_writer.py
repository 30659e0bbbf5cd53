"""The one door for changes of orders: compare-and-set in the database, then told to everybody."""

from collections.abc import Mapping, Sequence

from domain.facts import OrderChanged
from domain.orders import Order
from gateway.facts.bus import LocalBus
from gateway.storage.orders import OrderRepository


class DatabaseOrderWriter:
    """Implements `workorders.ports.OrderWriter`."""

    def __init__(self, orders: OrderRepository, bus: LocalBus) -> None:
        self._orders = orders
        self._bus = bus

    async def change(
        self,
        before: Order | None,
        after: Order,
        changed: Sequence[str] = (),
        bodies: Mapping[str, bytes] | None = None,
    ) -> bool:
        """Replace `before` by `after` if `before` is what the database holds, and tell it; whether it was."""
        if not await self._orders.change(before, after, changed, bodies):
            return False
        # Its place in the journal it has already: the transaction wrote it.
        self._bus.publish(OrderChanged(at=after.updated_at, order=after, changed=tuple(changed)))
        return True
