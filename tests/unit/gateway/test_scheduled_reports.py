"""Reports by schedule: each due one once, whoever looks, however often."""

import asyncio
import csv
import random
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from pydantic import ValidationError
from sqlalchemy import select, update

from domain.reports.counting import Rules
from domain.reports.periods import midnight
from gateway.export.tables import TableContext
from gateway.export.words import Words
from gateway.scheduled_reports import ScheduledReports
from gateway.settings import ScheduledReport
from gateway.storage.database import Database
from gateway.storage.figure_tables import report_runs
from gateway.storage.figures import FigureCounter
from gateway.storage.report_runs import ReportRuns
from gateway.storage.reports import ReportRepository
from tests.support.figures import a_day, tell
from workorders.delivery.signing import sign

ZONE = ZoneInfo("Asia/Shanghai")
SECRET = "a secret of this test"


class Clock:
    def __init__(self, day: date, hour: float = 8.0) -> None:
        self.now = midnight(day, ZONE) + hour * 3600

    def __call__(self) -> float:
        return self.now


def reports(database: Database, report: ScheduledReport, clock: Clock, holder: str = "a") -> ScheduledReports:
    return ScheduledReports(
        [report],
        "Asia/Shanghai",
        ReportRuns(database, holder),
        FigureCounter(database, Rules(), clock),
        ReportRepository(database, "Asia/Shanghai"),
        lambda language: TableContext([], "Asia/Shanghai", {}, {}, Words(language)),
        clock,
    )


def names_in(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def monthly(folder: Path) -> ScheduledReport:
    return ScheduledReport(id="monthly", every="month", at="07:00", by="month", format="csv", folder=folder)


async def due_once_more(database: Database) -> None:
    """Time passes: what failed may be tried again, and claims are void."""
    async with database.writing() as connection:
        await connection.execute(update(report_runs).values(next_attempt_at=0.0, claimed_until=0.0))


async def test_each_month_is_put_into_the_folder_once(database: Database, tmp_path: Path) -> None:
    begin = midnight(date(2026, 1, 10), ZONE)
    await tell(database, a_day(random.Random(1), begin, 20, 0))
    clock, folder = Clock(date(2026, 1, 15)), tmp_path / "reports"
    folder.mkdir()
    report = monthly(folder)
    both = [reports(database, report, clock, holder) for holder in ("a", "b")]
    # It is new: nobody waits for December.
    assert await asyncio.gather(*(one.send_due(report) for one in both)) == [0, 0]
    clock.now = midnight(date(2026, 2, 1), ZONE) + 6.9 * 3600
    assert await both[0].send_due(report) == 0
    clock.now += 3600
    assert sum(await asyncio.gather(*(one.send_due(report) for one in both))) == 1
    assert names_in(folder) == ["monthly-20260101-20260131-month.csv"]
    file = folder / names_in(folder)[0]
    rows = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
    assert [row[0].strip() for row in rows] == ["月份", "2026-01", "合计"]
    assert int(rows[1][rows[0].index("来电量")]) > 10
    # A gateway that starts again sends nothing twice.
    file.unlink()
    assert await reports(database, report, clock, "c").send_due(report) == 0
    assert names_in(folder) == []
    # Nobody ran for months: each is made up for.
    clock.now = midnight(date(2026, 5, 3), ZONE)
    assert await reports(database, report, clock).send_due(report) == 3
    assert [one.split("-")[1] for one in names_in(folder)] == ["20260201", "20260301", "20260401"]


async def test_a_folder_that_is_missing_is_said_and_tried_again(database: Database, tmp_path: Path) -> None:
    clock, folder = Clock(date(2026, 1, 15)), tmp_path / "reports"
    report = monthly(folder)
    one = reports(database, report, clock)
    await one.send_due(report)
    clock.now = midnight(date(2026, 2, 2), ZONE)
    assert await one.send_due(report) == 0
    async with database.reading() as connection:
        (error,) = (
            await connection.scalars(select(report_runs.c.error).where(report_runs.c.sent_at.is_(None)))
        ).all()
    assert str(folder) in error and "No such file" in error
    folder.mkdir()
    # Not at once.
    assert await one.send_due(report) == 0
    await due_once_more(database)
    assert await one.send_due(report) == 1 and len(names_in(folder)) == 1


async def test_it_is_posted_signed_and_again_under_the_same_id(database: Database) -> None:
    taken: list[tuple[dict[str, str], bytes]] = []
    answers = [503, 302, 200]

    async def take(request: web.Request) -> web.Response:
        taken.append((dict(request.headers), await request.read()))
        return web.Response(status=answers.pop(0), headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/reports", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/reports"
        values: dict[str, Any] = {
            "id": "daily",
            "every": "day",
            "format": "json",
            "url": url,
            "secret": SECRET,
        }
        report = ScheduledReport(**values)
        clock = Clock(date(2026, 1, 15))
        one = reports(database, report, clock)
        await one.send_due(report)
        clock.now += 86_400
        for sent in (0, 0, 1, 0):
            assert await one.send_due(report) == sent
            await due_once_more(database)
    finally:
        await runner.cleanup()
    assert len(taken) == 3 and len({headers["webhook-id"] for headers, _ in taken}) == 1
    headers, body = taken[-1]
    wanted = sign(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == wanted
    assert b'"from": "2026-01-15"' in body and headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(
    ("more", "word"),
    [({}, "folder or url"), ({"folder": "/a", "url": "http://a"}, "folder or url"),
     ({"folder": "/a", "at": "7"}, "07:00"), ({"folder": "/a", "every": "moon"}, "month"),
     ({"folder": "/a", "by": "moon"}, "unit")],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(more: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        ScheduledReport(id="x", **more)
