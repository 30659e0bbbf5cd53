"""What is known about a caller's number: earlier calls and their orders."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, func, select

from agents.screen_pop.content import EarlierCall, EarlierOrder
from domain.calls import Call
from domain.order_status import OrderStatus
from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.tables import calls, intakes, orders

# Made once: each screen-pop asks, and to make such a statement takes longer than to answer it.
_LATEST = (
    select(calls.c.id, calls.c.started_at, calls.c.data)
    .where(calls.c.caller_number.in_(bindparam("numbers", expanding=True)), calls.c.id != bindparam("but"))
    .order_by(calls.c.started_at.desc(), calls.c.id)
    .limit(bindparam("most"))
    .subquery("latest")
)
EARLIER = (
    select(_LATEST.c.id, _LATEST.c.data, orders.c.data.label("order_data"), orders.c.status)
    .outerjoin(orders, orders.c.call_id == _LATEST.c.id)
    .order_by(_LATEST.c.started_at.desc(), _LATEST.c.id, orders.c.number)
)
MATTERS = (
    select(orders.c.data.label("order_data"), orders.c.status)
    .join(intakes, intakes.c.call_id == orders.c.call_id)
    .where(intakes.c.caller_number.in_(bindparam("numbers", expanding=True)))
    .order_by(intakes.c.at.desc(), orders.c.id)
    .limit(bindparam("most"))
)


class CallerRepository:
    """Finds calls by the caller's number; `numbers` are the ways it may be written (`domain.numbers`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def earlier(self, numbers: Sequence[str], but: str, limit: int = 20) -> list[EarlierCall]:
        """Return calls from these numbers with their orders, newest first, except the call `but`."""
        asked = {"numbers": list(numbers), "but": but, "most": limit}
        rows = await self._database.rows(EARLIER, asked)
        return [_earlier(list(of_call)) for _, of_call in groupby(rows, key=lambda row: row.id)]

    async def count_since(self, numbers: Sequence[str], but: str, since: float) -> int:
        """Count the calls from these numbers since then, except the call `but`."""
        query = (
            select(func.count())
            .select_from(calls)
            .where(calls.c.caller_number.in_(numbers), calls.c.id != but, calls.c.started_at >= since)
        )
        ((count,),) = await self._database.rows(query)
        return int(count)

    async def of_matters(self, numbers: Sequence[str], limit: int = 20) -> list[EarlierOrder]:
        """Return the orders of matters that gave one of these numbers to be called back at, newest first."""
        rows = await self._database.rows(MATTERS, {"numbers": list(numbers), "most": limit})
        return [_order(row) for row in rows]


def _earlier(rows: Sequence[Row[Any]]) -> EarlierCall:
    """A call from its rows, one for each of its orders; one without, where it has none."""
    return EarlierCall(
        msgspec.json.decode(rows[0].data, type=Call),
        [_order(row) for row in rows if row.order_data is not None],
    )


def _order(row: Row[Any]) -> EarlierOrder:
    return EarlierOrder(
        msgspec.json.decode(row.order_data, type=Order),
        None if row.status is None else msgspec.json.decode(row.status, type=OrderStatus),
    )
