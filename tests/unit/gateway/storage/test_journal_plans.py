"""How the journal is read, as the database plans it: never all of a table for a part of it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import Select, func, insert, select, text

from gateway.storage import journal_reader as reader
from gateway.storage import packer
from gateway.storage.database import Database
from gateway.storage.tables import journal, journal_pack_calls, journal_packs

NOW = time.time()
NO_CALL = ("AgentChanged", "QueueEntryChanged")
STATEMENTS = {
    "rows of a call": reader.row_keys(reader.of_call("main-77")),
    "packs of a call": reader.pack_keys(reader.of_call("main-77")),
    "rows since": reader.row_keys(reader.since(NOW - 60)),
    "packs since": reader.pack_keys(reader.since(NOW - 60)),
    "rows about no call since": reader.row_keys(reader.since(NOW - 60, NO_CALL)),
    "packs about no call since": reader.pack_keys(reader.since(NOW - 60, NO_CALL)),
    "rows of calls since": reader.row_keys(reader.since(NOW - 60, ("CallEnded",))),
    "rows of one call since": reader.row_keys(reader.since(NOW - 60, call="7")),
    "packs of one call since": reader.pack_keys(reader.since(NOW - 60, call="7")),
    "rows after": reader.row_keys(reader.after(29_900, 30_000, NO_CALL)),
    "packs after": reader.pack_keys(reader.after(29_900, 30_000, NO_CALL)),
    "newest": reader.NEWEST,
    "a page of what is old": packer.old_page(NOW - 29_900, packer.EVER, -1),
    "a call to pack": packer.to_pack(journal.c.call_id == "main-77"),
    "facts about no call to pack": packer.to_pack(journal.c.call_id.is_(None), journal.c.at < NOW - 29_900),
    "packs to prune": packer.to_prune(NOW - 29_900),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_statement_reads_all_of_the_journal(filled: Database, name: str) -> None:
    plan = await planned(filled, STATEMENTS[name])
    assert not reads_all(plan, str(STATEMENTS[name]), filled.sqlite), plan


@pytest.mark.parametrize(
    "statement",
    [
        select(journal.c.data).where(journal.c.at >= 0.0).order_by(journal.c.seq),
        select(journal.c.data).where(journal.c.kind == "AgentChanged"),
    ],
)
async def test_one_that_does_would_be_seen(filled: Database, statement: Select[Any]) -> None:
    plan = await planned(filled, statement)
    assert reads_all(plan, str(statement), filled.sqlite), plan


async def test_the_first_since_a_time_is_no_search(filled: Database) -> None:
    """PostgreSQL may plan it well; SQLite walks the key until the time has come."""
    first = select(func.min(journal.c.seq)).where(journal.c.at >= NOW - 60)
    plan = await planned(filled, first)
    assert reads_all(plan, str(first), filled.sqlite) or not filled.sqlite, plan


async def planned(database: Database, statement: Select[Any]) -> list[str]:
    compiled = statement.compile(database.engine, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if database.sqlite else "EXPLAIN"
    async with database.reading() as connection:
        rows = await connection.execute(text(f"{explain} {compiled}"))
        return [str(row[-1]) for row in rows]


def reads_all(plan: list[str], statement: str, sqlite: bool) -> bool:
    """Whether a table or an index is walked without a bound, unless it is for the first of it alone."""
    if sqlite:
        walks = [step for step in plan if step.startswith(("SCAN", "SEARCH")) and "(" not in step]
        # An end of the key, where nothing else is asked for.
        end = statement.rpartition("SELECT max(journal.seq)")[2].split(")")[0]
        return len(walks) > ("FROM journal" in end and "WHERE" not in end)
    told = "\n".join(plan)
    bounds = len(re.findall(r"(Index|Recheck) Cond: ", told))
    ends = len(re.findall(r"Index Cond: \(seq IS NOT NULL\)\n *Filter", told))
    return "Seq Scan" in told or bool(ends) or told.count(" Scan ") > bounds


def fact(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "at": NOW - 30_000 + number,
        "kind": "CallUpdated" if number % 5 else "AgentChanged",
        "call_id": f"main-{number // 50}" if number % 5 else None,
        "data": "{}" + " " * 200,
    }


def pack(number: int) -> dict[str, Any]:
    own = fact(number)
    return {
        "first_seq": number, "last_seq": number, "first_at": own["at"], "last_at": own["at"],
        "calls": own["call_id"] and f'["{own["call_id"]}","other-{number}"]',
        "facts": 2, "packed_at": NOW, "form": 1, "data": b" " * 200,
    }  # fmt: skip


def calls_of(number: int) -> list[str]:
    return msgspec.json.decode(pack(number)["calls"] or "[]", type=list[str])


async def fill(url: str) -> None:
    """30,000 facts, one a second, of which every fifth is about no call; as many packs, of two calls each."""
    database = Database(url)
    async with database.writing() as connection:
        await connection.execute(insert(journal), [fact(number) for number in range(30_000)])
        await connection.execute(insert(journal_packs), [pack(number) for number in range(30_000)])
        held = [(call_id, number) for number in range(30_000) for call_id in calls_of(number)]
        rows = [{"call_id": call_id, "first_seq": number} for call_id, number in held]
        await connection.execute(insert(journal_pack_calls), rows)
        if not database.sqlite:
            await connection.execute(text("ANALYZE journal, journal_packs, journal_pack_calls"))
    await database.close()


@pytest.fixture(scope="module")
def filled_url(shared_database_url: str) -> str:
    asyncio.run(fill(shared_database_url))
    return shared_database_url


@pytest.fixture
async def filled(filled_url: str) -> AsyncIterator[Database]:
    database = Database(filled_url)
    yield database
    await database.close()
