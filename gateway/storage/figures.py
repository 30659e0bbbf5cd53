"""Counts figures that last: what has changed since the last time, or whole days anew, to the same numbers.

What is to be counted stands in `figure_changes`, put there by triggers in the transaction of the change.
A pass reads changes, reads and counts what they are about, and then, in one transaction, takes these changes
away, replaces what the subjects counted for, and adds up the periods that are touched. What changes meanwhile
stands behind in `figure_changes`, and is counted by the next pass.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import BigInteger, ColumnElement, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.reports.counting import Rules, plausible
from domain.reports.counts import COUNTS, Dimension, Item
from domain.reports.periods import Grain, day_at, midnight, period_of
from gateway.storage.database import Database
from gateway.storage.figure_sources import FigureSources, Subjects, chunks
from gateway.storage.figure_tables import figure_changes, figure_items, figure_state, figures
from gateway.storage.rows import Prepared
from gateway.storage.tables import calls, orders, queue_entries

log = structlog.get_logger(__name__)

VERSION = 2
"""Of the counting: with a new one everything is counted anew."""
CHANGES_AT_ONCE = 200
_STATE = "counting"
_SUMS = [func.sum(figure_items.c[name]).label(name) for name in COUNTS]
_ITEM_COLUMNS = [column.name for column in figure_items.c]
OnProgress = Callable[[int], None]
"""Called with how many changes wait still."""


class _Pass(Struct, frozen=True):
    """Changes that are counted together."""

    seqs: Sequence[int]
    subjects: Subjects = Subjects()
    days: tuple[int, int] | None = None
    """Whole days in a row, [start, end)."""
    months: frozenset[int] = frozenset()


class _Sum(Struct, frozen=True):
    """One kind of sums over items: by line, and by what else."""

    dimension: str
    grain: Grain
    start: ColumnElement[Any]
    value: ColumnElement[Any]
    by: Sequence[ColumnElement[Any]]


class _TakenError(Exception):
    """Somebody else has counted the changes."""


class FigureCounter:
    """Several may count in one database: whoever comes second finds nothing to do."""

    def __init__(
        self,
        database: Database,
        rules: Rules,
        clock: Callable[[], float] = time.time,
        *,
        days_at_once: int = 2,
    ) -> None:
        """`days_at_once`: in one transaction, where whole days are counted; others wait for it to write."""
        self._database = database
        self._days_at_once = days_at_once
        self._rules = rules
        self._zone = ZoneInfo(rules.timezone)
        self._clock = clock
        self._put = Prepared(database, insert(figure_items), _ITEM_COLUMNS)
        made_of = msgspec.json.encode([VERSION, rules])
        self._made_of = hashlib.sha256(made_of).hexdigest()

    # -- what is to be counted -------------------------------------------------------------------------
    async def begin(self) -> int:
        """Have everything counted anew if it was counted by other rules; how many days."""
        async with self._database.reading() as connection:
            known = await connection.scalar(
                select(figure_state.c.made_of).where(figure_state.c.name == _STATE)
            )
        if known == self._made_of:
            return 0
        return await self.ask_for(None, None)

    async def ask_for(self, since: date | None, until: date | None) -> int:
        """Have the days [since, until) counted anew; how many. `None`: from the first, to the last of all."""
        whole = since is None and until is None
        since, until = await self._bounds(since, until)
        days = []
        while since < until:
            days.append({"kind": "day", "subject": str(midnight(since, self._zone))})
            since += timedelta(days=1)
        async with self._database.writing() as connection:
            await self._lock(connection)
            for some in chunks(days, 1000):
                await connection.execute(insert(figure_changes), list(some))
            if whole:
                done = update(figure_state).where(figure_state.c.name == _STATE)
                await connection.execute(done.values(made_of=self._made_of))
        return len(days)

    async def waiting(self) -> int:
        """How many changes are to be counted."""
        async with self._database.reading() as connection:
            return await connection.scalar(select(func.count()).select_from(figure_changes)) or 0

    async def _bounds(self, since: date | None, until: date | None) -> tuple[date, date]:
        ends = (calls.c.started_at, orders.c.created_at, queue_entries.c.entered_at, figure_items.c.at)
        async with self._database.reading() as connection:
            # Where a clock was wrong, 1970 is not the first day of all.
            first = [
                await connection.scalar(select(func.min(one)).where(one > 86_400.0 * 365)) for one in ends
            ]
            last = [await connection.scalar(select(func.max(one))) for one in ends]
        known = [one for one in first if one is not None and plausible(one)]
        known_last = [one for one in last if one is not None and plausible(one)] or [0.0]
        now = self._clock()
        # A day more: in another time zone the first day may have begun before.
        since = since or day_at(min([*known, now]), self._zone) - timedelta(days=1)
        latest = min(max(known_last), now + 366 * 86_400.0)
        return since, until or day_at(max(latest, now), self._zone) + timedelta(days=1)

    # -- counting --------------------------------------------------------------------------------------
    async def catch_up(self, progress: OnProgress = lambda _: None, pause_share: float = 0.0) -> int:
        """Count all that waits; how many changes. `pause_share`: rests so many times as long as it works."""
        done = 0
        await self._watch_deadlines()
        while True:
            began = time.monotonic()
            counted = await self._count_some()
            if counted is None:
                return done
            done += counted
            progress(done)
            await asyncio.sleep((time.monotonic() - began) * pause_share)

    async def _watch_deadlines(self) -> None:
        """An order whose deadline passes counts differently though nothing was told of it."""
        passed = select(literal("order"), figure_items.c.subject).where(
            figure_items.c.recount_at < self._clock()
        )
        async with self._database.reading() as connection:
            if (await connection.execute(passed.limit(1))).first() is None:
                return
        async with self._database.writing() as connection:
            await connection.execute(insert(figure_changes).from_select(["kind", "subject"], passed))

    async def _count_some(self) -> int | None:
        """Count the oldest changes; `None`: there are none. 0 where somebody else has counted them."""
        now = self._clock()
        async with self._database.reading(snapshot=True) as connection:
            one = await self._next(connection)
            if one is None:
                return None
            sources = FigureSources(connection, self._rules, now)
            subjects, items = one.subjects, list[Item]()
            if one.days is not None:
                items = await sources.between(*one.days)
            elif not one.months:
                subjects = await sources.touched(subjects)
                items = await sources.of_subjects(subjects)
        try:
            async with self._database.writing() as connection:
                await self._lock(connection)
                await self._take(connection, one.seqs)
                await self._replace(connection, one, subjects, items)
        except _TakenError:
            return 0
        return len(one.seqs)

    async def _next(self, connection: AsyncConnection) -> _Pass | None:
        c = figure_changes.c
        rows = (await connection.execute(select(figure_changes).order_by(c.seq).limit(CHANGES_AT_ONCE))).all()
        if not rows:
            return None
        if rows[0].kind == "day":
            return self._whole_days([(row.seq, int(row.subject)) for row in rows if row.kind == "day"])
        if rows[0].kind == "month":
            asked = [row for row in rows if row.kind == "month"]
            return _Pass([row.seq for row in asked], months=frozenset(int(row.subject) for row in asked))
        some = [row for row in rows if row.kind not in ("day", "month")]
        wanted = {
            kind: frozenset(row.subject for row in some if row.kind == kind)
            for kind in ("call", "order", "entry")
        }
        return _Pass([row.seq for row in some], Subjects(wanted["call"], wanted["order"], wanted["entry"]))

    def _whole_days(self, asked: Sequence[tuple[int, int]]) -> _Pass:
        """The first of them, and those that follow it without a gap."""
        (first, start), *others = asked
        seqs, end = [first], self._day_of(start)[1]
        for seq, day in others:
            if day != end or len(seqs) >= self._days_at_once:
                break
            seqs.append(seq)
            end = self._day_of(day)[1]
        return _Pass(seqs, days=(start, end))

    async def _take(self, connection: AsyncConnection, seqs: Sequence[int]) -> None:
        gone = await connection.execute(delete(figure_changes).where(figure_changes.c.seq.in_(seqs)))
        if gone.rowcount != len(seqs):
            raise _TakenError

    async def _replace(
        self, connection: AsyncConnection, one: _Pass, subjects: Subjects, items: Sequence[Item]
    ) -> None:
        if one.months:
            await self._add_up_months(connection, one.months)
            return
        rows = await asyncio.to_thread(lambda: [_row(item, self._zone) for item in items])
        days = {row["day"] for row in rows}
        which = [("call", subjects.calls), ("order", subjects.orders), ("entry", subjects.entries)]
        if one.days is not None:
            start, end = one.days
            within = (figure_items.c.at >= start) & (figure_items.c.at < end)
            await connection.execute(delete(figure_items).where(within))
            # What stands under another day, as its time was another one. An entry's time is part of its key.
            which = [
                (kind, frozenset(item.subject for item in items if item.kind == kind))
                for kind in ("call", "order")
            ]
        for kind, ids in which:
            for some in chunks(sorted(ids), 500):
                own = (figure_items.c.kind == kind) & figure_items.c.subject.in_(some)
                gone = delete(figure_items).where(own).returning(figure_items.c.day)
                days.update(await connection.scalars(gone))
        if rows:
            await self._put.many(connection, rows)
        if one.days is not None:
            await self._add_up_days(connection, *one.days)
        for start, end in self._runs(days, one.days):
            await self._add_up_days(connection, start, end)
        months = frozenset(period_of(Grain.MONTH, day, self._zone)[0] for day in days)
        if one.days is None:
            await self._add_up_months(connection, months)
            return
        # Once for all the days that are counted one after the other.
        months |= {period_of(Grain.MONTH, at, self._zone)[0] for at in (one.days[0], one.days[1] - 1)}
        asked = [{"kind": "month", "subject": str(month)} for month in sorted(months)]
        await connection.execute(insert(figure_changes), asked)

    def _runs(self, days: Iterable[int], but: tuple[int, int] | None) -> list[tuple[int, int]]:
        """Days in a row, [start, end) each; none of those in `but`."""
        runs: list[tuple[int, int]] = []
        for day in sorted(days):
            if but is not None and but[0] <= day < but[1]:
                continue
            start = runs.pop()[0] if runs and runs[-1][1] == day else day
            runs.append((start, self._day_of(day)[1]))
        return runs

    # -- adding up -------------------------------------------------------------------------------------
    async def _add_up_days(self, connection: AsyncConnection, start: int, end: int) -> None:
        c = figure_items.c
        within = (c.at >= start) & (c.at < end)
        await connection.execute(
            delete(figures).where(
                figures.c.dimension.in_(_DIMENSIONS),
                figures.c.grain.in_((Grain.HOUR.value, Grain.DAY.value)),
                figures.c.start >= start,
                figures.c.start < end,
            )
        )
        none = literal("")
        await self._sum(connection, _Sum("", Grain.HOUR, c.hour, none, [c.hour]), within)
        await self._sum(connection, _Sum("", Grain.DAY, c.day, none, [c.day]), within)
        for one in Dimension:
            own = c[one.value]
            await self._sum(connection, _Sum(one.value, Grain.DAY, c.day, own, [c.day, own]), within)

    async def _sum(self, connection: AsyncConnection, one: "_Sum", which: ColumnElement[bool]) -> None:
        sums = select(
            literal(one.dimension).label("dimension"),
            literal(one.grain.value).label("grain"),
            one.start.label("start"),
            figure_items.c.line,
            one.value.label("value"),
            *_SUMS,
        )
        grouped = sums.where(which).group_by(figure_items.c.line, *one.by)
        await connection.execute(insert(figures).from_select([*_KEY, *COUNTS], grouped))

    async def _add_up_months(self, connection: AsyncConnection, months: Iterable[int]) -> None:
        years = set()
        for month in sorted(set(months)):
            await self._add_up(connection, Grain.MONTH, Grain.DAY, *period_of(Grain.MONTH, month, self._zone))
            years.add(period_of(Grain.YEAR, month, self._zone))
        for year in sorted(years):
            await self._add_up(connection, Grain.YEAR, Grain.MONTH, *year)

    async def _add_up(
        self, connection: AsyncConnection, grain: Grain, of: Grain, start: int, end: int
    ) -> None:
        c = figures.c
        for dimension in _DIMENSIONS:
            # Also what began at another moment, as days began in another time zone.
            own = (c.dimension == dimension, c.grain == grain.value, c.start >= start, c.start < end)
            await connection.execute(delete(figures).where(*own))
            parts = (c.dimension == dimension, c.grain == of.value, c.start >= start, c.start < end)
            sums = select(
                c.dimension,
                literal(grain.value).label("grain"),
                literal(start, BigInteger).label("start"),
                c.line,
                c.value,
                *(func.sum(c[name]).label(name) for name in COUNTS),
            )
            grouped = sums.where(*parts).group_by(c.dimension, c.line, c.value)
            await connection.execute(insert(figures).from_select([*_KEY, *COUNTS], grouped))

    # -- small things ----------------------------------------------------------------------------------
    async def _lock(self, connection: AsyncConnection) -> None:
        """One counts at a time. On SQLite whoever writes is alone anyway."""
        held = select(figure_state.c.name).where(figure_state.c.name == _STATE).with_for_update()
        await connection.execute(held)

    def _day_of(self, at: float) -> tuple[int, int]:
        return period_of(Grain.DAY, at, self._zone)


_DIMENSIONS = ("", *(one.value for one in Dimension))
_QUARTER_S = 900
_NOTHING = dict.fromkeys(COUNTS, 0)
_KEY = ("dimension", "grain", "start", "line", "value")


@lru_cache(maxsize=50_000)
def _hour_and_day(quarter: int, zone: ZoneInfo) -> tuple[int, int]:
    """When hour and day begin of a quarter of an hour: no zone's hours begin within one."""
    at = quarter * _QUARTER_S
    return period_of(Grain.HOUR, at, zone)[0], period_of(Grain.DAY, at, zone)[0]


def _row(item: Item, zone: ZoneInfo) -> dict[str, Any]:
    hour, day = _hour_and_day(int(item.at // _QUARTER_S), zone)
    return {
        "subject": item.subject,
        "kind": item.kind.value,
        "part": item.part,
        "at": item.at,
        "hour": hour,
        "day": day,
        "line": item.line,
        "agent": item.agent,
        "unit": item.unit,
        "place": item.place,
        "category": item.category,
        "source": item.source,
        "recount_at": item.recount_at,
        **_NOTHING,
        **item.counts,
    }
