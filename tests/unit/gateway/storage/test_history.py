"""History on both databases: what is found, in which order, page after page."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from msgspec import structs
from sqlalchemy import Connection, insert, select, text

from domain import facts as f
from domain.audit import AuditEntry
from domain.calls import Call, Conversation, EndReason, Side
from domain.history import AuditFilter, CallFilter, DeliveryFilter, OrderFilter, OrderOfCall
from domain.orders import OrderState
from domain.search import terms
from gateway.storage import history as module
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import MIGRATIONS, Database
from gateway.storage.history import HistoryRepository
from gateway.storage.journal import JournalWriter
from gateway.storage.tables import call_texts, order_texts
from tests.support.databases import put_order
from tests.support.samples import HOSTILE, call, order, said


async def filled(database: Database) -> list[Call]:
    """Five calls, oldest first; two have orders."""
    ends = {"end_reason": EndReason.ABANDONED_QUEUE, "agent": None, "conversations": (), "answered_at": None}
    both = (
        Conversation("1001", "PJSIP/1001-2", 3010.0, 3030.0),
        Conversation("1002", "PJSIP/1002-1", 3040.0, 3100.0),
    )
    calls = [
        call(1, 1000.0),
        call(2, 2000.0, line="yiqilai", **ends),
        call(3, 3000.0, agent="1002", conversations=both),
        call(4, 3000.0, agent="1002", conversations=both[1:]),
        call(5, 5000.0),
    ]
    async with JournalWriter(database) as journal:
        for one in calls:
            journal.put(f.CallEnded(at=one.started_at + 120, call=one))
        journal.put(said(calls[0], 16.0, "你好，人民路的路灯 坏了。ＡＢＣ路"))
        journal.put(said(calls[0], 20.0, "请问哪个位置？", Side.AGENT))
        await journal.flush()
        journal.put(said(calls[0], 30.0, "就在刘桥镇政府对面"))
        journal.put(said(calls[2], 16.0, "路灯没坏，路面坏了 " + HOSTILE))
        made = order(
            calls[0], 1, title="路灯损坏", town="刘桥镇", category="城乡建设", unit="城管局", urgent=True
        )
        journal.put(f.OrderChanged(at=1100.0, order=made, changed=("title",)))
    sent = order(
        calls[2], 2, OrderState.SUBMITTED, title="路面破损", town="川姜镇", keywords=["路面", "坑洼"]
    )
    await put_order(database, sent, {"main": b"{}"}, 3200.0)
    return calls


async def ids(history: HistoryRepository, **wanted: Any) -> list[str]:
    page = await history.find_calls(CallFilter(**wanted), None, 50)
    assert page.next is None
    return [one.id.removeprefix("main-").removesuffix(".1") for one in page.items]


async def test_calls_are_filtered(database: Database) -> None:
    await filled(database)
    history = HistoryRepository(database)
    assert await ids(history) == ["5", "4", "3", "2", "1"]
    assert await ids(history, since=2000.0, until=5000.0) == ["4", "3", "2"]
    assert await ids(history, line="yiqilai") == ["2"]
    assert await ids(history, end_reason=EndReason.ABANDONED_QUEUE) == ["2"]
    assert await ids(history, number="0004") == ["4"]
    assert await ids(history, agent="1001") == ["5", "3", "1"]
    assert await ids(history, agent="1001", own="1002") == ["3"]
    assert await ids(history, agent="100") == []


async def test_calls_are_found_by_what_was_said(database: Database) -> None:
    await filled(database)
    history = HistoryRepository(database)
    for query, found in {
        "路灯": ["3", "1"],
        "路灯坏了": ["1"],
        "abc路": ["1"],
        "路灯 刘桥镇": ["1"],
        "坏": ["3", "1"],
        "坏了。请问": [],
        "drop table": ["3"],
        "%": ["5", "4", "3", "2", "1"],  # punctuation alone is no term
        "没说过的话": [],
    }.items():
        assert await ids(history, terms=terms(query)) == found, query


async def test_a_summary_tells_the_call_and_its_order(database: Database) -> None:
    await filled(database)
    page = await HistoryRepository(database).find_calls(CallFilter(terms=("刘桥镇政府",)), None, 50)
    (one,) = page.items
    assert (one.waited, one.talked, one.held, one.transfers, one.recorded) == (10.0, 105.0, 0.0, 0, True)
    assert one.order is not None
    assert (one.order.title, one.order.state) == ("路灯损坏", OrderState.DRAFT)


async def found(history: HistoryRepository, **wanted: Any) -> list[str]:
    page = await history.find_orders(OrderFilter(**wanted), None, 50)
    assert page.next is None
    return [one.order.id[-1] for one in page.items]


async def test_orders_are_filtered_and_found(database: Database) -> None:
    calls = await filled(database)
    history = HistoryRepository(database)
    assert await found(history) == ["2", "1"]
    assert await found(history, town="刘桥镇", category="城乡建设", unit="城管局") == ["1"]
    assert await found(history, state=OrderState.SUBMITTED) == ["2"]
    assert await found(history, agent="1002") == ["2"]
    assert await found(history, own="1001", line="12345") == ["2", "1"]
    assert await found(history, number=calls[0].caller.number) == ["1"]
    assert await found(history, terms=terms("坑洼")) == ["2"]
    assert await found(history, terms=terms("损坏 刘桥")) == ["1"]
    assert await found(history, terms=terms("是")) == []  # how a yes is shown is no text of the order
    assert await found(history, until=1015.0) == []
    # What is changed is found by its new words alone.
    await put_order(database, order(calls[0], 1, title="井盖缺失"))
    assert await found(history, terms=terms("井盖")) == ["1"]
    assert await found(history, terms=terms("路灯")) == []
    assert await found(history, town="刘桥镇") == []


async def test_pages_join_without_gap_or_repetition(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [call(n, 1000.0 + n // 3, line="12345" if n % 7 else "yiqilai") for n in range(60)]
    async with JournalWriter(database) as journal:
        for one in many:
            journal.put(f.CallEnded(at=2000.0, call=one))
    history = HistoryRepository(database)
    monkeypatch.setattr(module, "FIRST_WINDOW", 4)
    monkeypatch.setattr(module, "LAST_WINDOW", 8)
    newest = sorted(many, key=lambda one: (one.started_at, one.id), reverse=True)
    for wanted, budget in (
        (CallFilter(), 2.0),
        (CallFilter(line="yiqilai"), 2.0),
        (CallFilter(line="yiqilai"), 0.0),
    ):
        expected = [one.id for one in newest if wanted.line in (None, one.line)]
        got: list[str] = []
        before = None
        pages = 0
        while True:
            page = await history.find_calls(wanted, before, 4, budget)
            assert len(page.items) <= 4
            got += [one.id for one in page.items]
            before, pages = page.next, pages + 1
            if before is None:
                break
        if database.sqlite:  # PostgreSQL may sort equal instants' ids otherwise
            assert got == expected
        assert sorted(got) == sorted(expected)
        assert pages > len(expected) // 4


async def collected(batches: AsyncIterator[list[Any]]) -> list[Any]:
    return [one async for batch in batches for one in batch]


async def test_everything_comes_in_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    await filled(database)
    history = HistoryRepository(database)
    assert [one.id for one in await collected(history.every_call(CallFilter(line="12345")))] == [
        "main-5.1", "main-4.1", "main-3.1", "main-1.1",
    ]  # fmt: skip
    every: list[OrderOfCall] = await collected(history.every_order(OrderFilter(terms=("路面",))))
    assert [(one.order.id[-1], one.call and one.call.agent) for one in every] == [("2", "1002")]
    assert [
        one.endpoint for one in await collected(history.every_delivery(DeliveryFilter(state="pending")))
    ] == ["main"]
    assert await collected(history.every_delivery(DeliveryFilter(until=3200.0))) == []
    store = CommandRepository(database)
    entry = AuditEntry(
        at=1.0, username="ban", role="supervisor", agent=None, command_id="x", name="export", args="{}",
        ok=True, code="", message="",
    )  # fmt: skip
    for n in range(5):
        await store.note(structs.replace(entry, at=float(n), username="ban" if n % 2 else "li"))
    entries = await collected(history.every_entry(AuditFilter(since=1.0, username="li")))
    assert [one.at for one in entries] == [4.0, 2.0]


async def test_an_older_database_is_filled_by_the_migration(database: Database) -> None:
    """Down to before the history, as an older version left it, and up again: all is found as before."""
    await filled(database)
    history = HistoryRepository(database)

    async def state() -> tuple[Any, ...]:
        async with database.reading() as connection:
            texts = sorted((await connection.execute(select(call_texts))).all())
            facets = sorted((await connection.execute(select(order_texts))).all())
        return (
            [(key, sorted(value.split())) for key, value in texts],
            [(*row[:4], sorted(row[4].split())) for row in facets],
            await ids(history, agent="1002", end_reason=EndReason.COMPLETED),
            await ids(history, terms=("刘桥镇政府",)),
        )

    before = await state()

    def down_and_up(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
        command.upgrade(config, "head")

    async with database.engine.connect() as connection, database.rebuilding(connection):
        await connection.run_sync(down_and_up)
        await connection.commit()
    assert await state() == before
    assert msgspec.json.encode(before)
    async with database.writing() as connection:  # and the table's triggers and keys still work
        await connection.execute(text("DELETE FROM call_texts"))
        await connection.execute(insert(call_texts), [{"call_id": "x", "text": "y\n"}])
