"""The one door for changes of orders: compare-and-set in the database, then told to everybody."""

from collections.abc import Mapping, Sequence

from domain.facts import OrderChanged
from domain.orders import Order
from gateway.facts.bus import LocalBus
from gateway.storage.orders import OrderRepository
from workorders.ports import Change


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
        return await self.change_all([Change(before, after, tuple(changed), bodies or {})])

    async def change_all(self, changes: Sequence[Change]) -> bool:
        """Make all of these changes, of different orders, or none; whether they were made."""
        if not await self._orders.change_all(changes):
            return False
        # Their place in the journal they have already: the transaction wrote it.
        for one in changes:
            self._bus.publish(OrderChanged(at=one.after.updated_at, order=one.after, changed=one.changed))
        return True
