"""Bytes a call: what whole calls leave in the journal, packed, against each fact whole.

Calls with queue, ring, hold, transfer, and an order that is refilled with each utterance are recorded as a
gateway does, a dozen at a time; then everything is packed. What is said is that of synthetic dialogues, and what
people wrote. Sizes are what the later dozens add: on SQLite to the file without room to spare; on PostgreSQL,
where there is one, to tables, TOAST and indexes after a plain VACUUM.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.databases import postgresql
from benchmarks.harness import median, pin, progress, report
from benchmarks.whole_calls import whole_calls
from domain.facts import AnyFact, call_id_of
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.journal_reader import JournalReader
from gateway.storage.packer import DAY_S, JournalPacker

BAR_BYTES = 8000
LENGTHS = (60, 80, 100)
"""Utterances a call."""
ROUND = 12
"""Calls that are packed together: about as many as are in one pack."""
JOURNAL = ("journal", "journal_packs", "journal_pack_calls", "checkpoints")
_Call = list[AnyFact]


@dataclass
class Growth:
    """Bytes a call, of the journal and of the whole database; milliseconds a call."""

    journal_whole: float
    journal: float
    database: float
    packing_ms: float
    reading_ms: float


async def measure(calls: int, lengths: Sequence[int]) -> bool:
    """Run it; whether the bar is met everywhere."""
    pin(0)
    figures: dict[str, Any] = {"calls": calls}
    most = 0.0
    for written in (False, True):
        for length in lengths:
            name = f"{'written' if written else 'dialogues'}_{length}"
            progress(f"growth: making {calls} calls, {name}")
            made = list(whole_calls(calls, length, written=written))
            figures[f"{name}_facts_a_call"] = sum(map(len, made)) / calls
            for kind, growth in (await on_each_database(made)).items():
                figures[f"{name}_{kind}_whole"] = growth.journal_whole
                figures[f"{name}_{kind}_journal"] = growth.journal
                figures[f"{name}_{kind}_ratio"] = growth.journal / growth.journal_whole
                figures[f"{name}_{kind}_database"] = growth.database
                figures[f"{name}_{kind}_packing_ms"] = growth.packing_ms
                figures[f"{name}_{kind}_reading_ms"] = growth.reading_ms
                most = max(most, growth.journal)
    figures["most_bytes_a_call"] = most
    return report("growth", f"journal <= {BAR_BYTES} bytes a call, each", most <= BAR_BYTES, figures)


async def on_each_database(calls: list[_Call]) -> dict[str, Growth]:
    """The growth on SQLite and, where there is one, on PostgreSQL."""
    grown = {}
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite+aiosqlite:///{directory}/hotline.db"
        grown["sqlite"] = await measured(url, calls)
    async with postgresql() as there:
        if there is not None:
            grown["postgresql"] = await measured(there, calls)
    return grown


async def measured(url: str, calls: list[_Call]) -> Growth:
    """Record and pack them, a round at a time; the first round fills what later ones use again."""
    database = Database(url)
    await database.upgrade()
    empty, plain, sizes, took = await sizes_of(database), (0, 0), [], 0.0
    rounds = [calls[start : start + ROUND] for start in range(0, len(calls), ROUND)]
    for some in rounds:
        async with JournalWriter(database) as writer:
            for fact in (fact for call in some for fact in call):
                writer.put(fact)
            await writer.flush()
        if not sizes:
            plain = await sizes_of(database)
        began = time.process_time()
        await JournalPacker(database, pause_share=0.0).pack_old(some[-1][-1].at + 2 * DAY_S)
        took += time.process_time() - began
        sizes.append(await sizes_of(database))
    await require_same(database, [fact for call in calls for fact in call])
    reading = await reading_ms(database, calls)
    await database.close()
    later = sum(map(len, rounds[1:]))
    (journal, whole), (journal_then, whole_then) = sizes[-1], sizes[0]
    return Growth(
        journal_whole=(plain[0] - empty[0]) / len(rounds[0]),
        journal=(journal - journal_then) / later,
        database=(whole - whole_then) / later,
        packing_ms=1000 * took / len(calls),
        reading_ms=reading,
    )


async def require_same(database: Database, facts: list[AnyFact]) -> None:
    """Everything can still be read."""
    read = [fact async for fact in JournalReader(database).since(0.0)]
    if read != facts or not any(call_id_of(fact) is None for fact in read):
        raise RuntimeError("what was packed is not what was recorded")


async def reading_ms(database: Database, calls: list[_Call]) -> float:
    """How long it takes to read all of one call, the median."""
    took = []
    for call in calls:
        call_id = next(filter(None, map(call_id_of, call)))
        began = time.perf_counter()
        await JournalReader(database).of_call(call_id)
        took.append(1000 * (time.perf_counter() - began))
    return median(took)


async def sizes_of(database: Database) -> tuple[int, int]:
    """Bytes of the journal, and of the database it is in."""
    if database.sqlite:
        return await asyncio.to_thread(sizes_of_file, Path(str(database.url.database)))
    async with database.engine.connect() as connection:
        apart = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await apart.execute(text("VACUUM"))
        tables = " + ".join(f"pg_total_relation_size('{table}')" for table in JOURNAL)
        row = (await apart.execute(text(f"SELECT {tables}, pg_database_size(current_database())"))).one()
    return int(row[0]), int(row[1])


def sizes_of_file(path: Path) -> tuple[int, int]:
    """The same of an SQLite file: as it would be without free pages, and that without the journal."""
    with tempfile.TemporaryDirectory() as directory:
        whole, rest = Path(directory) / "whole.db", Path(directory) / "rest.db"
        with sqlite3.connect(path) as connection:
            connection.execute(f"VACUUM INTO '{whole}'")
            connection.execute(f"VACUUM INTO '{rest}'")
        connection.close()
        with sqlite3.connect(rest, isolation_level=None) as connection:
            for table in JOURNAL:
                connection.execute(f"DROP TABLE {table}")
            connection.execute("VACUUM")
        connection.close()
        return whole.stat().st_size - rest.stat().st_size, whole.stat().st_size


def main(arguments: list[str] | None = None) -> bool:
    """`--calls`, `--utterances`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3 * ROUND)
    parser.add_argument("--utterances", type=int, nargs="+", default=LENGTHS)
    options = parser.parse_args(arguments)
    if options.calls < 2 * ROUND:
        parser.error(f"--calls: {2 * ROUND} or more, else nothing is added to what there is")
    return asyncio.run(measure(options.calls, options.utterances))


if __name__ == "__main__":
    raise SystemExit(not main())
