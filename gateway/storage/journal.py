"""The journal: every fact in order, written in batches. What is committed here survives.

Facts are queued without waiting (`put`) and written by one task in batches. Each batch is one transaction for
the journal rows and the working copies (`calls`, `utterances`, `orders`), so they never differ.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy import Table, insert, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.calls import Call
from domain.facts import AnyFact, CallEnded, CallFact, LifeSafetyAlert, OrderChanged, UtteranceHeard
from domain.history import text_of
from domain.orders import Order
from domain.search import searchable
from gateway.storage.database import Database
from gateway.storage.tables import call_texts, calls, journal, order_texts, orders, utterances

log = structlog.get_logger(__name__)

BATCH = 2000
ORDER_TEXT_COLUMNS = ["order_id", "category", "town", "unit", "text"]
RETRY_S = (0.1, 0.5, 2.0, 5.0)


def upsert(database: Database, table: Table, keys: Sequence[str], changing: Sequence[str]) -> Any:
    """Build an INSERT that updates `changing` if the row with `keys` exists, for SQLite and PostgreSQL."""
    make = sqlite_insert if database.sqlite else postgresql_insert
    statement = make(table)
    return statement.on_conflict_do_update(
        index_elements=list(keys), set_={name: statement.excluded[name] for name in changing}
    )


def call_row(call: Call) -> dict[str, Any]:
    """Return the working copy of a call, without its post-call state."""
    return {
        "id": call.id,
        "pbx": call.pbx,
        "line": call.line,
        "direction": call.direction.value,
        "state": call.state.value,
        "end_reason": call.end_reason.value if call.end_reason is not None else None,
        "agent": call.agent,
        "agents": f" {' '.join(agents)} " if (agents := call.agents) else "",
        "caller_number": call.caller.number[:64],
        "started_at": call.started_at,
        "ended_at": call.ended_at,
        "data": msgspec.json.encode(call).decode(),
    }


def order_row(order: Order) -> dict[str, Any]:
    """Return the working copy of an order."""
    return {
        "id": order.id,
        "call_id": order.call_id,
        "line": order.line,
        "state": order.state.value,
        "revision": order.revision,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "matter": order.matter,
        "data": msgspec.json.encode(order).decode(),
    }


def order_text_row(order: Order) -> dict[str, Any]:
    """Return the columns an order is searched by: some fields as they are, all in searchable form."""
    return {
        "order_id": order.id,
        "category": text_of(order, "category")[:100] or None,
        "town": text_of(order, "town")[:100] or None,
        "unit": text_of(order, "unit")[:200] or None,
        "text": searchable(
            text_of(order, name) for name, field in order.fields.items() if not isinstance(field.value, bool)
        ),
    }


def put_call_text(database: Database) -> Any:
    """Build an INSERT that appends to the call's searchable text."""
    make = sqlite_insert if database.sqlite else postgresql_insert
    statement = make(call_texts)
    return statement.on_conflict_do_update(
        index_elements=["call_id"], set_={"text": call_texts.c.text + statement.excluded["text"]}
    )


def put_order_text(database: Database) -> Any:
    """Build an INSERT of `order_text_row` that updates an existing row."""
    return upsert(database, order_texts, ["order_id"], ORDER_TEXT_COLUMNS[1:])


async def put_order(database: Database, connection: AsyncConnection, order: Order) -> None:
    """Store the working copy of an order and its searchable text."""
    await connection.execute(upsert(database, orders, ["id"], order_row_columns()[1:]), [order_row(order)])
    await connection.execute(put_order_text(database), [order_text_row(order)])


