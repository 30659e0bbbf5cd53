"""A year of calls looked back at: searches against one plain statement, and an export that is not felt.

200,000 calls with orders and transcripts of some 400 characters (real messages, strung together). Bars: a
search of the whole year for a word nobody said takes at most three times what one plain `LIKE` over the
same texts takes; while all rows are exported, the event loop is never busy for 50 ms on end (processor time
of its thread: what else runs on the machine does not count).
"""

import argparse
import asyncio
import csv
import os
import random
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, text

from benchmarks.harness import median, percentile, report, rss_mib
from domain.calls import Call, CallState, Conversation, Direction, EndReason, Leg, Party, Side
from domain.history import CallFilter
from domain.lines import Line
from domain.orders import Evidence, FieldValue, Method, Order, OrderState
from domain.search import searchable, terms
from gateway.export import csv as csv_file
from gateway.export import tables
from gateway.export.tables import TableContext
from gateway.export.words import Words
from gateway.export.xlsx import XlsxFile
from gateway.storage.database import Database
from gateway.storage.history import HistoryRepository
from gateway.storage.rows import call_row, order_row, order_text_row
from gateway.storage.tables import call_texts, calls, order_texts, orders

MESSAGES = Path(__file__).resolve().parents[1] / "workorders" / "data" / "training" / "messages.tsv"
YEAR_S = 365 * 86_400.0
BEGIN = 1_735_660_800.0
TIMES_A_SCAN = 3.0
BUSY_S = 0.050
AGENTS = [str(1001 + number) for number in range(30)]
SEARCHES = {
    "one word, often said": CallFilter(terms=terms("小区")),
    "two words": CallFilter(terms=terms("电梯 物业")),
    "said once a year": CallFilter(terms=terms("独一无二的词")),
    "never said": CallFilter(terms=terms("从未说过的话")),
    "a number's end": CallFilter(number="00000077"),
    "one agent of thirty": CallFilter(agent="1007"),
    "an agent nobody is": CallFilter(agent="9999"),
}


