"""What figures are counted from: calls, orders with what was told of them, queue entries."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Select, and_, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.calls import Call, Direction, EndReason
from domain.order_status import OrderStatus
from domain.orders import Order
from domain.queues import QueueEntry
from domain.ratings import survey_by
from domain.reports.counting import DAY_S, UNKNOWN, Matter, Rules, matter_of, of_call, of_entry, of_order
from domain.reports.counts import Item
from gateway.storage.tables import calls, order_statuses, orders, queue_entries

T = TypeVar("T")
AT_ONCE = 200
"""Rows that are decoded in one go."""
_call = msgspec.json.Decoder(Call).decode
_order = msgspec.json.Decoder(Order).decode
_status = msgspec.json.Decoder(OrderStatus).decode
_entry = msgspec.json.Decoder(QueueEntry).decode


class Subjects(Struct, frozen=True):
    """Ids of what is to be counted: calls, orders, and calls whose queue entries are."""

    calls: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()


class FigureSources:
    """Reads on one connection, decodes and counts in a thread: a day is some thousand rows."""

    def __init__(self, connection: AsyncConnection, rules: Rules, now: float) -> None:
        self._connection = connection
        self._rules = rules
        self._now = now
        self._matters: dict[str, Matter] | None = None
        """Of calls whose orders were read: those of whole days are read once."""

    async def of_subjects(self, subjects: Subjects) -> list[Item]:
        """What these count for."""
        items: list[Item] = []
        for some in chunks(sorted(subjects.entries)):
            items += await self._entries(queue_entries.c.call_id.in_(some))
        for some in chunks(sorted(subjects.calls)):
            items += await self._calls(calls.c.id.in_(some))
        for some in chunks(sorted(subjects.orders)):
            items += await self._orders(orders.c.id.in_(some))
        return items

    async def between(self, start: float, end: float) -> list[Item]:
        """What everything in [start, end) counts for."""
        self._matters = {}
        items = await self._entries(_within(queue_entries.c.entered_at, start, end))
        # Orders first, in their order: what calls were about is known by them.
        items += await self._orders(_within(orders.c.created_at, start, end))
        return items + await self._calls(_within(calls.c.started_at, start, end))

    async def touched(self, subjects: Subjects) -> Subjects:
        """With all that counts differently for them: their calls and orders, the callers' later calls."""
        found_calls, found_orders = set(subjects.calls), set(subjects.orders)
        for some in chunks(sorted(subjects.orders)):
            of_orders = select(orders.c.call_id).where(orders.c.id.in_(some), orders.c.call_id.is_not(None))
            found_calls.update(await self._connection.scalars(of_orders))
        for some in chunks(sorted(subjects.calls)):
            found_orders.update(
                await self._connection.scalars(select(orders.c.id).where(orders.c.call_id.in_(some)))
            )
            found_calls.update(await self._connection.scalars(self._later_calls(some)))
        return Subjects(frozenset(found_calls), frozenset(found_orders), subjects.entries)

    # -- each kind -------------------------------------------------------------------------------------
    async def _entries(self, which: ColumnElement[bool]) -> list[Item]:
        rows = (await self._connection.execute(select(queue_entries.c.data).where(which))).all()
        return await _counted(rows, lambda row: of_entry(_entry(row.data), self._rules))

    async def _calls(self, which: ColumnElement[bool]) -> list[Item]:
        before = self._called_before()
        query = select(calls.c.id, calls.c.data, before.label("before")).where(
            which, calls.c.ended_at.is_not(None)
        )
        rows = (await self._connection.execute(query)).all()
        known = self._matters or {}
        first: dict[str, str] = {}
        for some in chunks([row.id for row in rows if row.id not in known]):
            of_call_ids = select(orders.c.call_id, orders.c.data).where(orders.c.call_id.in_(some))
            ordered = of_call_ids.order_by(orders.c.created_at, orders.c.id)
            for row in await self._connection.execute(ordered):
                first.setdefault(row.call_id, row.data)

        def counted(row: Any) -> Item | None:
            matter = known.get(row.id)
            if matter is None:
                matter = matter_of(_order(first[row.id])) if row.id in first else UNKNOWN
            return of_call(_call(row.data), matter, bool(row.before))

        return await _counted(rows, counted)

    async def _orders(self, which: ColumnElement[bool]) -> list[Item]:
        query = select(orders.c.id, orders.c.call_id, orders.c.data, calls.c.agent, calls.c.survey).where(
            which
        )
        query = query.order_by(orders.c.created_at, orders.c.id)
        rows = (await self._connection.execute(query.outerjoin(calls, calls.c.id == orders.c.call_id))).all()
        told: dict[str, list[str]] = {}
        for some in chunks([row.id for row in rows]):
            statuses = select(order_statuses.c.order_id, order_statuses.c.data)
            for row in await self._connection.execute(statuses.where(order_statuses.c.order_id.in_(some))):
                told.setdefault(row.order_id, []).append(row.data)

        def counted(row: Any) -> Item | None:
            statuses = [_status(one) for one in told.get(row.id, ())]
            order = _order(row.data)
            if self._matters is not None and row.call_id is not None:
                self._matters.setdefault(row.call_id, matter_of(order))
            survey = survey_by(row.survey or "")
            return of_order(order, row.agent, statuses, self._rules, self._now, survey)

        return await _counted(rows, counted)

    def _called_before(self) -> ColumnElement[bool]:
        return exists().where(*self._same_caller(_earlier, calls))

    def _later_calls(self, ids: Sequence[str]) -> Select[Any]:
        return select(calls.c.id).where(
            _earlier.c.id.in_(ids), *self._same_caller(_earlier, calls), calls.c.ended_at.is_not(None)
        )

    def _same_caller(self, earlier: Any, later: Any) -> list[ColumnElement[bool]]:
        within = self._rules.repeat_days * DAY_S
        return [
            earlier.c.caller_number == later.c.caller_number,
            earlier.c.caller_number != "",
            earlier.c.started_at < later.c.started_at,
            # Of both: the database knows no other bound for its index.
            later.c.started_at <= earlier.c.started_at + within,
            earlier.c.started_at >= later.c.started_at - within,
            earlier.c.direction == Direction.INBOUND.value,
            earlier.c.end_reason.is_distinct_from(EndReason.MERGED.value),
        ]


_earlier = calls.alias("earlier")


def chunks(ids: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """The ids, some at a time."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


async def _counted(rows: Sequence[Any], count: Callable[[Any], Item | None]) -> list[Item]:
    """What the rows count for. One that cannot be read counts for nothing."""

    def counted(some: Iterable[Any]) -> list[Item]:
        found = []
        for row in some:
            try:
                item = count(row)
            except msgspec.MsgspecError:
                continue
            if item is not None:
                found.append(item)
        return found

    items: list[Item] = []
    for some in chunks(rows):
        items += await asyncio.to_thread(counted, some)
    return items


def _within(column: ColumnElement[float], start: float, end: float) -> ColumnElement[bool]:
    return and_(column >= start, column < end)
