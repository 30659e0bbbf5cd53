"""Bytes a call: what whole calls leave in the journal, packed, against each fact whole.

Calls with queue, ring, hold, transfer, and an order that is refilled with each utterance are recorded as a
gateway does, a dozen at a time; then everything is packed. What is said is that of synthetic dialogues, and
what people wrote. Sizes are what the later dozens add: on SQLite to the file without its free pages; on
PostgreSQL, where there is one, to the tables of packs with TOAST and indexes, after a plain VACUUM. The room
of rows that have been packed is told apart: it is used again, and must not grow with each dozen.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.databases import postgresql
from benchmarks.harness import median, pin, progress, report
from benchmarks.whole_calls import whole_calls
from domain.facts import AnyFact, call_id_of
from gateway.memory import settle
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.journal_reader import JournalReader
from gateway.storage.packer import DAY_S, JournalPacker

BAR_BYTES = 8000
LENGTHS = (60, 80, 100)
"""Utterances a call."""
ROUND = 12
"""Calls that are packed together: about as many as are in one pack."""
BAR_ROOM = 2.0
"""So many times what one dozen takes unpacked; three, where nothing is used again."""
PACKS = ("journal_packs", "journal_pack_calls")
_Call = list[AnyFact]


@dataclass
class Sizes:
    """Bytes."""

    packs: int
    room: int
    """Of the journal's rows, and free where some were."""
    database: int
    """All of it."""

    @property
    def rest(self) -> int:
        """What is not the journal's."""
        return self.database - self.packs - self.room


@dataclass
class Growth:
    """Bytes a call; milliseconds a call."""

    whole: float
    """Of the journal, each fact whole."""
    journal: float
    database: float
    room: float
    """Of rows that were packed, in the end: how many times what a round takes unpacked."""
    packing_ms: float
    reading_ms: float


async def measure(calls: int, lengths: Sequence[int]) -> bool:
    """Run it; whether the bar is met everywhere."""
    pin(0)
    figures: dict[str, Any] = {"calls": calls}
    grown: list[Growth] = []
    for written in (False, True):
        for length in lengths:
            name = f"{'written' if written else 'dialogues'}_{length}"
            progress(f"growth: making {calls} calls, {name}")
            made = list(whole_calls(calls, length, written=written))
            settle()
            figures[f"{name}_facts_a_call"] = sum(map(len, made)) / calls
            for kind, growth in (await on_each_database(made)).items():
                figures |= {f"{name}_{kind}_{key}": value for key, value in asdict(growth).items()}
                figures[f"{name}_{kind}_ratio"] = growth.journal / growth.whole
                grown.append(growth)
    figures["most_bytes_a_call"] = max(one.journal for one in grown)
    met = figures["most_bytes_a_call"] <= BAR_BYTES and all(one.room <= BAR_ROOM for one in grown)
    return report("growth", f"each journal <= {BAR_BYTES} bytes a call, its room stays", met, figures)


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
    """Record and pack them, a round at a time; the first rounds make the room that later ones use again."""
    database = Database(url)
    await database.upgrade()
    sizes: list[Sizes] = []
    empty, plain, took = await sizes_of(database), None, 0.0
    rounds = [calls[start : start + ROUND] for start in range(0, len(calls), ROUND)]
    for some in rounds:
        async with JournalWriter(database) as writer:
            for fact in (fact for call in some for fact in call):
                writer.put(fact)
            await writer.flush()
        plain = plain or await sizes_of(database)
        began = time.process_time()
        await JournalPacker(database, pause_share=0.0).pack_old(some[-1][-1].at + 2 * DAY_S)
        took += time.process_time() - began
        sizes.append(await sizes_of(database))
    await require_same(database, [fact for call in calls for fact in call])
    reading = await reading_ms(database, calls)
    await database.close()
    assert plain is not None
    first, later = sizes[0], sum(map(len, rounds[1:]))
    unpacked = plain.packs + plain.room - empty.packs - empty.room
    journal = (sizes[-1].packs - first.packs) / later
    return Growth(
        whole=unpacked / len(rounds[0]),
        journal=journal,
        database=journal + (sizes[-1].rest - first.rest) / later,
        room=sizes[-1].room / unpacked,
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


async def sizes_of(database: Database) -> Sizes:
    """After a plain VACUUM, where there is such a thing."""
    if database.sqlite:
        return await asyncio.to_thread(sizes_of_file, Path(str(database.url.database)))
    async with database.engine.connect() as connection:
        apart = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await apart.execute(text("VACUUM"))
        packs = " + ".join(f"pg_total_relation_size('{table}')" for table in PACKS)
        sizes = f"SELECT {packs}, pg_total_relation_size('journal'), pg_database_size(current_database())"
        return Sizes(*(await apart.execute(text(sizes))).one())


def sizes_of_file(path: Path) -> Sizes:
    """The same of an SQLite file: of what is in it, with and without the tables."""
    with tempfile.TemporaryDirectory() as directory:
        full, bare = Path(directory) / "full.db", Path(directory) / "bare.db"
        with sqlite3.connect(path) as connection:
            (page,) = connection.execute("PRAGMA page_size").fetchone()
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            for copy in (full, bare):
                connection.execute(f"VACUUM INTO '{copy}'")
        connection.close()
        packs = full.stat().st_size - without(bare, PACKS)
        journal = bare.stat().st_size - without(bare, ("journal",))
        return Sizes(packs, page * pages - full.stat().st_size + journal, page * pages)


def without(path: Path, tables: Sequence[str]) -> int:
    """Bytes of the file when those tables have been dropped."""
    with sqlite3.connect(path, isolation_level=None) as connection:
        for table in tables:
            connection.execute(f"DROP TABLE {table}")
        connection.execute("VACUUM")
    connection.close()
    return path.stat().st_size


def main(arguments: list[str] | None = None) -> bool:
    """`--calls`, `--utterances`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3 * ROUND)
    parser.add_argument("--utterances", type=int, nargs="+", default=LENGTHS)
    options = parser.parse_args(arguments)
    if options.calls < 3 * ROUND:
        parser.error(f"--calls: {3 * ROUND} or more, else nothing is added to what there is")
    return asyncio.run(measure(options.calls, options.utterances))


if __name__ == "__main__":
    raise SystemExit(not main())
