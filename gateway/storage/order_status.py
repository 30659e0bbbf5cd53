"""What work-order systems told of orders, in SQL: implements the ports `StatusStore`
and `PollStore` of `workorders.inbound`."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs
from sqlalchemy import insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import OrderStatusTold
from domain.order_status import OrderDeadline, OrderStatus, Step, deadline_after
from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.fact_ids import FactIds
from gateway.storage.rows import journal_row
from gateway.storage.tables import deliveries, journal, order_statuses, orders, status_polls
from workorders.inbound.service import Kept

AT_ONCE = 500
"""Orders read together."""


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
        row = self._row(status) | {"stamp": stamp, "digest": digest}
        async with self._database.writing() as connection:
            put = self._database.insert(order_statuses).values(row).on_conflict_do_nothing()
            if (await connection.execute(put)).rowcount != 1:
                return await self._again(connection, status.id, stamp, digest)
            await self._note(connection, told)
        return "new"

    async def keep_seen(self, told: OrderStatusTold) -> bool:
        """Keep what a system that was asked says, unless it is what it said last; whether it is new."""
        status = told.status
        row = self._row(status) | {"stamp": int(status.at), "digest": ""}
        async with self._database.writing() as connection:
            # Whoever else writes of that order waits here.
            order = select(orders.c.id).where(orders.c.id == status.order_id).with_for_update(key_share=True)
            await connection.execute(order)
            known = select(order_statuses.c.data).where(order_statuses.c.order_id == status.order_id)
            said = [
                msgspec.json.decode(row.data, type=OrderStatus) for row in await connection.execute(known)
            ]
            before = max((one for one in said if one.endpoint == status.endpoint), key=_last, default=None)
            if before is not None and _content(before) == _content(status):
                return False
            put = self._database.insert(order_statuses).values(row).on_conflict_do_nothing()
            if (await connection.execute(put)).rowcount != 1:
                return False
            await self._note(connection, told)
        return True

    async def claim(self, endpoint: str, least_s: float) -> bool:
        """Whether the system is to be asked now, by us: it was not for so many seconds of the database."""
        now, asked_at = self._database.now, status_polls.c.asked_at
        new = self._database.insert(status_polls).values(endpoint=endpoint, asked_at=0.0)
        async with self._database.writing() as connection:
            await connection.execute(new.on_conflict_do_nothing())
            # A time to come is of a clock that was set back.
            due = or_(asked_at <= now - least_s, asked_at > now + 1.0)
            taken = update(status_polls).where(status_polls.c.endpoint == endpoint, due)
            return (await connection.execute(taken.values(asked_at=now))).rowcount == 1

    async def changed_at(self, endpoint: str) -> float | None:
        """Return when the newest change that the system told of happened."""
        query = select(status_polls.c.changed_at).where(status_polls.c.endpoint == endpoint)
        return next((row.changed_at for row in await self._database.rows(query)), None)

    async def answered(self, endpoint: str, changed_at: float) -> None:
        """Note when the newest change that the system told of happened."""
        if await self.changed_at(endpoint) == changed_at:
            return
        note = update(status_polls).where(status_polls.c.endpoint == endpoint)
        async with self._database.writing() as connection:
            await connection.execute(note.values(changed_at=changed_at))

    async def _note(self, connection: AsyncConnection, told: OrderStatusTold) -> None:
        """What is new, beside the order and in the journal."""
        await self._put_latest(connection, told.status)
        await connection.execute(insert(journal), [{"id": self._ids.next(), **journal_row(told)}])

    @staticmethod
    def _row(status: OrderStatus) -> dict[str, Any]:
        return {
            "id": status.id,
            "order_id": status.order_id,
            "step": status.step.value,
            "at": status.at,
            "received_at": status.received_at,
            "data": msgspec.json.encode(status).decode(),
        }

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
        # The row just put holds the order's key, for it refers to it: of two at the same moment, each would
        # wait for the other's if it asked for the key as well.
        held = (await connection.execute(query.with_for_update(key_share=True))).one()
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

    async def returned(self, since: float, limit: int) -> list[tuple[Order, list[OrderStatus]]]:
        """Return the orders that came back since then, with all that was told of them; the newest first."""
        at = order_statuses.c.at
        back = select(order_statuses.c.order_id).where(order_statuses.c.step == Step.RETURNED.value)
        newest = back.where(at >= since).order_by(at.desc()).limit(limit)
        ids = list(dict.fromkeys(row.order_id for row in await self._database.rows(newest)))
        found = []
        for first in range(0, len(ids), AT_ONCE):
            some = ids[first : first + AT_ONCE]
            told: dict[str, list[OrderStatus]] = {}
            for row in await self._database.rows(
                select(order_statuses.c.data).where(order_statuses.c.order_id.in_(some))
            ):
                status = msgspec.json.decode(row.data, type=OrderStatus)
                told.setdefault(status.order_id, []).append(status)
            for row in await self._database.rows(select(orders.c.data).where(orders.c.id.in_(some))):
                order = msgspec.json.decode(row.data, type=Order)
                found.append((order, told.get(order.id, [])))
        return found

    async def timeline(self, order_id: str) -> Sequence[OrderStatus]:
        """Return what was told of that order, as it happened."""
        rows = await self._database.rows(
            select(order_statuses.c.data)
            .where(order_statuses.c.order_id == order_id)
            .order_by(order_statuses.c.at, order_statuses.c.received_at)
        )
        return [msgspec.json.decode(row.data, type=OrderStatus) for row in rows]


def _last(status: OrderStatus) -> tuple[float, float]:
    return status.received_at, status.at


def _content(status: OrderStatus) -> tuple[Any, ...]:
    """What a system says, without when."""
    said = (status.text, status.satisfied, status.resolved)
    return status.step, status.word, status.unit, status.person, status.deadline, *said
