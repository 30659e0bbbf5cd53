"""The journal when a value or the database is at fault: nothing is held up, nothing lost, nothing doubled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.calls import Call, CallState, Conversation, Direction, Party, Side
from domain.facts import AnyFact, CallEnded, CallStarted, OrderChanged, UtteranceHeard
from domain.orders import FieldValue, Method, Order, OrderState
from domain.transcripts import Utterance, utterance_id
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.spool import read_spool
from gateway.storage.tables import call_texts, journal, rejected_facts

AT = 1_780_000_000.0


def a_call(number: int = 1, **changes: Any) -> Call:
    usual = Call(
        f"main-{number}", "main", str(number), Direction.INBOUND, CallState.TALKING, Party("13800138000"),
        "12345", AT + number, line="12345", conversations=(Conversation("1001", "PJSIP/1001-1", AT),),
    )  # fmt: skip
    return structs.replace(usual, **changes)


def heard(call: Call, start: float, text: str) -> UtteranceHeard:
    said = Utterance(utterance_id(call.id, Side.CALLER, start), call.id, Side.CALLER, start, start + 1, text)
    return UtteranceHeard(at=AT + start, utterance=said)


def an_order(title: str) -> OrderChanged:
    fields = {"title": FieldValue(title, 1.0, Method.AGENT)}
    order = Order("0" * 36, "main-1", "12345", OrderState.DRAFT, fields, AT, AT)
    return OrderChanged(at=AT, order=order, changed=("title",))


async def kinds(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list(await connection.scalars(select(journal.c.kind).order_by(journal.c.seq)))


@pytest.mark.parametrize(
    ("bad", "shows"),
    [
        (an_order("\ud83d"), "\\ud83d"),
        (an_order("a\udc00b"), "\\udc00"),
        (CallStarted(at=AT, call=a_call(9, agent="a\x00b")), "\\u0000"),
    ],
)
async def test_a_fact_that_cannot_be_stored_is_set_aside_and_holds_up_no_other(
    database: Database, bad: AnyFact, shows: str
) -> None:
    rejected: list[AnyFact] = []
    good: list[AnyFact] = [CallStarted(at=AT, call=a_call(n)) for n in range(5)]
    async with JournalWriter(database, on_rejected=lambda fact, _: rejected.append(fact)) as writer:
        for fact in (*good[:3], bad, *good[3:], heard(a_call(1), 2.0, "路灯坏了")):
            writer.put(fact)
        await asyncio.wait_for(writer.flush(), 10)
        counts = writer.written, writer.rejected, writer.backlog, writer.trouble
    stored = isinstance(bad, CallStarted) and database.sqlite  # SQLite takes a NUL, PostgreSQL does not
    assert counts == ((7, 0, 0, "") if stored else (6, 1, 0, ""))
    assert await kinds(database) == [*["CallStarted"] * (6 if stored else 5), "UtteranceHeard"]
    if not stored:
        assert rejected == [bad]
        async with database.reading() as connection:
            (row,) = (await connection.execute(select(rejected_facts))).all()
        assert row.kind == type(bad).__name__
        assert shows in row.data
        assert row.error


async def test_names_of_any_length_are_stored(database: Database) -> None:
    long = "1" * 3000
    async with JournalWriter(database) as writer:
        writer.put(CallStarted(at=AT, call=a_call(1, agent=long, line=long, caller=Party(long, long))))
        writer.put(CallStarted(at=AT, call=a_call(2)))
        await asyncio.wait_for(writer.flush(), 10)
        assert (writer.written, writer.rejected) == (2, 0)
    found = await CallRepository(database).get_call("main-1")
    assert found is not None
    assert found.agent == long


async def test_a_commit_whose_answer_is_lost_writes_nothing_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, lost = database.writing, [0]

    @asynccontextmanager
    async def unanswered() -> AsyncIterator[AsyncConnection]:
        async with writing() as connection:
            yield connection
        if lost[0] < 2:
            lost[0] += 1
            raise ConnectionResetError("the answer to COMMIT never came")

    monkeypatch.setattr(database, "writing", unanswered)
    call = a_call()
    batches: list[list[AnyFact]] = [
        [CallStarted(at=AT, call=call), heard(call, 1.0, "路灯")],
        [heard(call, 3.0, "坏了")],
    ]
    async with JournalWriter(database) as writer:
        for batch in batches:
            for fact in batch:
                writer.put(fact)
            await asyncio.wait_for(writer.flush(), 10)
        assert writer.trouble == ""
    assert lost == [2]
    assert await kinds(database) == ["CallStarted", "UtteranceHeard", "UtteranceHeard"]
    async with database.reading() as connection:
        text = str(await connection.scalar(select(call_texts.c.text)))
        ids = list(await connection.scalars(select(journal.c.id)))
    assert text.count("路灯") == 1
    assert text.count("坏了") == 1
    assert len(set(ids)) == 3


async def test_what_the_database_does_not_take_before_the_end_is_taken_at_the_next_start(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, call = tmp_path / "facts.spool", a_call()
    monkeypatch.setattr("gateway.storage.journal.GRACE_S", 0.3)
    with monkeypatch.context() as away:
        async with JournalWriter(database, spool) as writer:
            writer.put(CallStarted(at=AT, call=call))
            await writer.flush()

            def refuse() -> Any:
                raise ConnectionRefusedError("no database")

            away.setattr(database, "writing", refuse)
            writer.put(heard(call, 1.0, "路灯"))
            writer.put(CallEnded(at=AT + 9, call=structs.replace(call, ended_at=AT + 9)))
            while not writer.trouble:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert writer.backlog == 2
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 3, "the end does not wait for the database"
    assert [type(fact) for _, fact in read_spool(spool)] == [UtteranceHeard, CallEnded]
    assert spool.stat().st_mode & 0o077 == 0
    # Once more, as if the process had died before it could remove the file.
    again = spool.read_bytes()
    for _ in range(2):
        async with JournalWriter(database, spool) as writer:
            await writer.flush()
        assert not spool.exists()
        assert await kinds(database) == ["CallStarted", "UtteranceHeard", "CallEnded"]
        spool.write_bytes(again)
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(call_texts)) == 1
