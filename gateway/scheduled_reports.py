"""Reports by schedule: made when they are due, and put into a folder or posted to an endpoint. Each once."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import structlog

from domain.reports.report import By, ReportQuery
from domain.reports.schedule import days_of, due_after, due_until
from gateway.export.reports import TYPES, file_name, rendered
from gateway.export.tables import TableContext
from gateway.export.words import Language, Words
from gateway.settings import ScheduledReport, Settings
from gateway.storage.figures import FigureCounter
from gateway.storage.report_runs import ReportRuns
from gateway.storage.reports import ReportRepository
from workorders.delivery.retry import verdict
from workorders.delivery.signing import sign
from workorders.forms import labels

log = structlog.get_logger(__name__)

LOOK_S = 20.0
MOST_MISSED = 31
"""Reports that came due while no gateway ran are made up for, the newest ones."""


class SendError(Exception):
    """A report could not be handed over; the message says why."""


class ScheduledReports:
    """Looks what is due. Several processes may do so: each due report is claimed by one."""

    def __init__(
        self,
        reports: Sequence[ScheduledReport],
        timezone: str,
        runs: ReportRuns,
        counter: FigureCounter,
        repository: ReportRepository,
        context: Callable[[Language], TableContext],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reports = reports
        self._zone = ZoneInfo(timezone)
        self._runs = runs
        self._counter = counter
        self._repository = repository
        self._context = context
        self._clock = clock

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            for report in self._reports:
                try:
                    await self.send_due(report)
                except Exception:
                    # The database is away for a moment, or whatever it is: the other reports are not held up.
                    log.exception("report_failed", report=report.id)
            await asyncio.sleep(LOOK_S)

    async def send_due(self, report: ScheduledReport) -> int:
        """Send all that is due of one report; how many were sent."""
        await self._note_due(report)
        sent = 0
        while (due_at := await self._runs.claim(report.id)) is not None:
            try:
                await self._send(report, due_at)
            except (SendError, OSError, ValueError) as error:
                await self._runs.failed(report.id, due_at, str(error))
                log.warning("report_not_sent", report=report.id, due_at=due_at, error=str(error)[:300])
                break
            await self._runs.sent(report.id, due_at)
            log.info("report_sent", report=report.id, due_at=due_at)
            sent += 1
        return sent

    async def _note_due(self, report: ScheduledReport) -> None:
        """A report that is new begins with its next due time: nobody waits for those of the past."""
        latest = due_until(report.every, report.time_of_day, self._zone, self._clock())
        last = await self._runs.last_due(report.id)
        if last is None:
            await self._runs.add(report.id, latest, over=True)
            return
        missed = []
        while last < latest:
            last = due_after(report.every, report.time_of_day, self._zone, last)
            missed.append(last)
        for due_at in missed[-MOST_MISSED:]:
            if due_at <= latest:
                await self._runs.add(report.id, due_at)

    async def _send(self, report: ScheduledReport, due_at: int) -> None:
        await self._counter.catch_up()
        since, until = days_of(report.every, self._zone, due_at)
        made = await self._repository.report(ReportQuery(since, until, By(report.by), report.line))
        context = self._context(report.language)
        body = await asyncio.to_thread(rendered, made, report.format, context, self._clock(), self._zone)
        name = file_name(made, report.format, report.id)
        if report.folder is not None:
            await asyncio.to_thread(put_file, report.folder, name, body)
        else:
            await post(report, f"report-{report.id}-{due_at}", name, body)


def table_context(settings: Settings, language: Language) -> TableContext:
    """What is configured, as tables say it."""
    return TableContext(
        [line.model() for line in settings.lines],
        settings.timezone,
        labels(),
        {agent.id: agent.name for agent in settings.agents},
        Words(language),
        settings.outcome_kinds,
    )


def put_file(folder: Path, name: str, body: bytes) -> None:
    """Put the file there as a whole: whoever reads the folder never sees half of one.

    Raises:
        SendError: the folder is not there, or cannot be written to.
    """
    beside = folder / f".{name}.{secrets.token_hex(4)}"
    try:
        with beside.open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / name)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SendError(f"{folder}: {error.strerror or error}") from error


async def post(report: ScheduledReport, key: str, name: str, body: bytes) -> None:
    """Post it, signed as orders are; `key` is the same for each try: the receiver recognises a repeated one.

    Raises:
        SendError: it was not taken.
    """
    stamp = int(time.time())
    try:
        signature = sign(report.read_secret(), key, stamp, body)
    except ValueError as error:
        raise SendError(f"not signed: {error}") from error
    headers = {
        "content-type": TYPES[report.format],
        "content-disposition": f'attachment; filename="{name}"',
        "user-agent": "hotline-gateway",
        "webhook-id": key,
        "webhook-timestamp": str(stamp),
        "webhook-signature": signature,
    }
    try:
        async with (
            asyncio.timeout(report.timeout_s),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(str(report.url), data=body, headers=headers, allow_redirects=False) as response,
        ):
            if verdict(response.status) != "delivered":
                raise SendError(f"the endpoint answered {response.status}")
    except TimeoutError as error:
        raise SendError(f"no answer within {report.timeout_s:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise SendError(f"{type(error).__name__}: {error}"[:200]) from error
