"""Changes told to other systems: each once, none left out, whatever the order in which writers commit."""

import asyncio
import random
from collections import Counter

import pytest
from msgspec import structs
from sqlalchemy import update

from domain.calls import Call, CallState
from domain.facts import CallEnded, CallUpdated, OrderStatusTold
from domain.history import OrderOfCall
from domain.order_status import OrderStatus, Step
from domain.orders import FieldValue, Method, Order, OrderState
from gateway.storage.changes import ChangeRepository, Kind
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.order_status import OrderStatusRepository
from gateway.storage.orders import OrderRepository
from gateway.storage.outbox import SqlOutbox
from gateway.storage.rows import order_row
from gateway.storage.tables import calls, orders
from tests.support.databases import put_order
from tests.support.orders import AT, a_call


def an_order(number: int, revision: int = 1, state: OrderState = OrderState.SUBMITTED) -> Order:
    title = FieldValue(f"第 {number} 件，第 {revision} 版", 0.9, Method.RULE)
    identity = f"00000000-0000-5000-8000-{number:012}"
    return Order(identity, f"main-{number}", "12345", state, {"title": title}, AT, AT, revision)


class Reader:
    """A system that keeps what it was told, and asks for what is new."""

    def __init__(self, database: Database, kind: Kind = "orders", limit: int = 100) -> None:
        self._changes = ChangeRepository(database)
        self._kind: Kind = kind
        self._limit = limit
        self.cursor = 0
        self.told: list[tuple[str, int]] = []

    async def ask(self) -> list[str]:
        """The ids of what is new."""
        found: list[str] = []
        more = True
        while more:
            page, more = await self._changes.since(self._kind, self.cursor, self._limit)
            for one in page:
                assert one.seq > self.cursor
                self.cursor = one.seq
                value = one.value.order if isinstance(one.value, OrderOfCall) else one.value
                self.told.append((value.id, getattr(value, "revision", 0)))
                found.append(value.id)
        return found


async def test_a_change_is_told_once_and_again_when_it_changes_again(database: Database) -> None:
    reader = Reader(database)
    assert await reader.ask() == []
    for number in (1, 2, 3):
        await put_order(database, an_order(number))
    assert await reader.ask() == [an_order(number).id for number in (1, 2, 3)]
    assert await reader.ask() == []
    await put_order(database, an_order(2, 2))
    await put_order(database, an_order(2, 3))
    await put_order(database, an_order(1))  # the same as before: no change
    assert await reader.ask() == [an_order(2).id]
    assert reader.told[-1] == (an_order(2).id, 3)
    late = Reader(database, limit=1)
    assert await late.ask() == [an_order(number).id for number in (1, 3, 2)]


async def test_drafts_are_not_told_until_they_leave(database: Database) -> None:
    reader = Reader(database)
    repository = OrderRepository(database)
    draft = an_order(1, 0, OrderState.DRAFT)
    assert await repository.change(None, draft)
    assert await reader.ask() == []
    sent = an_order(1, 1)
    assert await repository.change(draft, sent, bodies={"main": b"{}"})
    assert await reader.ask() == [sent.id]
    (delivery,) = await SqlOutbox(database).list_deliveries()
    await SqlOutbox(database).delivered(delivery.id, 200, "GD-77")
    assert await reader.ask() == [sent.id]


async def test_calls_that_have_ended_and_statuses_are_told(database: Database) -> None:
    of_calls, of_statuses, of_orders = (Reader(database, kind) for kind in ("calls", "statuses", "orders"))
    call: Call = a_call(1)
    ended = structs.replace(call, state=CallState.ENDED, ended_at=AT + 60)
    async with JournalWriter(database) as journal:
        journal.put(CallUpdated(at=AT, call=call, what="x"))
        await journal.flush()
        assert await of_calls.ask() == []
        journal.put(CallEnded(at=AT + 60, call=ended))
        await journal.flush()
    assert await of_calls.ask() == [call.id]
    # What is noted beside the call for our own work is no change of it.
    async with database.writing() as connection:
        await connection.execute(update(calls).values(finish="done", claimed_until=5.0))
    assert await of_calls.ask() == []
    await put_order(database, an_order(1))
    await of_orders.ask()
    status = OrderStatus("main/1", an_order(1).id, "main", Step.SIGNED, AT, AT)
    told = OrderStatusTold(at=AT, status=status, call_id=call.id, line="12345")
    await OrderStatusRepository(database).keep(told, stamp=1, digest="x")
    assert await of_statuses.ask() == ["main/1"]
    assert await of_orders.ask() == [an_order(1).id], "its latest step is a change of the order"


async def test_only_of_some_lines(database: Database) -> None:
    for number, line in ((1, "12345"), (2, "yiqilai"), (3, "12345")):
        await put_order(database, structs.replace(an_order(number), line=line))
    page, _ = await ChangeRepository(database).since("orders", 0, 10, ["yiqilai"])
    assert [one.value.order.id for one in page if isinstance(one.value, OrderOfCall)] == [an_order(2).id]


@pytest.mark.postgresql
async def test_what_commits_later_is_told_later_and_not_left_out(postgresql_url: str) -> None:
    """The first writer began first and commits last, on a connection of its own."""
    slow, quick = Database(postgresql_url), Database(postgresql_url)
    reader = Reader(quick)
    try:
        async with slow.engine.connect() as held:
            await held.execute(orders.insert().values(order_row(an_order(1))))
            await put_order(quick, an_order(2))
            # Nobody waits for the writer either.
            assert await asyncio.wait_for(reader.ask(), 5) == [an_order(2).id]
            await held.commit()
        assert await reader.ask() == [an_order(1).id]
        async with slow.engine.connect() as held:
            await held.execute(
                update(orders).values(order_row(an_order(2, 2))).where(orders.c.id == an_order(2).id)
            )
            await put_order(quick, an_order(3))
            assert await asyncio.wait_for(reader.ask(), 5) == [an_order(3).id]
            await held.rollback()
        assert await reader.ask() == []
    finally:
        await slow.close()
        await quick.close()


async def test_many_writers_and_readers_at_once(database: Database, database_url: str) -> None:
    """Three write, two read: each reader is told the last state of all in the end, and nothing twice."""
    others = [Database(database_url) for _ in range(4)]
    chance = random.Random(5)
    done = asyncio.Event()

    async def write(on: Database, numbers: range) -> None:
        for revision in (1, 2, 3, 4):
            for number in numbers:
                await put_order(on, an_order(number, revision))
                await asyncio.sleep(chance.random() * 0.004)

    async def read(reader: Reader) -> None:
        while not done.is_set():
            await reader.ask()
            await asyncio.sleep(chance.random() * 0.01)
        await reader.ask()

    readers = [Reader(others[3], limit=7), Reader(database, limit=3)]
    reading = [asyncio.create_task(read(one)) for one in readers]
    try:
        await asyncio.gather(*(write(others[n], range(n * 10, n * 10 + 10)) for n in range(3)))
    finally:
        done.set()
        await asyncio.gather(*reading)
        for one in others:
            await one.close()
    for reader in readers:
        assert max(Counter(reader.told).values()) == 1, "told twice"
        last = dict(reader.told)
        assert last == {an_order(number).id: 4 for number in range(30)}
