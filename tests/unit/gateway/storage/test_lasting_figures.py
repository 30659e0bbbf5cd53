"""Figures that last, on both databases: counted as things happen, and anew, they are the same."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from alembic import command
from alembic.config import Config
from msgspec import structs
from sqlalchemy import Connection, delete, func, insert, select

from domain.facts import (
    AnyFact,
    CallEnded,
    CallFact,
    CallStarted,
    OrderChanged,
    OrderStatusTold,
    QueueEntryChanged,
)
from domain.history import CallFilter, OrderFilter
from domain.lines import Line
from domain.order_status import Step
from domain.orders import OrderState
from domain.reports.counting import Rules
from domain.reports.counts import COUNTS, Dimension, Kind, Selection
from domain.reports.periods import Grain, midnight, period_of
from domain.reports.report import By, ReportQuery
from gateway.storage.database import MIGRATIONS, Database
from gateway.storage.figure_tables import figure_changes, figure_items, figures
from gateway.storage.figures import FigureCounter
from gateway.storage.history import HistoryRepository
from gateway.storage.packer import DAY_S, JournalPacker
from gateway.storage.reports import ReportRepository
from gateway.storage.tables import journal, journal_packs
from tests.support.figures import a_day, tell
from tests.support.samples import call, order

ZONE = ZoneInfo("Asia/Shanghai")
RULES = Rules(
    lines=tuple(Line(id=one, name=one, numbers=(), queue=f"q{one}") for one in ("12345", "yiqilai"))
)
BEGIN = midnight(date(2025, 12, 28), ZONE)
NOW = midnight(date(2026, 2, 1), ZONE)


def counter(database: Database, now: float = NOW, rules: Rules = RULES) -> FigureCounter:
    return FigureCounter(database, rules, lambda: now)


async def everything(database: Database) -> tuple[list[Any], list[Any]]:
    """All sums and all that is behind them."""
    async with database.reading() as connection:
        kept = (await connection.execute(select(figures))).all()
        items = (await connection.execute(select(figure_items))).all()
    return sorted(map(tuple, kept)), sorted(map(tuple, items))


@pytest.mark.parametrize("seed", range(4))
async def test_counted_as_it_happens_and_anew_is_the_same(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    facts = [
        fact
        for day in range(8)
        for fact in a_day(chance, BEGIN + day * DAY_S, chance.randrange(0, 12), 100 * day)
    ]
    # What is told late is told after what came later; orders stay behind their calls.
    for _ in range(5):
        one = chance.randrange(len(facts))
        if isinstance(facts[one], QueueEntryChanged | CallEnded):
            facts.append(facts.pop(one))
    counting = counter(database)
    await counting.begin()
    while facts:
        size = chance.randrange(1, 30)
        some, facts = facts[:size], facts[size:]
        await tell(database, some)
        if chance.random() < 0.5:
            await counting.catch_up()
    await counting.catch_up()
    as_it_happened = await everything(database)
    assert as_it_happened[1]

    await counting.ask_for(None, None)
    await counting.catch_up()
    assert await everything(database) == as_it_happened

    # From nothing at all, it is the same again.
    async with database.writing() as connection:
        for table in (figures, figure_items, figure_changes):
            await connection.execute(delete(table))
    await counting.ask_for(None, None)
    await counting.catch_up()
    assert await everything(database) == as_it_happened
    assert await counting.waiting() == 0


def some_days(days: int = 8, seed: int = 7) -> list[AnyFact]:
    chance = random.Random(seed)
    return [fact for day in range(days) for fact in a_day(chance, BEGIN + day * DAY_S, 12, 100 * day)]


async def count(database: Database, facts: Sequence[AnyFact]) -> None:
    """Tell them and count them."""
    await tell(database, facts)
    await counter(database).ask_for(None, None)
    await counter(database).catch_up()


FACTS = some_days()


@pytest.fixture(scope="module")
def filled_url(shared_database_url: str) -> str:
    """Where `FACTS` are told and counted."""

    async def fill() -> None:
        database = Database(shared_database_url)
        await count(database, FACTS)
        await database.close()

    asyncio.run(fill())
    return shared_database_url


async def test_months_are_sums_of_days_and_days_of_hours(filled: Database) -> None:
    async with filled.reading() as connection:
        kept = (await connection.execute(select(figures))).mappings().all()
    sums: dict[tuple[str, Any], Counter[str]] = {}
    for row in kept:
        if row["dimension"] == "":
            for grain in Grain:
                if row["grain"] == {"day": "hour", "month": "day", "year": "month"}.get(grain, ""):
                    key = (grain.value, (period_of(grain, row["start"], ZONE)[0], row["line"]))
                    sums.setdefault(key, Counter()).update({name: row[name] for name in COUNTS})
    checked = 0
    for row in kept:
        if row["dimension"] == "" and row["grain"] != "hour":
            assert sums[(row["grain"], (row["start"], row["line"]))] == {name: row[name] for name in COUNTS}
            checked += 1
    assert checked > 8 and {row["start"] for row in kept if row["grain"] == "year"} == {
        midnight(date(year, 1, 1), ZONE) for year in (2025, 2026)
    }


async def test_a_report_is_the_same_however_its_rows_are_made(filled: Database) -> None:
    reports = ReportRepository(filled, "Asia/Shanghai")
    since, until = date(2025, 12, 29), date(2026, 1, 3)
    totals = {by: (await reports.report(ReportQuery(since, until, by))).total.counts for by in By}
    assert all(total == totals[By.DAY] for total in totals.values())
    start, end = midnight(since, ZONE), midnight(until, ZONE)
    calls_then = {
        one.call.id
        for one in FACTS
        if isinstance(one, CallFact) and start <= one.call.started_at < end and one.call.merged_into is None
    }
    entries_then = [
        one for one in FACTS if isinstance(one, QueueEntryChanged) and start <= one.entry.entered_at < end
    ]
    assert totals[By.YEAR]["calls"] == len(calls_then) > 10
    assert totals[By.YEAR]["offered"] == len(entries_then) > 10
    one_line = await reports.report(ReportQuery(since, until, By.AGENT, line="12345"))
    by_line = await reports.report(ReportQuery(since, until, By.LINE))
    assert one_line.total.counts == next(row.counts for row in by_line.rows if row.key == "12345")
    by_agent = await reports.report(ReportQuery(since, until, By.AGENT))
    theirs = next(row.counts for row in by_agent.rows if row.key == "1001")
    own = await reports.report(ReportQuery(since, until, By.DAY, dimension=Dimension.AGENT, value="1001"))
    assert own.total.counts == theirs and len(own.rows) == 5


async def test_what_is_told_late_counts_where_the_order_began(filled: Database) -> None:
    order = next(
        one.order
        for one in FACTS
        if isinstance(one, OrderChanged)
        and one.order.outcome_kind == "order"
        and one.order.state == "delivered"
        and one.order.withdrawn is None
        and not any(
            isinstance(other, OrderStatusTold) and other.status.order_id == one.order.id for other in FACTS
        )
    )
    reports = ReportRepository(filled, "Asia/Shanghai")
    before = await reports.report(ReportQuery(date(2025, 12, 1), date(2026, 12, 1), By.MONTH))
    closed = next(
        structs.replace(
            one, status=structs.replace(one.status, id="main/late", order_id=order.id, step=Step.CLOSED)
        )
        for one in FACTS
        if isinstance(one, OrderStatusTold)
    )
    late = structs.replace(closed, status=structs.replace(closed.status, at=order.created_at + 60 * DAY_S))
    await tell(filled, [late])
    assert await counter(filled).catch_up() == 1
    after = await reports.report(ReportQuery(date(2025, 12, 1), date(2026, 12, 1), By.MONTH))
    grown = {
        row.key: row.counts["closed"] - was.counts["closed"]
        for row, was in zip(after.rows, before.rows, strict=True)
    }
    began = period_of(Grain.MONTH, order.created_at, ZONE)[0]
    assert {key: grew for key, grew in grown.items() if grew} == {began: 1}
    # Told again, it is one.
    await tell(filled, [late])
    await counter(filled).catch_up()
    again = await reports.report(ReportQuery(date(2025, 12, 1), date(2026, 12, 1), By.MONTH))
    assert [row.counts for row in again.rows] == [row.counts for row in after.rows]


async def test_a_deadline_that_passes_counts_though_nothing_is_told(database: Database) -> None:
    chance = random.Random(3)
    facts = [fact for day in range(6) for fact in a_day(chance, BEGIN + day * DAY_S, 12, 100 * day)]
    early, late = BEGIN + 9 * DAY_S, BEGIN + 60 * DAY_S
    await tell(database, facts)
    await counter(database, early).begin()
    await counter(database, early).catch_up()
    sums = select(func.sum(figure_items.c.deadlines))
    async with database.reading() as connection:
        before = await connection.scalar(sums)
    await counter(database, late).catch_up()
    async with database.reading() as connection:
        after = await connection.scalar(sums)
    assert after > before
    as_it_passed = await everything(database)
    await counter(database, late).ask_for(None, None)
    await counter(database, late).catch_up()
    assert await everything(database) == as_it_passed


async def test_a_prune_loses_no_figure(filled: Database) -> None:
    before = await everything(filled)
    packer = JournalPacker(filled, pause_share=0.0)
    later = NOW + 500 * DAY_S
    await packer.pack_old(later)
    await packer.prune(later)
    async with filled.reading() as connection:
        left = await connection.scalar(
            select(func.count()).select_from(journal_packs).where(journal_packs.c.calls.is_not(None))
        )
        assert left == 0
        of_calls = select(func.count()).select_from(journal).where(journal.c.kind == "CallEnded")
        assert (await connection.scalar(of_calls) or 0) <= 1
    await counter(filled).ask_for(None, None)
    await counter(filled).catch_up()
    assert await everything(filled) == before


async def test_two_count_at_once_and_nothing_is_counted_twice(database: Database) -> None:
    chance = random.Random(11)
    facts = [fact for day in range(6) for fact in a_day(chance, BEGIN + day * DAY_S, 15, 100 * day)]
    await counter(database).begin()
    await tell(database, facts)
    await asyncio.gather(*(counter(database).catch_up() for _ in range(3)))
    await counter(database).catch_up()
    both = await everything(database)
    await counter(database).ask_for(None, None)
    await counter(database).catch_up()
    assert await everything(database) == both


async def test_other_rules_have_all_counted_anew(filled: Database) -> None:
    assert await counter(filled).begin() == 0
    strict = Rules(lines=tuple(structs.replace(line, service_level_s=1.0) for line in RULES.lines))
    reports = ReportRepository(filled, "Asia/Shanghai")
    everywhen = ReportQuery(date(2025, 12, 1), date(2026, 2, 1), By.YEAR)
    before = (await reports.report(everywhen)).total.counts
    again = counter(filled, rules=strict)
    assert await again.begin() > 8
    await again.catch_up()
    after = (await reports.report(everywhen)).total.counts
    assert after["answered"] == before["answered"] and after["answered_in_time"] < before["answered_in_time"]


async def test_a_call_of_no_time_and_one_that_cannot_be_read_hold_up_nobody(database: Database) -> None:
    await tell(
        database, [CallEnded(at=1.0, call=call(1, 1e300)), CallEnded(at=1.0, call=call(2, BEGIN + 10.0))]
    )
    async with database.writing() as connection:
        await connection.execute(insert(figure_changes), [{"kind": "call", "subject": "nobody"}])
    await counter(database).begin()
    await counter(database).catch_up()
    _, items = await everything(database)
    assert [one[0] for one in items] == ["main-2.1"]


async def test_behind_each_figure_stand_exactly_its_calls_and_orders(filled: Database) -> None:
    history, reports = HistoryRepository(filled), ReportRepository(filled, "Asia/Shanghai")
    since, until = date(2025, 12, 29), date(2026, 1, 3)
    start, end = float(midnight(since, ZONE)), float(midnight(until, ZONE))
    checked = 0
    for by in (By.LINE, By.AGENT, By.UNIT, By.CATEGORY, By.PLACE):
        made = await reports.report(ReportQuery(since, until, by))
        for row in made.rows:
            assert isinstance(row.key, str)
            line = row.key if by is By.LINE else None
            dimensions = {} if by.dimension is None else {by.dimension: row.key}
            for name, count in row.counts.items():
                selection = Selection(name, line, dimensions)
                if name.endswith("_ms"):
                    continue
                if COUNTS[name] is Kind.ORDER:
                    orders = OrderFilter(since=start, until=end, selection=selection)
                    found = [one.order.id async for page in history.every_order(orders) for one in page]
                    assert len(found) == count, (by, row.key, name)
                else:
                    calls = CallFilter(since=start, until=end, selection=selection)
                    found = [one.id async for page in history.every_call(calls) for one in page]
                    # Of a call with two waits both count.
                    exact = COUNTS[name] is Kind.CALL
                    assert len(found) == count if exact else len(found) <= count, (by, row.key, name)
                    assert bool(found) == bool(count)
                assert len(set(found)) == len(found)
                checked += bool(count)
    assert checked > 100


async def test_queue_entries_of_before_are_taken_out_of_the_journal(database: Database) -> None:
    """Also those that were packed long ago."""
    facts = some_days(3)
    await count(database, facts)
    before = await everything(database)
    packer = JournalPacker(database, pause_share=0.0)
    # A state of before comes first, and some are packed.
    await packer.pack_old(BEGIN + 1.5 * DAY_S)

    def down(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0016")

    async with database.engine.connect() as connection, database.rebuilding(connection):
        await connection.run_sync(down)
        await connection.commit()
    await database.upgrade()
    assert await counter(database).begin() >= 3
    await counter(database).catch_up()
    assert await everything(database) == before
    # What changes from now on is noted again.
    await tell(database, facts[:4])
    assert await counter(database).waiting() > 0


async def test_a_draft_that_changes_is_nothing_to_count(database: Database) -> None:
    await counter(database).begin()
    await counter(database).catch_up()
    going_on = structs.replace(call(1, BEGIN + 10.0), ended_at=None, end_reason=None)
    draft = order(going_on, 1, OrderState.DRAFT, title="路灯")
    await tell(database, [CallStarted(at=BEGIN, call=going_on)])
    await tell(database, [OrderChanged(at=BEGIN, order=draft, changed=()) for _ in range(5)])
    assert await counter(database).waiting() == 0


async def test_a_wait_that_becomes_another_calls_counts_once(database: Database) -> None:
    facts = some_days(2)
    await count(database, facts)
    before, _ = await everything(database)
    waited = next(one for one in facts if isinstance(one, QueueEntryChanged))
    moved = structs.replace(waited, entry=structs.replace(waited.entry, call_id="main-other.1"))
    await tell(database, [moved])
    await counter(database).catch_up()
    after, items = await everything(database)
    assert after == before and "main-other.1" in {one[0] for one in items}
    await counter(database).ask_for(None, None)
    await counter(database).catch_up()
    assert await everything(database) == (after, items)


async def test_in_another_time_zone_nothing_is_left_of_the_one_before(filled: Database) -> None:
    before = await everything(filled)
    reports = ReportRepository(filled, "Asia/Shanghai")
    everywhen = ReportQuery(date(2025, 12, 1), date(2026, 3, 1), By.MONTH)
    total = (await reports.report(everywhen)).total
    abroad = counter(filled, rules=structs.replace(RULES, timezone="America/New_York"))
    await abroad.begin()
    await abroad.catch_up()
    there = ReportRepository(filled, "America/New_York")
    assert (await there.report(everywhen)).total == total
    assert (await everything(filled))[0] != before[0]
    await counter(filled).begin()
    await counter(filled).catch_up()
    assert await everything(filled) == before
