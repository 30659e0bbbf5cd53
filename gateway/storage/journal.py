"""The journal: every fact in order, written in batches. What is committed here survives.

Facts are queued without waiting (`put`) and written by one task in batches. Each batch is one transaction for
the journal rows and the working copies (`calls`, `utterances`, `orders`), so they never differ.

Every fact has an id, so that a batch whose COMMIT was not answered is looked up instead of written twice. A
fact that no database can store is set aside in `rejected_facts`, and the others go on.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.calls import Call
from domain.facts import AnyFact, CallEnded, CallFact, OrderChanged, QueueEntryChanged, UtteranceHeard
from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.fact_ids import FactIds
from gateway.storage.faults import is_of_the_value
from gateway.storage.journal_reader import JournalReader
from gateway.storage.leases import LeaseLostError
from gateway.storage.rows import (
    ORDER_TEXT_COLUMNS,
    Prepared,
    call_row,
    call_row_columns,
    call_text_rows,
    journal_row,
    order_row,
    order_row_columns,
    order_text_row,
    put_call_text,
    put_order_text,
    queue_entry_columns,
    queue_entry_row,
    upsert,
)
from gateway.storage.spool import Numbered, read_spool, write_spool
from gateway.storage.tables import calls, journal, orders, queue_entries, rejected_facts, utterances

log = structlog.get_logger(__name__)

BATCH = 2000
RETRY_S = (0.1, 0.5, 2.0, 5.0)
GRACE_S = 3.0
"""At the end, the database has so long to take what is left; then it goes into the spool."""
STALE_S = 5.0
"""Facts that wait longer than this mean that the database does not keep up."""
MAX_REJECTED = 20_000
"""Characters of a rejected fact that are kept."""

OnRejected = Callable[[AnyFact, str], None]
"""Called with each fact that was set aside, and why."""


class JournalWriter:
    """Writes facts in the background, inside `async with`; call `flush()` before irrevocable actions."""

    def __init__(
        self, database: Database, spool: Path | None = None, on_rejected: OnRejected = lambda *_: None
    ) -> None:
        """`spool`: file for facts that the database does not take before the end; read at the next start."""
        self._database = database
        self._spool = spool
        self._on_rejected = on_rejected
        self._queue: asyncio.Queue[Numbered | asyncio.Future[None]] = asyncio.Queue()
        self.ids = FactIds()
        """Of this run's facts; whoever writes facts in a transaction of its own takes them from here."""
        self._batch: list[Numbered] = []
        """What is being written, and not known to be committed."""
        self._task: asyncio.Task[None] | None = None
        heard = ["id", "call_id", "side", "start", "data"]
        over = [*call_row_columns(), "finish"]
        self._journal = Prepared(database, insert(journal), ["id", "at", "kind", "call_id", "data"])
        # An update leaves `finish` alone; only the end of a call sets it.
        self._calls = Prepared(
            database, upsert(database, calls, ["id"], call_row_columns()[1:]), call_row_columns()
        )
        self._ended = Prepared(database, upsert(database, calls, ["id"], over[1:]), over)
        self._orders = Prepared(
            database, upsert(database, orders, ["id"], order_row_columns()[1:]), order_row_columns()
        )
        self._order_texts = Prepared(database, put_order_text(database), ORDER_TEXT_COLUMNS)
        entry = queue_entry_columns()
        self._entries = Prepared(database, upsert(database, queue_entries, entry[:4], entry[4:]), entry)
        self._utterances = Prepared(database, upsert(database, utterances, ["id"], ["data"]), heard)
        self._call_texts = Prepared(database, put_call_text(database), ["call_id", "text"])
        self.written = 0
        """Facts committed since the start."""
        self.rejected = 0
        """Facts set aside since the start."""
        self.trouble = ""
        """Why the last write failed; empty while the database takes what is written."""
        self.grace_s = GRACE_S
        """How long the database has at the end to take what is left."""
        self.lost = False
        """Another process serves now: nothing is written any more."""
        self._waiting_since: float | None = None

    async def __aenter__(self) -> "JournalWriter":
        left = read_spool(self._spool) if self._spool is not None else []
        self._task = asyncio.create_task(self._run(), name="journal")
        if left:
            log.warning("spooled_facts_taken_up", facts=len(left))
            await self._write_surely(left, known=True)
            assert self._spool is not None
            self._spool.unlink()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit what is left; what the database does not take within the grace goes into the spool."""
        assert self._task is not None
        try:
            if not self._task.done() and not self.lost:
                await asyncio.wait_for(self.flush(), self.grace_s)
        except TimeoutError:
            log.error("journal_not_flushed", facts=self.backlog, trouble=self.trouble)
        self._task.cancel()
        # A driver that is waiting for its server may not hear of it.
        await asyncio.wait([self._task], timeout=1.0)
        left = [*self._batch, *(item for item in self._drained() if not isinstance(item, asyncio.Future))]
        if left and self.lost:
            log.warning("facts_dropped", facts=len(left), reason="another process knows better")
        elif left and self._spool is not None:
            kept = await asyncio.to_thread(write_spool, self._spool, left)
            log.warning("facts_spooled", facts=kept, file=str(self._spool))

    async def spool_waiting(self) -> None:
        """Keep what waits in the spool, before anything else stops, if the database does not take it.

        What is committed after all is recognised by its id at the next start.
        """
        if self._spool is None or self.lost or not (self.trouble or self.stale_s > 1.0):
            return
        items = self._drained()
        for item in items:
            self._queue.put_nowait(item)
        waiting = [*self._batch, *(item for item in items if not isinstance(item, asyncio.Future))]
        await asyncio.to_thread(write_spool, self._spool, waiting)

    def _drained(self) -> list[Numbered | asyncio.Future[None]]:
        items = []
        while not self._queue.empty():
            items.append(self._queue.get_nowait())
        return items

    @property
    def task(self) -> asyncio.Task[None]:
        """What writes, for whoever watches it: without it nothing is stored."""
        assert self._task is not None, "enter the writer first"
        return self._task

    @property
    def backlog(self) -> int:
        """Facts not yet committed."""
        return self._queue.qsize() + len(self._batch)

    @property
    def stale_s(self) -> float:
        """For how long the batch being written has waited, in seconds; 0.0: there is none."""
        return 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since

    def put(self, fact: AnyFact) -> None:
        """Queue one fact without waiting."""
        self._queue.put_nowait((self.ids.next(), fact))

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
            self._batch = [item for item in batch if not isinstance(item, asyncio.Future)]
            if self._batch:
                await self._write_surely(self._batch)
                self._batch = []
            for item in batch:
                if isinstance(item, asyncio.Future) and not item.done():
                    item.set_result(None)

    async def _write_surely(self, facts: list[Numbered], *, known: bool = False) -> None:
        """Commit the facts, however long it takes; a fact whose fault it is that it fails is set aside.

        `known`: some of them may have been committed before.
        """
        attempt = 0
        self._waiting_since = time.monotonic()
        while True:
            try:
                if known or attempt:
                    facts = await self._without_committed(facts)
                if facts:
                    async with self._database.writing() as connection:
                        await self._write(connection, facts)
            except LeaseLostError as error:
                self.lost, self.trouble = True, str(error)
                log.error("journal_not_ours", facts=len(facts))
                await asyncio.Event().wait()  # until the process has stopped serving
            except Exception as error:
                if is_of_the_value(error):
                    await self._split(facts, error)
                    break
                # Nothing is dropped: facts wait in memory until the database takes them.
                delay = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                attempt += 1
                self.trouble = f"{type(error).__name__}: {error}"[:300]
                log.error("journal_write_failed", error=self.trouble, facts=len(facts), retry_in_s=delay)
                await asyncio.sleep(delay)
            else:
                self.written += len(facts)
                break
        self.trouble, self._waiting_since = "", None

    async def _split(self, facts: list[Numbered], error: Exception) -> None:
        """Find out whose fault it is: halves are written apart, one alone is set aside."""
        if len(facts) > 1:
            middle = len(facts) // 2
            await self._write_surely(facts[:middle])
            await self._write_surely(facts[middle:])
            return
        ((identity, fact),) = facts
        why = f"{type(error).__name__}: {error}"[:1000]
        log.error("fact_rejected", id=identity, kind=type(fact).__name__, error=ascii(why))
        self.rejected += 1
        try:
            async with self._database.writing() as connection:
                row = {
                    "id": identity,
                    "at": fact.at,
                    "kind": type(fact).__name__,
                    "data": as_ascii(fact)[:MAX_REJECTED],
                    "error": ascii(why),
                }
                await connection.execute(insert(rejected_facts), [row])
        except Exception as second:
            log.error("rejected_fact_not_kept", fact=ascii(fact)[:MAX_REJECTED], error=ascii(str(second)))
        self._on_rejected(fact, why)

    async def _without_committed(self, facts: list[Numbered]) -> list[Numbered]:
        """Those that are not in the journal yet: the answer to an earlier COMMIT may have been lost."""
        there = await JournalReader(self._database).committed(facts)
        return [one for one in facts if one[0] not in there]

    async def _write(self, connection: AsyncConnection, facts: Sequence[Numbered]) -> None:
        await self._journal.many(
            connection, [{"id": identity, **journal_row(fact)} for identity, fact in facts]
        )
        newest_calls: dict[str, tuple[Call, bool]] = {}
        newest_orders: dict[str, Order] = {}
        heard: dict[str, dict[str, Any]] = {}
        texts: dict[str, str] = {}
        entries: dict[tuple[Any, ...], dict[str, Any]] = {}
        for _, fact in facts:
            if isinstance(fact, CallFact):
                ended = isinstance(fact, CallEnded) or newest_calls.get(fact.call.id, (None, False))[1]
                newest_calls[fact.call.id] = (fact.call, ended)
            elif isinstance(fact, OrderChanged):
                newest_orders[fact.order.id] = fact.order
            elif isinstance(fact, QueueEntryChanged):
                row = queue_entry_row(fact.entry)
                entries[tuple(row.values())[:4]] = row
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
        if entries:
            await self._entries.many(connection, list(entries.values()))
        if heard:
            await self._utterances.many(connection, list(heard.values()))
            await self._call_texts.many(connection, call_text_rows(heard, texts))


def as_ascii(fact: AnyFact) -> str:
    """The fact as JSON of ASCII alone: with every character in it that cannot be stored still to be seen."""
    return json.dumps({"kind": type(fact).__name__, **msgspec.to_builtins(fact)}, ensure_ascii=True)
