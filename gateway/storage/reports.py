"""Reports, out of the sums that are kept; and which calls and orders stand behind a figure."""

import asyncio
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select

from domain.reports.counts import COUNTS, Dimension, Kind, Selection
from domain.reports.hotspots import FEWEST_WEEKS, WEEKS, Hotspot, Pair, hotspots
from domain.reports.periods import Grain, Span, period_of, spans, starts
from domain.reports.report import By, Report, ReportQuery, added, report_of
from gateway.storage.database import Database
from gateway.storage.figure_tables import figure_items, figures

WEEK_S = 7 * 86_400.0


class ReportRepository:
    """Reads reports: a handful of years, months and days, however long the range is."""

    def __init__(self, database: Database, timezone: str) -> None:
        self._database = database
        self._zone = ZoneInfo(timezone)

    async def report(self, query: ReportQuery) -> Report:
        """The report.

        Raises:
            ValueError: there are no figures of what is asked (`ReportQuery.is_countable`).
        """
        if not query.is_countable:
            raise ValueError("figures are kept by one dimension at a time")
        grain = query.by.grain
        dimension = query.by.dimension or query.dimension
        whole = spans(query.since, query.until, self._zone, grain or Grain.YEAR)
        key = _key_of(query.by)
        sums = [func.sum(figures.c[name]).label(name) for name in COUNTS]
        statement = select(key.label("key"), *sums).where(*_which(query, dimension, whole)).group_by(key)
        async with self._database.reading() as connection:
            rows = (await connection.execute(statement)).all() if whole else []
        # Hours of years are tens of thousands of rows: not on the event loop.
        return await asyncio.to_thread(self._folded, query, rows)

    def _folded(self, query: ReportQuery, rows: Sequence[Row[Any]]) -> Report:
        grain = query.by.grain
        counted: dict[str | int, dict[str, int]] = {}
        if grain is not None and grain is not Grain.HOUR:
            # Where nothing happened, that is what there is to show.
            counted = {start: {} for start in starts(grain, query.since, query.until, self._zone)}
        for row in rows:
            of, counts = row[0], dict(zip(COUNTS, map(int, row[1:]), strict=True))
            if grain in (Grain.MONTH, Grain.YEAR):
                # Of the first and the last, there may be days alone.
                of = period_of(grain, of, self._zone)[0]
                counts = added([counted[of], counts])
            counted[of] = counts
        nothing = dict.fromkeys(COUNTS, 0)
        return report_of(query, {of: counts or nothing for of, counts in counted.items()})

    async def hotspots(self, until: float, hours: float) -> list[Hotspot]:
        """What rises in a place in the hours before `until`, against the same hours of the weeks before."""
        c, span = figure_items.c, hours * 3600.0
        orders = (c.kind == Kind.ORDER.value, c.concluded > 0)
        windows: list[dict[Pair, int]] = []
        async with self._database.reading(snapshot=True) as connection:
            first = await connection.scalar(select(func.min(c.at)).where(c.at > 0))
            for week in range(WEEKS + 1):
                end = until - week * WEEK_S
                if first is None or end - span < first:
                    break  # before that, nobody counted: it is no week without orders
                counted = select(c.place, c.category, func.count().label("count")).where(
                    *orders, c.at >= end - span, c.at < end
                )
                rows = await connection.execute(counted.group_by(c.place, c.category))
                windows.append({(row.place, row.category): int(row[2]) for row in rows})
        if len(windows) <= FEWEST_WEEKS:
            return []
        return hotspots(windows[0], windows[1:])


def selected(
    selection: Selection, subject: ColumnElement[str], since: float | None, until: float | None
) -> ColumnElement[bool]:
    """Whether the call or order of that id is behind the figure, counted in [since, until)."""
    c = figure_items.c
    which = [c.subject == subject, c.kind == COUNTS[selection.count].value, c[selection.count] > 0]
    if since is not None:
        which.append(c.at >= since)
    if until is not None:
        which.append(c.at < until)
    if selection.line is not None:
        which.append(c.line == selection.line)
    which += [c[name.value] == value for name, value in selection.dimensions.items()]
    return exists().where(*which)


def _key_of(by: By) -> Any:
    if by.grain is not None:
        return figures.c.start
    return figures.c.line if by is By.LINE else figures.c.value


def _which(query: ReportQuery, dimension: Dimension | None, whole: list[Span]) -> list[ColumnElement[bool]]:
    c, kept = figures.c, dimension.value if dimension is not None else ""
    # Each part names the beginning of the key: the database looks it up for each.
    parts = [
        and_(c.dimension == kept, c.grain == one.grain.value, c.start >= one.start, c.start < one.end)
        for one in whole
    ]
    which: list[ColumnElement[bool]] = [or_(*parts)]
    if query.line is not None:
        which.append(c.line == query.line)
    if query.dimension is not None:
        which.append(c.value == query.value)
    return which
