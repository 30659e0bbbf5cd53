"""What has changed, told one after the other to systems that ask for what is new since they asked last.

Triggers note that an order, a call or a status has changed; a row that changes again moves on, so each stands
there once, as it is now. A change gets its number when somebody asks, under a lock that is held until the
numbers are committed: whoever sees a number sees all that are smaller, whatever the order in which writers
commit. Changes that are not committed yet have none, and get a later one.
"""

from collections.abc import Collection
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import FromClause, Select, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.calls import Call
from domain.history import OrderOfCall
from domain.order_status import OrderStatus
from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.tables import calls, change_numbers, changes, order_statuses, orders

Kind = Literal["orders", "calls", "statuses"]
AT_ONCE = 1000
"""Changes that get their numbers in one transaction."""


class Changed(Struct, frozen=True):
    """One thing that has changed, as it is now."""

    seq: int
    value: OrderOfCall | Call | OrderStatus
    """`OrderOfCall` without its call."""


class ChangeRepository:
    """Gives changes their numbers, and tells them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(
        self, kind: Kind, after: int, limit: int, lines: Collection[str] = ()
    ) -> tuple[list[Changed], bool]:
        """Return the changes after number `after`, the oldest first, and whether there may be more.

        `lines`: only of these; empty: of every line.
        """
        while await self._number(kind) >= AT_ONCE:
            pass
        rows = await self._database.rows(_query(kind, after, limit, lines))
        return [Changed(row.seq, _value(kind, row)) for row in rows], len(rows) == limit

    async def _number(self, kind: Kind) -> int:
        """Give numbers to changes that have none; to how many."""
        if not await self._database.rows(_unnumbered(kind).limit(1)):
            return 0
        async with self._database.writing() as connection:
            return await self._number_next(connection, kind)

    async def _number_next(self, connection: AsyncConnection, kind: Kind) -> int:
        mine = change_numbers.c.name == kind
        # The lock first: whoever numbers next waits until these numbers are to be seen.
        counter = select(change_numbers.c.last).where(mine).with_for_update()
        last = (await connection.execute(counter)).scalar_one()
        # What is being changed at this moment is left to its writer: it is new again in a moment.
        query = _unnumbered(kind).limit(AT_ONCE).with_for_update(skip_locked=True)
        found = list((await connection.execute(query)).scalars())
        if found:
            row = (changes.c.kind == kind) & (changes.c.id == bindparam("which"))
            await connection.execute(
                update(changes).where(row).values(seq=bindparam("number")),
                [{"which": one, "number": last + n} for n, one in enumerate(found, start=1)],
            )
            await connection.execute(update(change_numbers).where(mine).values(last=last + len(found)))
        return len(found)


def _unnumbered(kind: Kind) -> Select[Any]:
    return (
        select(changes.c.id)
        .where(changes.c.kind == kind, changes.c.seq.is_(None))
        .order_by(changes.c.changed_at, changes.c.id)
    )


def _query(kind: Kind, after: int, limit: int, lines: Collection[str]) -> Select[Any]:
    table = {"orders": orders, "calls": calls, "statuses": order_statuses}[kind]
    told: FromClause = changes.join(table, table.c.id == changes.c.id)
    if kind == "statuses":
        told = told.join(orders, orders.c.id == order_statuses.c.order_id)
    wanted = [changes.c.kind == kind, changes.c.seq > after]
    if lines:
        wanted.append((calls if kind == "calls" else orders).c.line.in_(sorted(lines)))
    columns = [changes.c.seq, table.c.data, *([orders.c.status] if kind == "orders" else [])]
    return select(*columns).select_from(told).where(*wanted).order_by(changes.c.seq).limit(limit)


def _value(kind: Kind, row: Any) -> OrderOfCall | Call | OrderStatus:
    if kind == "calls":
        return msgspec.json.decode(row.data, type=Call)
    if kind == "statuses":
        return msgspec.json.decode(row.data, type=OrderStatus)
    status = None if row.status is None else msgspec.json.decode(row.status, type=OrderStatus)
    return OrderOfCall(msgspec.json.decode(row.data, type=Order), None, status)
