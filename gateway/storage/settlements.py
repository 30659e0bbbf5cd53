"""What became of deliveries: noted with the state of their orders, several in one transaction."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, bindparam, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import OrderChanged
from domain.messages import Message
from domain.orders import Order, OrderState
from gateway.storage.database import Database
from gateway.storage.fact_ids import FactIds
from gateway.storage.rows import journal_row, order_row
from gateway.storage.tables import deliveries, journal, orders
from workorders import filling

MAX_ERROR = 500


class Settlement(Struct, frozen=True):
    """What became of one try: `state` is "delivered", "dead" or "pending" (again, after `wait_s`)."""

    delivery_id: str
    state: str
    status: int | None
    external_id: str | None = None
    why: Message | None = None
    wait_s: float = 0.0


def state_of_order(deliveries_of_latest: Iterable[str]) -> OrderState | None:
    """Return an order's state by those of its latest deliveries to each endpoint; `None`: some are due."""
    states = set(deliveries_of_latest)
    if not states or "pending" in states:
        return None
    return OrderState.DEAD if "dead" in states else OrderState.DELIVERED


class Settlements:
    """Writes settlements. Deliveries and orders are one transaction: a crash between them cannot be."""

    def __init__(self, database: Database, ids: FactIds, now: Callable[[], ColumnElement[float]]) -> None:
        """`now`: the clock of tries, as a part of statements."""
        self._database = database
        self._ids = ids
        self._now = now

    async def write_alone(self, one: Settlement, error: Exception | None) -> Order | Exception | None:
        """Write one, unless it failed already; whoever asked for it tries again."""
        if error is not None:
            return error
        try:
            return (await self.write([one]))[0]
        except Exception as own:
            return own

    async def write(self, batch: Sequence[Settlement]) -> list[Order | None]:
        """Write them all; for each the order, if its state changed, once for each order."""
        async with self._database.writing() as connection:
            now = float((await connection.execute(select(self._now()))).scalar_one())
            await connection.execute(_TRY, [_row(one, now) for one in batch])
            ids = [one.delivery_id for one in batch if one.state != "pending"]
            of = {row.id: str(row.order_id) for row in await connection.execute(_ORDERS_OF, {"ids": ids})}
            last = {of[one.delivery_id]: one for one in batch if one.delivery_id in of}
            changed = await self._set_states(connection, last, now)
        return [
            changed.get(order) if (order := of.get(one.delivery_id)) and last[order] is one else None
            for one in batch
        ]

    async def _set_states(
        self, connection: AsyncConnection, last: Mapping[str, Settlement], at: float
    ) -> dict[str, Order]:
        """Set the states of orders by their deliveries, with a fact for each; `last`: the try of each."""
        states: dict[str, list[str]] = {}
        for row in await connection.execute(_LATEST, {"ids": list(last)}) if last else ():
            states.setdefault(str(row.order_id), []).append(row.state)
        after = {order: state for order, found in states.items() if (state := state_of_order(found))}
        if not after:
            return {}
        rows = await connection.scalars(_HELD, {"ids": list(after)})
        held = [msgspec.json.decode(data, type=Order) for data in rows]
        changed = {
            order.id: filling.with_state(order, after[order.id], at, external_id=last[order.id].external_id)
            for order in held
            if order.state is not after[order.id]
        }
        if changed:
            facts = [OrderChanged(at=at, order=order, changed=()) for order in changed.values()]
            await connection.execute(_PUT, [{"held": one.id, **order_row(one)} for one in changed.values()])
            written = [{"id": self._ids.next(), **journal_row(fact)} for fact in facts]
            await connection.execute(insert(journal), written)
        return changed


_TRY = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("of"))
    .values(attempts=deliveries.c.attempts + 1, leased_until=0.0)
)
_ORDERS_OF = select(deliveries.c.id, deliveries.c.order_id).where(
    deliveries.c.id.in_(bindparam("ids", expanding=True))
)
_later = deliveries.alias()
_LATEST = select(deliveries.c.order_id, deliveries.c.state).where(
    deliveries.c.order_id.in_(bindparam("ids", expanding=True)),
    # What a later revision says stands for an earlier one.
    ~exists().where(
        _later.c.order_id == deliveries.c.order_id,
        _later.c.endpoint == deliveries.c.endpoint,
        _later.c.revision > deliveries.c.revision,
    ),
)
_HELD = (
    select(orders.c.data)
    .where(orders.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(orders.c.id)
    .with_for_update(key_share=True)  # a status that is being put holds the key
)
_PUT = update(orders).where(orders.c.id == bindparam("held"))


def _row(one: Settlement, now: float) -> dict[str, Any]:
    why = one.why or Message("")
    failed = one.state != "delivered"
    return {
        "of": one.delivery_id,
        "state": one.state,
        "status": one.status,
        "tried_at": now,
        "delivered_at": None if failed else now,
        "next_attempt_at": now + max(0.0, one.wait_s),
        "external_id": one.external_id,
        "error": why.text[:MAX_ERROR] if failed else None,
        "reason": why.code if failed else "",
        "params": msgspec.json.encode(why.params).decode() if failed else "{}",
    }
