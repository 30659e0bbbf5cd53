"""What work-order systems told of orders, in SQL: implements `workorders.inbound.service.StatusStore`."""

from collections.abc import Sequence

import msgspec
from msgspec import structs
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import OrderStatusTold
from domain.order_status import OrderDeadline, OrderStatus, deadline_after
from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.fact_ids import FactIds
from gateway.storage.rows import journal_row
from gateway.storage.tables import deliveries, journal, order_statuses, orders
from workorders.inbound.service import Kept


class OrderStatusRepository:
    """The mirror: a timeline of each order, and the latest of it beside the order."""

    def __init__(self, database: Database, ids: FactIds | None = None) -> None:
        """`ids`: those of the journal's writer."""
        self._database = database
        self._ids = ids or FactIds()

    async def find_order(self, endpoint: str, order_id: str, number: str) -> Order | None:
        """Return the order of that id, else the one to which that endpoint gave that number."""
        wanted = orders.c.id == order_id
        if not order_id:
            given = select(deliveries.c.order_id).where(
                deliveries.c.endpoint == endpoint, deliveries.c.external_id == number
            )
            wanted = orders.c.id.in_(given)
        rows = await self._database.rows(
            select(orders.c.data).where(wanted).order_by(orders.c.created_at.desc()).limit(1)
        )
        return next((msgspec.json.decode(row.data, type=Order) for row in rows), None)

    async def keep(self, told: OrderStatusTold, *, stamp: int, digest: str) -> Kept:
        """Keep it, with its fact in the journal and as the order's latest, in one transaction."""
        status = told.status
        row = {
            "id": status.id,
            "order_id": status.order_id,
            "step": status.step.value,
            "at": status.at,
            "received_at": status.received_at,
            "stamp": stamp,
            "digest": digest,
            "data": msgspec.json.encode(status).decode(),
        }
        async with self._database.writing() as connection:
            put = self._database.insert(order_statuses).values(row).on_conflict_do_nothing()
            if (await connection.execute(put)).rowcount != 1:
                return await self._again(connection, status.id, stamp, digest)
            await self._put_latest(connection, status)
            fact = {"id": self._ids.next(), **journal_row(told)}
            await connection.execute(insert(journal), [fact])
        return "new"

    async def _again(self, connection: AsyncConnection, status_id: str, stamp: int, digest: str) -> Kept:
        known = select(order_statuses.c.stamp, order_statuses.c.digest)
        before = (await connection.execute(known.where(order_statuses.c.id == status_id))).one()
        if stamp <= before.stamp:
            return "replayed"
        if digest != before.digest:
            return "reused"
        await connection.execute(
            update(order_statuses).where(order_statuses.c.id == status_id).values(stamp=stamp)
        )
        return "known"

    async def _put_latest(self, connection: AsyncConnection, status: OrderStatus) -> None:
        """Beside the order stands what happened last, in whatever order it was told, with its deadline."""
        query = select(orders.c.step_at, orders.c.deadline).where(orders.c.id == status.order_id)
        held = (await connection.execute(query.with_for_update())).one()
        if held.step_at is not None and held.step_at > status.at:
            return
        deadline = deadline_after(status, held.deadline)
        latest = structs.replace(status, deadline=deadline)
        await connection.execute(
            update(orders)
            .where(orders.c.id == status.order_id)
            .values(
                step=status.step.value,
                step_at=status.at,
                status=msgspec.json.encode(latest).decode(),
                deadline=deadline,
            )
        )

    async def open_deadlines(self, limit: int = 10_000) -> list[OrderDeadline]:
        """Return until when orders that are not closed are to be dealt with, the nearest first."""
        query = (
            select(orders.c.id, orders.c.call_id, orders.c.line, orders.c.deadline)
            .where(orders.c.deadline.is_not(None))
            .order_by(orders.c.deadline)
            .limit(limit)
        )
        rows = await self._database.rows(query)
        return [OrderDeadline(row.id, row.call_id, row.line, row.deadline) for row in rows]

    async def timeline(self, order_id: str) -> Sequence[OrderStatus]:
        """Return what was told of that order, as it happened."""
        rows = await self._database.rows(
            select(order_statuses.c.data)
            .where(order_statuses.c.order_id == order_id)
            .order_by(order_statuses.c.at, order_statuses.c.received_at)
        )
        return [msgspec.json.decode(row.data, type=OrderStatus) for row in rows]
