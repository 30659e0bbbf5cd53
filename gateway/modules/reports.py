"""Figures that last, counted as things happen; reports of them, asked for and by schedule."""

import asyncio
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter
from prometheus_client.core import CounterMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError

from gateway.export.tables import TableContext
from gateway.export.words import Language
from gateway.factories import counting_rules
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.scheduled_reports import ScheduledReports, table_context
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.figures import FigureCounter
from gateway.storage.report_runs import ReportRuns
from gateway.storage.reports import ReportRepository
from gateway.supervision import Job
from gateway.web.access import Access
from gateway.web.auditing import note_into
from gateway.web.exports import Exporter
from gateway.web.routes import reports

log = structlog.get_logger(__name__)

COUNT_EVERY_S = 30.0
FIRST_AFTER_S = 15.0
"""A gateway that starts has more urgent things to do."""
REST_SHARE = 3.0
"""Rests so many times as long as it counts: years that are counted anew are not felt."""


class ReportsModule(Module):
    """Counts what changes, every half a minute, and sends reports that are due."""

    name = "reports"
    needs = (Database, CommandRepository)

    async def open(self, runtime: Runtime) -> None:
        """Provide nothing: reports are read from the database."""
        settings, database = runtime.settings, runtime.get(Database)
        self._settings = settings
        self._counter = FigureCounter(database, counting_rules(settings))
        self._repository = ReportRepository(database, settings.timezone)
        self._counted = 0
        note = note_into(runtime.get(CommandRepository))
        self._files = reports.FilesOfReports(self._context, ZoneInfo(settings.timezone), note)
        self._scheduled = ScheduledReports(
            settings.reports.scheduled,
            settings.timezone,
            ReportRuns(database, runtime.holder or "gateway"),
            FigureCounter(database, counting_rules(settings)),
            self._repository,
            self._context,
        )

    def _context(self, language: Language) -> TableContext:
        return table_context(self._settings, language)

    def jobs(self) -> Iterable[Job]:
        """Counting; and sending, where something is to be sent."""
        jobs = [Job("figures counting", self._count)]
        if self._settings.reports.scheduled:
            jobs.append(Job("reports by schedule", self._scheduled.run))
        return jobs

    async def _count(self) -> None:
        await asyncio.sleep(FIRST_AFTER_S)
        while True:
            try:
                days = await self._counter.begin()
                if days:
                    log.info("figures_counted_anew", days=days)
                self._counted += await self._counter.catch_up(pause_share=REST_SHARE)
            except (SQLAlchemyError, OSError) as error:
                # Whatever is not counted now is counted later: what changed stands in the database.
                log.warning("figures_not_counted", error=f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(COUNT_EVERY_S)

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/reports`."""
        return [reports.router(access, self._repository, self._counter.waiting, self._files)]

    def exports(self, exporter: Exporter) -> None:
        """The report as a table."""
        reports.export(exporter, self._repository, self._files)

    def metrics(self) -> Iterable[Metric]:
        """How far it has come."""
        yield CounterMetricFamily("hotline_figures_counted", "Changes counted", value=self._counted)
