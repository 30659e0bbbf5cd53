"""The history of calls and orders: filtered and searched in steps, newest first.

A search walks back in time along an index, one bounded window of rows at a time, and compares only what the
filters need; texts are stored separately (`call_texts`, `order_texts`). So any filter works the same way on
SQLite and PostgreSQL, and no statement runs long. docs/history.md explains the cost, and why there is no
trigram index: two-character words, the usual length in Chinese, are too short for one.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Select, Subquery, Table, and_, false, func, or_, select

from domain.audit import AuditEntry
from domain.calls import Call
from domain.deliveries import DeliveryView
from domain.history import (
    AuditFilter,
    CallFilter,
    CallSummary,
    DeliveryFilter,
    Key,
    OrderFilter,
    OrderOfCall,
    Page,
    summary_of,
)
from domain.numbers import forms, parts
from domain.order_status import OrderStatus
from domain.orders import Order
from domain.spans import LONGEST_S
from domain.visibility.policy import WHOLE, Visibility
from domain.visibility.redact import redact
from gateway.storage.database import Database
from gateway.storage.outbox import delivery_view
from gateway.storage.reports import selected
from gateway.storage.tables import audit, call_texts, calls, deliveries, order_texts, orders

T = TypeVar("T")
FIRST_WINDOW = 500
LAST_WINDOW = 16_000
BUDGET_S = 2.0
LEAST_ASKED = 7
"""Digits of a whole number; anyone who sees numbers masked must search for all of it, or its end."""
LEAST_SHOWN, TAIL_SHOWN = 11, 4
"""Of numbers at least this long, everyone sees this many digits at the end."""
BATCH = 200
"""Rows read at once: decoding them takes the event loop a few milliseconds."""


class Walk(Struct, frozen=True):
    """How to walk one table: its rows by time, the filters, and how matching rows are selected."""

    table: Table
    instant: ColumnElement[float]
    since: float | None
    until: float | None
    narrowed: Callable[[Subquery], Select[Any]]
    """Turns a window (columns `at`, `id`) into the statement that keeps matching rows."""
    filtered: bool
    """Whether there are filters other than time; without any, the first rows are the page."""


class HistoryRepository:
    """Implements the web's `HistoryPort`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- pages ---------------------------------------------------------------------------------------
    async def find_calls(
        self,
        wanted: CallFilter,
        before: Key | None,
        limit: int,
        budget_s: float = BUDGET_S,
        *,
        visibility: Visibility = WHOLE,
    ) -> Page[CallSummary]:
        """Return a page of calls, newest first by (start, id), each with its order."""
        keys, following = await self._page(self._calls(wanted, visibility), before, limit, budget_s)
        return Page(await self._read_calls(keys, visibility), following)

    async def find_orders(
        self,
        wanted: OrderFilter,
        before: Key | None,
        limit: int,
        budget_s: float = BUDGET_S,
        *,
        visibility: Visibility = WHOLE,
    ) -> Page[OrderOfCall]:
        """Return a page of orders, newest first by (created, id), each with its call."""
        keys, following = await self._page(self._orders(wanted, visibility), before, limit, budget_s)
        return Page(await self._read_orders(keys, visibility), following)

    # -- exports: everything, in batches of one transaction each ---------------------------------------------
    async def every_call(
        self, wanted: CallFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[list[CallSummary]]:
        """Yield all matching calls, newest first."""
        async for keys in self._every(self._calls(wanted, visibility)):
            yield await self._read_calls(keys, visibility)

    async def every_order(
        self, wanted: OrderFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[list[OrderOfCall]]:
        """Yield all matching orders, newest first."""
        async for keys in self._every(self._orders(wanted, visibility)):
            yield await self._read_orders(keys, visibility)

    async def every_delivery(
        self, wanted: DeliveryFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[list[DeliveryView]]:
        """Yield all matching deliveries, newest first."""
        c = deliveries.c
        bounds = _bounds(c.created_at, wanted.since, wanted.until)
        if wanted.state is not None:
            bounds.append(c.state == wanted.state)
        after: Key | None = None
        while True:
            query = select(*(column for column in c if column.name != "body")).where(
                *bounds, *_beyond(c.created_at, c.id, after)
            )
            query = query.order_by(c.created_at.desc(), c.id.desc()).limit(BATCH)
            async with self._database.reading() as connection:
                rows = (await connection.execute(query)).mappings().all()
            if not rows:
                return
            yield [redact(delivery_view(row), visibility) for row in rows]
            after = (rows[-1]["created_at"], rows[-1]["id"])

    async def every_entry(
        self, wanted: AuditFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[list[AuditEntry]]:
        """Yield all matching audit entries, newest first."""
        bounds = _bounds(audit.c.at, wanted.since, wanted.until)
        if wanted.username is not None:
            bounds.append(audit.c.username == wanted.username)
        before: int | None = None
        while True:
            query = select(audit).where(*bounds).order_by(audit.c.seq.desc()).limit(BATCH)
            if before is not None:
                query = query.where(audit.c.seq < before)
            async with self._database.reading() as connection:
                rows = (await connection.execute(query)).mappings().all()
            if not rows:
                return
            yield [redact(AuditEntry(**row), visibility) for row in rows]
            before = rows[-1]["seq"]

    # -- walking ---------------------------------------------------------------------------------------
    def _calls(self, wanted: CallFilter, visibility: Visibility) -> Walk:
        conditions: list[ColumnElement[bool]] = []
        if wanted.line is not None:
            conditions.append(calls.c.line == wanted.line)
        if wanted.lines:
            conditions.append(calls.c.line.in_(wanted.lines))
        if wanted.end_reason is not None:
            conditions.append(calls.c.end_reason == wanted.end_reason.value)
        if wanted.number:
            conditions.append(self._calls_from(wanted.number, visibility))
        conditions += self._takes_part(wanted.agent, wanted.own)
        said = [self._holds(call_texts.c.text, term) for term in wanted.terms]
        since = wanted.since
        if wanted.selection is not None:
            conditions.append(selected(wanted.selection, calls.c.id, wanted.since, wanted.until))
            # A caller may join a queue on the day after the call began.
            since = None if since is None else since - LONGEST_S

        def narrowed(window: Subquery) -> Select[Any]:
            query = select(window.c.at, window.c.id).join(calls, calls.c.id == window.c.id)
            if said:
                query = query.join(call_texts, call_texts.c.call_id == window.c.id).where(*said)
            return query.where(*conditions)

        return Walk(calls, calls.c.started_at, since, wanted.until, narrowed, bool(conditions or said))

    def _orders(self, wanted: OrderFilter, visibility: Visibility) -> Walk:
        texts = [self._holds(order_texts.c.text, term) for term in wanted.terms]
        for column, value in (
            (order_texts.c.category, wanted.category),
            (order_texts.c.town, wanted.town),
            (order_texts.c.unit, wanted.unit),
        ):
            if value is not None:
                texts.append(column == value)
        of_order: list[ColumnElement[bool]] = []
        if wanted.line is not None:
            of_order.append(orders.c.line == wanted.line)
        if wanted.lines:
            of_order.append(orders.c.line.in_(wanted.lines))
        if wanted.state is not None:
            of_order.append(orders.c.state == wanted.state.value)
        if wanted.outcome is not None:
            of_order.append(orders.c.outcome == wanted.outcome)
        if wanted.step is not None:
            of_order.append(orders.c.step == wanted.step.value)
        if wanted.selection is not None:
            of_order.append(selected(wanted.selection, orders.c.id, wanted.since, wanted.until))
        of_call = self._takes_part(wanted.agent, wanted.own)
        if wanted.number:
            of_call.append(self._calls_from(wanted.number, visibility))

        def narrowed(window: Subquery) -> Select[Any]:
            query = select(window.c.at, window.c.id)
            if texts:
                query = query.join(order_texts, order_texts.c.order_id == window.c.id).where(*texts)
            if of_order or of_call:
                query = query.join(orders, orders.c.id == window.c.id).where(*of_order)
            if of_call:
                query = query.join(calls, calls.c.id == orders.c.call_id).where(*of_call)
            return query

        return Walk(
            orders,
            orders.c.created_at,
            wanted.since,
            wanted.until,
            narrowed,
            bool(texts or of_order or of_call),
        )

    async def _page(
        self, walk: Walk, before: Key | None, limit: int, budget_s: float
    ) -> tuple[list[Key], Key | None]:
        """Return the keys of a page, and where the next one begins."""
        found: list[Key] = []
        size, end = FIRST_WINDOW, time.monotonic() + budget_s
        while True:
            more, edge = await self._step(walk, before, size, limit - len(found))
            found += more
            if len(found) >= limit:
                return found, found[-1]
            if edge is None:
                return found, None
            if time.monotonic() >= end:
                return found, edge
            before, size = edge, min(size * 4, LAST_WINDOW)

    async def _every(self, walk: Walk) -> AsyncIterator[list[Key]]:
        before: Key | None = None
        while True:
            keys, before = await self._page(walk, before, BATCH, BUDGET_S)
            if keys:
                yield keys
            if before is None:
                return

    async def _step(
        self, walk: Walk, before: Key | None, size: int, limit: int
    ) -> tuple[list[Key], Key | None]:
        """Return matches in the next `size` rows, and the last of these rows (`None`: no more rows)."""
        identity = walk.table.c.id
        newest = (
            select(walk.instant.label("at"), identity.label("id"))
            .where(*_bounds(walk.instant, walk.since, walk.until), *_beyond(walk.instant, identity, before))
            .order_by(walk.instant.desc(), identity.desc())
        )
        if not walk.filtered:
            size = limit
        window = newest.limit(size).subquery("w")
        hits = walk.narrowed(window) if walk.filtered else select(window.c.at, window.c.id)
        hits = hits.order_by(window.c.at.desc(), window.c.id.desc()).limit(limit)
        async with self._database.reading() as connection:
            rows = (await connection.execute(hits)).all()
            last = (await connection.execute(newest.offset(size - 1).limit(1))).one_or_none()
        return [(float(row.at), row.id) for row in rows], None if last is None else (float(last.at), last.id)

    def _takes_part(self, *agents: str | None) -> list[ColumnElement[bool]]:
        return [self._holds(calls.c.agents, f" {agent} ") for agent in agents if agent is not None]

    def _calls_from(self, digits: str, visibility: Visibility) -> ColumnElement[bool]:
        """Whether the caller's number contains the digits, limited to the digits the user may see.

        Otherwise masked numbers could be guessed digit by digit.
        """
        number = calls.c.caller_number
        if visibility.numbers:
            return or_(false(), *(self._holds(number, part) for part in parts(digits)))
        if len(digits) >= LEAST_ASKED:
            return number.in_(forms(digits) or (digits,))
        length = func.length(number)
        behind = func.substr(number, length - TAIL_SHOWN + 1, TAIL_SHOWN)
        return and_(length >= LEAST_SHOWN, self._holds(behind, digits))

    def _holds(self, column: ColumnElement[str], part: str) -> ColumnElement[bool]:
        """Whether the column contains `part` literally: not a pattern, so nothing to escape."""
        place = func.instr(column, part) if self._database.sqlite else func.strpos(column, part)
        return place > 0

    # -- reading ---------------------------------------------------------------------------------------
    async def _read_calls(self, keys: Sequence[Key], visibility: Visibility) -> list[CallSummary]:
        identities = [identity for _, identity in keys]
        query = (
            select(calls.c.id, calls.c.data, orders.c.data.label("order_data"))
            # A call is told by its first order: its outcome is that of the call.
            .outerjoin(orders, (orders.c.call_id == calls.c.id) & (orders.c.number == 1))
            .where(calls.c.id.in_(identities))
        )
        async with self._database.reading() as connection:
            rows = {row.id: row for row in await connection.execute(query)}
        return [
            summary_of(
                redact(_call(rows[identity].data), visibility),
                redact(_order(rows[identity].order_data), visibility),
            )
            for identity in identities
            if identity in rows
        ]

    async def _read_orders(self, keys: Sequence[Key], visibility: Visibility) -> list[OrderOfCall]:
        identities = [identity for _, identity in keys]
        query = (
            select(orders.c.id, orders.c.data, orders.c.status, calls.c.data.label("call_data"))
            .outerjoin(calls, calls.c.id == orders.c.call_id)
            .where(orders.c.id.in_(identities))
        )
        async with self._database.reading() as connection:
            rows = {row.id: row for row in await connection.execute(query)}
        return [
            OrderOfCall(
                redact(msgspec.json.decode(rows[identity].data, type=Order), visibility),
                None
                if rows[identity].call_data is None
                else redact(_call(rows[identity].call_data), visibility),
                redact(_status(rows[identity].status), visibility),
            )
            for identity in identities
            if identity in rows
        ]


def _call(data: str) -> Call:
    return msgspec.json.decode(data, type=Call)


def _status(data: str | None) -> OrderStatus | None:
    return None if data is None else msgspec.json.decode(data, type=OrderStatus)


def _order(data: str | None) -> Order | None:
    return None if data is None else msgspec.json.decode(data, type=Order)


def _bounds(
    instant: ColumnElement[float], since: float | None, until: float | None
) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    if since is not None:
        bounds.append(instant >= since)
    if until is not None:
        bounds.append(instant < until)
    return bounds


def _beyond(
    instant: ColumnElement[float], identity: ColumnElement[str], before: Key | None
) -> list[ColumnElement[bool]]:
    """Select rows after `before` in newest-first order; the first condition lets the index be used."""
    if before is None:
        return []
    at, last = before
    return [instant <= at, or_(instant < at, and_(instant == at, identity < last))]
