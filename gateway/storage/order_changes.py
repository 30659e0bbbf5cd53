"""Changes of orders by compare-and-set; those that are asked for at the same moment share a transaction.

At a shift's busiest every utterance changes an order.
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import OrderChanged
from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.fact_ids import FactIds
from gateway.storage.faults import is_of_the_value
from gateway.storage.group_commit import GroupCommit
from gateway.storage.leases import LeaseLostError
from gateway.storage.outbox import delivery_rows
from gateway.storage.rows import (
    ORDER_TEXT_COLUMNS,
    Prepared,
    journal_row,
    order_row,
    order_text_row,
    put_order_text,
)
from gateway.storage.tables import deliveries, journal, orders

log = structlog.get_logger(__name__)

RETRY_S = (0.05, 0.5, None)
"""Pauses between tries of a change on its own; `None`: the last try."""


class OrderChange(Struct, frozen=True):
    """One change: `before` (`None`: there is no order yet) becomes what the fact says."""

    before: Order | None
    fact: OrderChanged
    bodies: Mapping[str, bytes]
    """Endpoint id → what is to be delivered to it."""


Together = tuple[OrderChange, ...]
"""Changes of different orders: all are made, or none."""


class _NotHeldError(Exception):
    """One of several changes does not apply: none is made."""


class OrderChanges:
    """Takes changes from many at once and writes them, in the order in which they were asked for."""

    def __init__(self, database: Database, ids: FactIds) -> None:
        self._database = database
        self._ids = ids
        self._journal = Prepared(database, insert(journal), ["id", "at", "kind", "call_id", "data"])
        self._texts = Prepared(database, put_order_text(database), ORDER_TEXT_COLUMNS)
        self._group = GroupCommit("order changes", self._write_together, self._write_alone)

    async def submit(self, changes: Together) -> bool:
        """Write them; whether the database held what they were to replace. Returns after the commit."""
        return await self._group.submit(changes)

    async def _write_together(self, batch: Sequence[Together]) -> list[bool]:
        """Write them in one transaction.

        Raises:
            _NotHeldError: only some changes of several that belong together apply. Nothing is written.
        """
        results: list[bool] = []
        written: list[OrderChange] = []
        async with self._database.writing() as connection:
            for changes in batch:
                put = [await self._put(connection, change) for change in changes]
                if any(put) and not all(put):
                    raise _NotHeldError
                results.append(all(put))
                written += changes if all(put) else ()
            if written:
                await self._put_beside(connection, written)
        return results

    async def _write_alone(self, changes: Together, error: Exception | None) -> bool | Exception:
        """Write what failed with `error` (`None`: another's may have been the cause).

        The transaction may have been committed all the same, and its answer lost.
        """
        after = changes[0].fact.order
        if isinstance(error, _NotHeldError):
            error = None
        for pause in RETRY_S:
            if error is not None:
                if pause is None or is_of_the_value(error) or isinstance(error, LeaseLostError):
                    return error
                why = f"{type(error).__name__}: {error}"[:300]
                log.warning("order_write_failed", order=after.id, error=why)
                await asyncio.sleep(pause)
            try:
                if all([await self._holds(change.fact.order) for change in changes]):
                    return True
                return (await self._write_together([changes]))[0]
            except _NotHeldError:
                return False
            except Exception as again:
                error = again
        assert error is not None
        return error

    async def _holds(self, order: Order) -> bool:
        async with self._database.reading() as connection:
            data = await connection.scalar(select(orders.c.data).where(orders.c.id == order.id))
        return data is not None and msgspec.json.decode(data, type=Order) == order

    async def _put(self, connection: AsyncConnection, change: OrderChange) -> bool:
        before, row = change.before, order_row(change.fact.order)
        if before is None:
            begin = self._database.insert(orders).values(row).on_conflict_do_nothing()
            return (await connection.execute(begin)).rowcount == 1
        held = (
            orders.c.id == before.id,
            orders.c.state == before.state.value,
            orders.c.revision == before.revision,
        )
        return (await connection.execute(update(orders).where(*held).values(row))).rowcount == 1

    async def _put_beside(self, connection: AsyncConnection, written: Sequence[OrderChange]) -> None:
        """The text that is searched, the facts, the deliveries."""
        texts = {change.fact.order.id: order_text_row(change.fact.order) for change in written}
        await self._texts.many(connection, list(texts.values()))
        facts = [{"id": self._ids.next(), **journal_row(change.fact)} for change in written]
        await self._journal.many(connection, facts)
        rows = [
            row
            for change in written
            if change.bodies
            for row in delivery_rows(change.fact.order, change.bodies, change.fact.at)
        ]
        if rows:
            await connection.execute(self._database.insert(deliveries).on_conflict_do_nothing(), rows)
