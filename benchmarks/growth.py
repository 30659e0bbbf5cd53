"""Bytes a call: what whole calls leave in the journal and in the database, packed, against each fact whole.

Calls with queue, ring, hold, transfer, and an order that is refilled with each utterance are recorded as a
gateway does; then everything is packed. Sizes are those of the SQLite file without room to spare, and of that
file without the journal.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path

from benchmarks.harness import pin, progress, report
from benchmarks.whole_calls import whole_calls
from domain.facts import AnyFact, call_id_of
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.journal_reader import JournalReader
from gateway.storage.packer import DAY_S, JournalPacker

BAR_BYTES = 8192
JOURNAL = ("journal", "journal_packs", "checkpoints")


async def measure(calls: int, utterances: int) -> bool:
    """Run it; whether the bar is met."""
    pin(0)
    progress(f"growth: making {calls} calls")
    made = list(whole_calls(calls, utterances))
    facts = [fact for one in made for fact in one]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hotline.db"
        database = Database(f"sqlite+aiosqlite:///{path}")
        await database.upgrade()
        empty = sizes(path)
        progress("growth: recording them")
        async with JournalWriter(database) as writer:
            for fact in facts:
                writer.put(fact)
            await writer.flush()
        plain = sizes(path)
        progress("growth: packing them")
        began = time.process_time()
        await JournalPacker(database, pause_share=0.0).pack_old(facts[-1].at + 2 * DAY_S)
        took = time.process_time() - began
        await require_same(database, facts)
        packed = sizes(path)
        await database.close()
    figures = {
        "calls": calls,
        "utterances_a_call": utterances,
        "facts_a_call": len(facts) / calls,
        "journal_whole_bytes_a_call": (plain[1] - empty[1]) / calls,
        "journal_bytes_a_call": (packed[1] - empty[1]) / calls,
        "database_whole_bytes_a_call": (plain[0] - empty[0]) / calls,
        "database_bytes_a_call": (packed[0] - empty[0]) / calls,
        "packing_ms_a_call": 1000 * took / calls,
    }
    figures["ratio"] = figures["journal_bytes_a_call"] / figures["journal_whole_bytes_a_call"]
    met = figures["journal_bytes_a_call"] <= BAR_BYTES
    return report("growth", f"journal <= {BAR_BYTES} bytes a call", met, figures)


async def require_same(database: Database, facts: list[AnyFact]) -> None:
    """Everything can still be read."""
    read = [fact async for fact in JournalReader(database).since(0.0)]
    if read != facts or not any(call_id_of(fact) is None for fact in read):
        raise RuntimeError("what was packed is not what was recorded")


def sizes(path: Path) -> tuple[int, int]:
    """Bytes of the database, and of the journal in it."""
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
        return whole.stat().st_size, whole.stat().st_size - rest.stat().st_size


def main(arguments: list[str] | None = None) -> bool:
    """`--calls`, `--utterances`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--utterances", type=int, default=80)
    options = parser.parse_args(arguments)
    return asyncio.run(measure(options.calls, options.utterances))


if __name__ == "__main__":
    raise SystemExit(not main())