def year(count: int) -> Iterator[tuple[Call, Order, str]]:
    """Calls of a year, oldest first, each with its order and what was said."""
    chance = random.Random(12345)
    with MESSAGES.open(encoding="utf-8", newline="") as file:
        messages = list(csv.DictReader(file, delimiter="\t"))
    for number in range(count):
        at = BEGIN + number * YEAR_S / count
        agent, message = chance.choice(AGENTS), chance.choice(messages)
        call = Call(
            id=f"main-{at:.3f}.{number}",
            pbx="main",
            linkedid=f"{at:.3f}.{number}",
            direction=Direction.INBOUND,
            state=CallState.ENDED,
            caller=Party(f"139{number:08d}", "来电人"),
            called="12345",
            started_at=at,
            line=chance.choice(("12345", "12345", "12345", "yiqilai", "shangxian")),
            queue="q12345",
            agent=agent,
            queued_at=at + 8,
            answered_at=at + 20,
            ended_at=at + 200,
            end_reason=EndReason.COMPLETED,
            legs=tuple(
                Leg(f"{at:.3f}.{leg}", f"PJSIP/{agent}-{leg:08x}", side, Party(agent), at, agent, at + 20)
                for leg, side in enumerate((Side.CALLER, Side.AGENT))
            ),
            conversations=(Conversation(agent, f"PJSIP/{agent}-00000001", at + 20, at + 200),),
        )
        fields = {
            name: FieldValue(
                value[:300],
                0.8,
                Method.RULE,
                (Evidence(f"{call.id}/caller/000", 0, 40, value[:40], 20.0, 40.0),),
            )
            for name, value in {
                "title": message["subject"],
                "summary": message["text"],
                "category": message["label"],
                "town": chance.choice(("刘桥镇", "川姜镇", "五接镇", "兴仁镇")),
                "unit": "住建局",
            }.items()
        }
        order = Order(
            f"{number:08d}-0000-5000-8000-000000000000",
            call.id,
            call.line or "",
            OrderState.DELIVERED,
            fields,
            at + 20,
            at + 201,
        )
        said = message["text"]
        while len(said) < 400:
            said += "\n" + chance.choice(messages)["text"]
        yield call, order, said[:500] + ("\n独一无二的词" if number == count // 7 else "")


async def fill(database: Database, count: int) -> None:
    """Put the year into an empty database."""
    batch: list[tuple[Call, Order, str]] = []

    async def put() -> None:
        async with database.writing() as connection:
            await connection.execute(insert(calls), [call_row(call) for call, _, _ in batch])
            await connection.execute(insert(orders), [order_row(order) for _, order, _ in batch])
            await connection.execute(insert(order_texts), [order_text_row(order) for _, order, _ in batch])
            await connection.execute(
                insert(call_texts),
                [{"call_id": call.id, "text": searchable(said.split("\n"))} for call, _, said in batch],
            )
        batch.clear()

    for one in year(count):
        batch.append(one)
        if len(batch) == 2000:
            await put()
    if batch:
        await put()


async def search(history: HistoryRepository, wanted: CallFilter) -> tuple[float, float, int]:
    """Seconds until the first page and until the end of the year, following `next`; how many were found."""
    began = time.monotonic()
    page = await history.find_calls(wanted, None, 50)
    first, found = time.monotonic() - began, len(page.items)
    pages = 1
    while page.next is not None and pages < 40:
        page = await history.find_calls(wanted, page.next, 50)
        found, pages = found + len(page.items), pages + 1
    return first, time.monotonic() - began, found


@asynccontextmanager
async def watched(late: list[float], busy: list[float]) -> AsyncIterator[None]:
    """Note every 5 ms how late the event loop is, and for how long its thread has computed meanwhile."""

    async def watch() -> None:
        while True:
            began, used = time.monotonic(), time.thread_time()
            await asyncio.sleep(0.005)
            late.append(time.monotonic() - began - 0.005)
            busy.append(time.thread_time() - used)

    task = asyncio.create_task(watch())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def export(history: HistoryRepository, form: str) -> dict[str, Any]:
    """All calls as a file, in the steps the HTTP API takes."""
    lines = [Line(id=line, name=line, numbers=(), queue=line) for line in ("12345", "yiqilai", "shangxian")]
    table = tables.calls(TableContext(lines, "Asia/Shanghai", {}, {}, Words()))
    late: list[float] = []
    busy: list[float] = []
    rows = size = 0
    before, began = rss_mib(), time.monotonic()
    async with watched(late, busy):
        with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as out:
            book = XlsxFile(out, table, Path(scratch)) if form == "xlsx" else None
            async for batch in history.every_call(CallFilter()):
                cells = await asyncio.to_thread(table.rows, batch)
                rows += len(cells)
                if book is None:
                    size += len(await asyncio.to_thread(csv_file.lines, cells))
                else:
                    await asyncio.to_thread(book.add, cells)
            if book is not None:
                await asyncio.to_thread(book.close)
                size = out.seek(0, 2)
    return {
        "rows": rows,
        "seconds": time.monotonic() - began,
        "mib": size / 2**20,
        "memory_mib": rss_mib() - before,
        "loop_late_p99_ms": 1000 * percentile(late, 0.99),
        "loop_late_max_ms": 1000 * max(late),
        "loop_busy_max_ms": 1000 * max(busy),
    }


async def measure(url: str, count: int, repetitions: int) -> bool:
    """Fill, search, export; whether the bars are met."""
    database = Database(url)
    await database.upgrade()
    began = time.monotonic()
    await fill(database, count)
    figures: dict[str, Any] = {"calls": count, "fill_s": time.monotonic() - began}
    if not database.sqlite:
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("VACUUM ANALYZE"))
    history = HistoryRepository(database)
    plain: list[float] = []
    for _ in range(repetitions):
        began = time.monotonic()
        async with database.reading() as connection:
            await connection.scalar(
                select(func.count()).select_from(call_texts).where(call_texts.c.text.like("%从未说过的话%"))
            )
        plain.append(time.monotonic() - began)
    figures["plain LIKE over all texts, s"] = median(plain)
    for name, wanted in SEARCHES.items():
        took = [await search(history, wanted) for _ in range(repetitions)]
        figures[f"{name}: first page, s"] = median([one[0] for one in took])
        if took[0][2] < 2000:
            figures[f"{name}: whole year, s"] = median([one[1] for one in took])
        figures[f"{name}: found"] = took[0][2]
    ratio = figures["never said: whole year, s"] / figures["plain LIKE over all texts, s"]
    figures["never said / plain LIKE"] = ratio
    busy = 0.0
    for form in ("csv", "xlsx"):
        one = await export(history, form)
        busy = max(busy, one["loop_busy_max_ms"] / 1000)
        figures.update({f"{form}: {key}": value for key, value in one.items()})
    figures["peak_rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    await database.close()
    bar = f"<= {TIMES_A_SCAN} x a plain LIKE; loop busy <= {BUSY_S * 1000:.0f} ms on end"
    name = "history" if database.sqlite else "history-postgresql"
    return report(name, bar, ratio <= TIMES_A_SCAN and busy <= BUSY_S, figures)


def main(arguments: list[str] | None = None) -> bool:
    """Run it; whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument(
        "--database",
        default=os.environ.get("HOTLINE_BENCH_DATABASE_URL", ""),
        help="empty database; default SQLite",
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        url = options.database or f"sqlite+aiosqlite:///{directory}/year.db"
        return asyncio.run(measure(url, options.calls, options.repetitions))


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
