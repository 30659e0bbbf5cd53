"""What is known about a caller's number: earlier calls and their orders."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, func, select

from agents.screen_pop.content import EarlierCall
from domain.calls import Call
from domain.order_status import OrderStatus
from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.tables import calls, orders

# Made once: each screen-pop asks, and to make such a statement takes longer than to answer it.
EARLIER = (
    select(calls.c.data, orders.c.data.label("order_data"), orders.c.status)
    .outerjoin(orders, orders.c.call_id == calls.c.id)
    .where(calls.c.caller_number.in_(bindparam("numbers", expanding=True)), calls.c.id != bindparam("but"))
    .order_by(calls.c.started_at.desc(), calls.c.id)
    .limit(bindparam("most"))
)


class CallerRepository:
    """Finds calls by the caller's number; `numbers` are the ways it may be written (`domain.numbers`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def earlier(self, numbers: Sequence[str], but: str, limit: int = 20) -> list[EarlierCall]:
        """Return calls from these numbers with their orders, newest first, except the call `but`."""
        asked = {"numbers": list(numbers), "but": but, "most": limit}
        return [
            EarlierCall(
                msgspec.json.decode(row.data, type=Call),
                None if row.order_data is None else msgspec.json.decode(row.order_data, type=Order),
                None if row.status is None else msgspec.json.decode(row.status, type=OrderStatus),
            )
            for row in await self._database.rows(EARLIER, asked)
        ]

    async def count_since(self, numbers: Sequence[str], but: str, since: float) -> int:
        """Count the calls from these numbers since then, except the call `but`."""
        query = (
            select(func.count())
            .select_from(calls)
            .where(calls.c.caller_number.in_(numbers), calls.c.id != but, calls.c.started_at >= since)
        )
        ((count,),) = await self._database.rows(query)
        return int(count)
