"""Years of figures that last: how long reports take, and how long counting a year anew.

Five years of 195,000 calls a year, each with its queue entry, nearly all with an order, three things told
of every order that was handed over. Bars, on SQLite: the slowest report takes at most 2 s, a year is counted
anew in at most 60 s.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import structs
from sqlalchemy import delete, insert, text

from benchmarks.harness import report
from benchmarks.history import AGENTS, year
from domain.calls import Call, EndReason, Party
from domain.lines import Line
from domain.order_status import OrderStatus, Step
from domain.orders import FieldValue, Method, Order, OrderState
from domain.outcomes import ANSWERED, INVALID, ORDER, CallOutcome
from domain.queues import QueueEntry, QueueOutcome
from domain.reports.counting import Rules
from domain.reports.counts import Dimension
from domain.reports.periods import midnight
from domain.reports.report import By, ReportQuery
from gateway.cli.figures import DAYS_AT_ONCE
from gateway.storage.database import Database
from gateway.storage.figure_tables import figure_changes, figure_items, figures
from gateway.storage.figures import FigureCounter
from gateway.storage.reports import ReportRepository
from gateway.storage.rows import call_row, order_row, order_text_row, queue_entry_row
from gateway.storage.tables import calls, order_statuses, order_texts, orders, queue_entries

FIRST = date(2021, 1, 1)
DAY_S = 86_400.0
REPORT_S, REBUILD_S = 2.0, 60.0
ZONE = ZoneInfo("Asia/Shanghai")
LINES = ("12345", "yiqilai", "shangxian")
RULES = Rules(lines=tuple(Line(id=one, name=one, numbers=(), queue=f"q{one}") for one in LINES))
UNITS = [f"区第{number}局" for number in range(60)]
TOWNS = [f"镇街{number}" for number in range(25)]
AT_ONCE = 2000


def everything(years: int, a_year: int) -> Iterator[tuple[Call, QueueEntry, Order | None, list[OrderStatus]]]:
    """Calls of some years, oldest first, with all that follows."""
    chance = random.Random(12345)
    span = years * 365.25 * DAY_S
    count = years * a_year
    samples = [(call, order) for call, order, _ in year(2000)]
    begin = midnight(FIRST, ZONE)
    for number in range(count):
        call, order = samples[number % len(samples)]
        at = begin + number * span / count
        moved = at - call.started_at
        answered = chance.random() < 0.97
        linkedid = f"{at:.3f}.{number}"
        agent = chance.choice(AGENTS) if answered else None
        talks = tuple(
            structs.replace(one, agent=agent, started_at=one.started_at + moved, ended_at=at + 200)
            for one in call.conversations
        )
        call = structs.replace(
            call,
            id=f"main-{linkedid}",
            linkedid=linkedid,
            # A third of the callers call again and again.
            caller=Party(f"139{chance.randrange(3_000 if chance.random() < 0.3 else 90_000_000):08d}"),
            started_at=at,
            queued_at=at + 8,
            answered_at=at + 20 if answered else None,
            ended_at=at + 200,
            agent=agent,
            conversations=talks if answered else (),
            end_reason=EndReason.COMPLETED if answered else EndReason.ABANDONED_QUEUE,
            legs=tuple(structs.replace(leg, created_at=at) for leg in call.legs),
        )
        entry = QueueEntry(
            "main", f"q{call.line}", call.line, call.id, linkedid, at + 8,
            QueueOutcome.ANSWERED if answered else QueueOutcome.ABANDONED, at + 20,
            waited=float(chance.randrange(25)), agent=agent, talked=180.0,
        )  # fmt: skip
        made, told = None, list[OrderStatus]()
        if answered:
            made = _order(chance, number, order, call)
            told = _told(chance, made)
        yield call, entry, made, told


def _order(chance: random.Random, number: int, sample: Order, of: Call) -> Order:
    kind = chance.choices((ORDER, ANSWERED, INVALID), (4, 5, 1))[0]
    own = {"town": chance.choice(TOWNS), "unit": chance.choice(UNITS)}
    fields = {name: FieldValue(value, 0.9, Method.RULE) for name, value in own.items()}
    return structs.replace(
        sample,
        id=f"{number:08d}-0000-5000-8000-000000000000",
        call_id=of.id,
        line=of.line or "",
        created_at=of.started_at + 20,
        updated_at=of.started_at + 220,
        submitted_at=None if kind == INVALID else of.started_at + 220,
        state=OrderState.DROPPED if kind == INVALID else OrderState.DELIVERED,
        outcome=CallOutcome(kind, of.started_at + 220),
        fields={**sample.fields, **fields},
    )


def _told(chance: random.Random, of: Order) -> list[OrderStatus]:
    if of.outcome is None or of.outcome.kind != ORDER:
        return []
    steps = (Step.SIGNED, Step.CLOSED, Step.VISITED)
    return [
        OrderStatus(
            f"main/{of.id}/{step}", of.id, "main", step, of.created_at + days * DAY_S, of.created_at,
            deadline=of.created_at + 5 * DAY_S if step is Step.SIGNED else None,
            text=chance.choice(("满意", "满意", "不满意")),
        )
        for days, step in zip((1, chance.randrange(2, 8), 10), steps, strict=True)
    ]  # fmt: skip


async def fill(database: Database, years: int, a_year: int) -> None:
    """Put it all into an empty database; what is to be counted is asked for afterwards, as a whole."""
    rows: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (calls, queue_entries, orders, order_texts, order_statuses)
    }

    async def put() -> None:
        async with database.writing() as connection:
            for table, some in rows.items():
                if some:
                    await connection.execute(insert(table), some)
                some.clear()
            await connection.execute(delete(figure_changes))

    for call, entry, order, told in everything(years, a_year):
        rows[calls].append(call_row(call))
        rows[queue_entries].append(queue_entry_row(entry))
        if order is not None:
            rows[orders].append(order_row(order))
            rows[order_texts].append(order_text_row(order))
        rows[order_statuses] += [
            {"id": one.id, "order_id": one.order_id, "step": one.step.value, "at": one.at,
             "received_at": one.received_at, "stamp": 1, "digest": "", "data": _json(one)}
            for one in told
        ]  # fmt: skip
        if len(rows[calls]) >= AT_ONCE:
            await put()
    await put()


def _json(one: OrderStatus) -> str:
    return msgspec.json.encode(one).decode()


async def reports_of(database: Database, years: int) -> dict[str, float]:
    """Seconds of each report of the whole time, and of one that begins and ends in the middle of months."""
    reports = ReportRepository(database, "Asia/Shanghai")
    whole = (FIRST, date(FIRST.year + years, 1, 1))
    odd = (date(FIRST.year, 1, 17), date(FIRST.year + years - 1, 12, 12))
    took: dict[str, float] = {}
    for by in By:
        for name, (since, until) in (("whole years", whole), ("odd days", odd)):
            began = time.monotonic()
            made = await reports.report(ReportQuery(since, until, by))
            took[f"by {by}, {name}, {len(made.rows)} rows"] = time.monotonic() - began
    for by in (By.DAY, By.MONTH):
        began = time.monotonic()
        await reports.report(ReportQuery(*whole, by, line="12345", dimension=Dimension.UNIT, value=UNITS[7]))
        took[f"by {by}, one line, one unit"] = time.monotonic() - began
    return took


async def measure(url: str, years: int, a_year: int) -> bool:
    """Fill, count, report, count a year anew; whether the bars are met."""
    database = Database(url)
    await database.upgrade()
    began = time.monotonic()
    await fill(database, years, a_year)
    told: dict[str, Any] = {"years": years, "calls a year": a_year, "fill_s": time.monotonic() - began}
    counter = FigureCounter(database, RULES, days_at_once=DAYS_AT_ONCE)
    began = time.monotonic()
    await counter.begin()
    await counter.catch_up()
    told["all counted, s"] = time.monotonic() - began
    if not database.sqlite:
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("VACUUM ANALYZE"))
    took = await reports_of(database, years)
    told |= {f"report {name}, s": seconds for name, seconds in took.items()}
    began = time.monotonic()
    await counter.ask_for(date(FIRST.year + years - 1, 1, 1), date(FIRST.year + years, 1, 1))
    await counter.catch_up()
    told["a year counted anew, s"] = rebuilt = time.monotonic() - began
    told["slowest report, s"] = slowest = max(took.values())
    if database.sqlite:
        told |= await sizes(database)
    await database.close()
    bar = f"any report <= {REPORT_S:g} s; a year counted anew <= {REBUILD_S:g} s"
    name = "lasting_figures" if database.sqlite else "lasting_figures-postgresql"
    return report(name, bar, slowest <= REPORT_S and rebuilt <= REBUILD_S, told)


async def sizes(database: Database) -> dict[str, float]:
    """MiB of the tables of figures, and of all."""
    query = "SELECT name, SUM(pgsize) / 1048576.0 FROM dbstat GROUP BY name"
    async with database.reading() as connection:
        try:
            found = {row[0]: float(row[1]) for row in await connection.execute(text(query))}
        except Exception:  # SQLite was built without dbstat
            return {}
    own = {table.name for table in (figures, figure_items)}
    return {
        "figures, MiB": sum(size for name, size in found.items() if name == "figures"),
        "items, MiB": sum(size for name, size in found.items() if "figure_items" in name),
        "all else, MiB": sum(size for name, size in found.items() if name not in own),
    }


def main(arguments: list[str] | None = None) -> bool:
    """Run it; whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--calls", type=int, default=195_000, help="a year")
    parser.add_argument("--database", default="", help="empty database; default SQLite")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        url = options.database or f"sqlite+aiosqlite:///{Path(directory) / 'years.db'}"
        return asyncio.run(measure(url, options.years, options.calls))


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
