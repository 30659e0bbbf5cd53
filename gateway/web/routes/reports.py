"""Reports: figures of a range of days, by line, agent, unit, place, category, source or time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response
from msgspec import Struct

from agents.accounts.identity import Identity, Permission
from domain.reports.counts import Dimension
from domain.reports.hotspots import Hotspot
from domain.reports.report import By, Report, ReportQuery, ReportRow
from gateway.export import reports as files
from gateway.export.cells import AnyTable
from gateway.export.tables import TableContext
from gateway.export.words import Language
from gateway.web.access import Access
from gateway.web.answers import Refused, json
from gateway.web.auditing import Note
from gateway.web.contract import answers
from gateway.web.exports import Exporter, ExportRequest, once
from gateway.web.history_query import known, restricted_to

FIRST, LAST = date(1990, 1, 1), date(2200, 1, 1)
Value = Annotated[str | None, Query(max_length=200)]


class ReportAnswer(Struct, frozen=True, rename={"since": "from", "until": "to"}):
    """Figures of a range of days."""

    since: str
    until: str
    """The last day, included."""
    by: str
    line: str | None
    rows: list[ReportRow]
    total: ReportRow
    waiting: int
    """Changes that are not counted yet."""


class HotspotList(Struct, frozen=True):
    """What rises in a place."""

    since: float
    until: float
    items: list[Hotspot]


ROW = ReportRow("12345", {"offered": 120, "due": 118, "answered": 116}, {"connection_rate": 0.983})
REPORT = ReportAnswer("2026-11-01", "2026-11-30", "line", None, [ROW], ROW, 0)
HOTSPOTS = HotspotList(1_795_910_400.0, 1_795_996_800.0, [Hotspot("刘桥镇", "市政公用", 14, 2.1, 0.0004)])
REFUSES = {422: ("report_days", "report_two_dimensions")}


class Reports(Protocol):
    """Port: reports."""

    async def report(self, query: ReportQuery) -> Report: ...

    async def hotspots(self, until: float, hours: float) -> Sequence[Hotspot]:
        """What rises in a place, the least likely to be chance first."""
        ...


class RangeQuery:
    """A FastAPI dependency: which report."""

    def __init__(
        self,
        since: Annotated[date, Query(alias="from", description="first day")],
        until: Annotated[date, Query(alias="to", description="last day, included")],
        by: By = By.DAY,
        line: Value = None,
        agent: Value = None,
        unit: Value = None,
        place: Value = None,
        category: Value = None,
        source: Value = None,
    ) -> None:
        self._days = since, until
        self._by = by
        self._line = line
        given = {
            Dimension.AGENT: agent,
            Dimension.UNIT: unit,
            Dimension.PLACE: place,
            Dimension.CATEGORY: category,
            Dimension.SOURCE: source,
        }
        self._given = {name: known(value) for name, value in given.items() if value}
        self.told = {"from": str(since), "to": str(until), "by": by.value, "line": line or ""}
        self.told |= {name.value: value for name, value in given.items() if value}

    def query(self, who: Identity) -> ReportQuery:
        """What is asked for: an agent's own alone.

        Raises:
            Refused: 422, there are no such days, or no figures by two of these at once.
        """
        since, until = self._days
        if not FIRST <= since <= until <= LAST:
            raise Refused(422, "report_days")
        given = dict(self._given)
        if (own := restricted_to(who)) is not None:
            # As it is: whoever is no agent has no figures, not those of calls that nobody answered.
            given[Dimension.AGENT] = own
        if len(given) > 1:
            raise Refused(422, "report_two_dimensions")
        name, value = next(iter(given.items()), (None, ""))
        query = ReportQuery(
            since,
            until + timedelta(days=1),
            self._by,
            known(self._line) if self._line else None,
            name,
            value,
        )
        if not query.is_countable:
            raise Refused(422, "report_two_dimensions")
        return query


class FilesOfReports(Struct, frozen=True):
    """What reports as files need."""

    context: Callable[[Language], TableContext]
    zone: ZoneInfo
    note: Note


def router(
    access: Access, store: Reports, waiting: Callable[[], Awaitable[int]], files_of: FilesOfReports
) -> APIRouter:
    """`/reports`."""
    routes = APIRouter(prefix="/api/v1/reports", tags=["reports"])
    who_is = Depends(access.signed_in)

    @routes.get("")
    @answers(ReportAnswer, example=REPORT, refuses=REFUSES)
    async def report(query: Annotated[RangeQuery, Depends()], who: Identity = who_is) -> Response:
        """The figures; agents see their own.

        `key` is empty where it is not known, and when a period begins otherwise (POSIX seconds). Shares are
        0..1, times seconds, `null` where nothing was counted. `-` as a filter's value: where it is not known.
        """
        made = await store.report(query.query(who))
        return await asyncio.to_thread(json, {**files.plain(made), "waiting": await waiting()})

    @routes.get("/hotspots")
    @answers(HotspotList, example=HOTSPOTS)
    async def hotspots(
        who: Identity = who_is, hours: Annotated[float, Query(ge=1, le=24 * 7)] = 24.0
    ) -> Response:
        """What rises in a place, in the last hours.

        Each is compared with its own past: the same hours of the weeks before. What is behind it:
        `/history/orders?figure=concluded` with `place`, `category`, `from` and `to`.
        """
        access.need(who, Permission.SEE_ALL)
        until = time.time()
        items = await store.hotspots(until, hours)
        return json(HotspotList(until - hours * 3600, until, list(items)))

    @routes.get("/page")
    @answers(media=(files.TYPES["html"],), refuses=REFUSES)
    async def page(
        query: Annotated[RangeQuery, Depends()], who: Identity = who_is, lang: Language = "zh"
    ) -> Response:
        """The report as an HTML file of its own, to be kept and printed."""
        access.need(who, Permission.EXPORT)
        wanted = query.query(who)
        await files_of.note(who, "export.report", {"format": "html", "filters": query.told})
        made = await store.report(wanted)
        context = files_of.context(lang)
        body = await asyncio.to_thread(files.rendered, made, "html", context, time.time(), files_of.zone)
        headers = {"Content-Disposition": f'attachment; filename="{files.file_name(made, "html")}"'}
        return Response(body, headers=headers, media_type=files.TYPES["html"])

    return routes


def export(exporter: Exporter, store: Reports, files_of: FilesOfReports) -> None:
    """The report as CSV and XLSX."""

    async def report_file(
        query: Annotated[RangeQuery, Depends()], of: ExportRequest = exporter.asked
    ) -> Response:
        """The filters of `/reports`; the last row is the total."""
        made = await store.report(query.query(of.who))

        def table(context: TableContext) -> AnyTable:
            return files.report_table(context, made.query.by)

        lines = files.lines_of(made, files_of.context(of.lang), files_of.zone)
        return await exporter.answer(of, table, once(lines))

    exporter.add("report", "Figures of a range of days", report_file)