class Prepared:
    """A statement compiled once: the driver gets plain rows, many at a time."""

    def __init__(self, database: Database, statement: Any, columns: Sequence[str]) -> None:
        compiled = statement.compile(dialect=database.engine.dialect, column_keys=list(columns))
        self._sql = str(compiled)
        self._order = list(compiled.positiontup or ())

    async def many(self, connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Execute it for each row."""
        order = self._order
        values = [tuple([row[name] for name in order]) for row in rows]
        await connection.exec_driver_sql(self._sql, values)


class JournalWriter:
    """Writes facts in the background, inside `async with`; call `flush()` before irrevocable actions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: asyncio.Queue[AnyFact | asyncio.Future[None]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        journalled = ["at", "kind", "call_id", "data"]
        heard = ["id", "call_id", "side", "start", "data"]
        over = [*call_row_columns(), "finish"]
        self._journal = Prepared(database, insert(journal), journalled)
        # An update leaves `finish` alone; only the end of a call sets it.
        self._calls = Prepared(
            database, upsert(database, calls, ["id"], call_row_columns()[1:]), call_row_columns()
        )
        self._ended = Prepared(database, upsert(database, calls, ["id"], over[1:]), over)
        self._orders = Prepared(
            database, upsert(database, orders, ["id"], order_row_columns()[1:]), order_row_columns()
        )
        self._order_texts = Prepared(database, put_order_text(database), ORDER_TEXT_COLUMNS)
        self._utterances = Prepared(database, upsert(database, utterances, ["id"], ["data"]), heard)
        self._call_texts = Prepared(database, put_call_text(database), ["call_id", "text"])
        self.written = 0
        """Facts committed since the start."""

    async def __aenter__(self) -> "JournalWriter":
        self._task = asyncio.create_task(self._run(), name="journal")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        if not self._task.done():
            await self.flush()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def backlog(self) -> int:
        """Facts not yet committed."""
        return self._queue.qsize()

    def put(self, fact: AnyFact) -> None:
        """Queue one fact without waiting."""
        self._queue.put_nowait(fact)

    async def flush(self) -> None:
        """Wait until everything put so far is committed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(done)
        await done

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            facts = [item for item in batch if not isinstance(item, asyncio.Future)]
            if facts:
                await self._write_surely(facts)
            for item in batch:
                if isinstance(item, asyncio.Future) and not item.done():
                    item.set_result(None)

    async def _write_surely(self, facts: list[AnyFact]) -> None:
        attempt = 0
        while True:
            try:
                async with self._database.writing() as connection:
                    await self._write(connection, facts)
            except (SQLAlchemyError, OSError) as error:
                # Nothing is dropped: facts wait in memory until the database takes them.
                delay = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                attempt += 1
                log.error("journal_write_failed", error=str(error), facts=len(facts), retry_in_s=delay)
                await asyncio.sleep(delay)
            else:
                self.written += len(facts)
                return

    async def _write(self, connection: AsyncConnection, facts: list[AnyFact]) -> None:
        await self._journal.many(connection, [journal_row(fact) for fact in facts])
        newest_calls: dict[str, tuple[Call, bool]] = {}
        newest_orders: dict[str, Order] = {}
        heard: dict[str, dict[str, Any]] = {}
        texts: dict[str, str] = {}
        for fact in facts:
            if isinstance(fact, CallFact):
                ended = isinstance(fact, CallEnded) or newest_calls.get(fact.call.id, (None, False))[1]
                newest_calls[fact.call.id] = (fact.call, ended)
            elif isinstance(fact, OrderChanged):
                newest_orders[fact.order.id] = fact.order
            elif isinstance(fact, UtteranceHeard) and fact.utterance.final:
                said = fact.utterance
                heard[said.id] = {
                    "id": said.id,
                    "call_id": said.call_id,
                    "side": said.side.value,
                    "start": said.start,
                    "data": msgspec.json.encode(said).decode(),
                }
                texts[said.id] = said.text
        running = [call_row(call) for call, ended in newest_calls.values() if not ended]
        over = [
            call_row(call) | {"finish": "pending" if call.needs_post_call else ""}
            for call, ended in newest_calls.values()
            if ended
        ]
        if running:
            await self._calls.many(connection, running)
        if over:
            await self._ended.many(connection, over)
        if newest_orders:
            await self._orders.many(connection, [order_row(order) for order in newest_orders.values()])
            await self._order_texts.many(connection, [order_text_row(one) for one in newest_orders.values()])
        if heard:
            await self._utterances.many(connection, list(heard.values()))
            await self._call_texts.many(connection, _call_text_rows(heard, texts))


def _call_text_rows(heard: dict[str, dict[str, Any]], texts: dict[str, str]) -> list[dict[str, Any]]:
    of_call: dict[str, list[str]] = {}
    for identity, row in heard.items():
        of_call.setdefault(row["call_id"], []).append(texts[identity])
    return [{"call_id": call_id, "text": searchable(said)} for call_id, said in of_call.items()]


def call_row_columns() -> list[str]:
    """Return the columns `call_row` fills, `id` first."""
    return [
        "id", "pbx", "line", "direction", "state", "end_reason", "agent", "agents", "caller_number",
        "started_at", "ended_at", "data",
    ]  # fmt: skip


def order_row_columns() -> list[str]:
    """Return the columns `order_row` fills, `id` first."""
    return ["id", "call_id", "line", "state", "revision", "created_at", "updated_at", "matter", "data"]


def journal_row(fact: AnyFact) -> dict[str, Any]:
    """Return a fact as a journal row."""
    call_id: str | None = None
    if isinstance(fact, CallFact):
        call_id = fact.call.id
    elif isinstance(fact, UtteranceHeard):
        call_id = fact.utterance.call_id
    elif isinstance(fact, OrderChanged):
        call_id = fact.order.call_id
    elif isinstance(fact, LifeSafetyAlert):
        call_id = fact.alert.call_id
    return {
        "at": fact.at,
        "kind": type(fact).__name__,
        "call_id": call_id,
        "data": msgspec.json.encode(fact).decode(),
    }


async def read_journal(database: Database, since: float, call: str = "") -> AsyncIterator[AnyFact]:
    """Yield the facts from `since` (POSIX seconds) on, in the order they were written.

    With `call`, only those of calls whose id contains it.
    """
    query = select(journal.c.data).where(journal.c.at >= since).order_by(journal.c.seq)
    if call:
        query = query.where(journal.c.call_id.contains(call, autoescape=True))
    decode = msgspec.json.Decoder(AnyFact).decode
    async with database.reading() as connection:
        rows = await connection.stream(query.execution_options(yield_per=1000))
        async for batch in rows.scalars().partitions():
            for data in batch:
                yield decode(data)
