"""Reports over a real socket, on both databases: who gets what, in which form, and what stands behind it."""

import asyncio
import csv
import io
import json
import random
import time
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from argon2 import PasswordHasher
from fastapi import APIRouter
from msgspec import Struct, structs

from agents.accounts.identity import Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from domain.facts import AnyFact, CallEnded, OrderChanged
from domain.lines import Line
from domain.orders import OrderState
from domain.outcomes import ORDER, CallOutcome
from domain.reports.counting import Rules
from domain.reports.periods import midnight
from gateway.export.tables import TableContext
from gateway.export.words import Words
from gateway.storage.accounts import AccountRepository
from gateway.storage.calls import CallRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.figures import FigureCounter
from gateway.storage.history import HistoryRepository
from gateway.storage.orders import OrderRepository
from gateway.storage.reports import ReportRepository
from gateway.stream.state import LiveView
from gateway.web.access import Access
from gateway.web.auditing import note_into
from gateway.web.exports import Exporter
from gateway.web.routes import reports
from gateway.web.serve import serve_web
from tests.support.figures import a_day, tell
from tests.support.samples import call, order
from tests.support.web import WebServices, create_app

PASSWORD = "correct-horse"
ZONE = ZoneInfo("Asia/Shanghai")
DAY = midnight(date(2026, 1, 2), ZONE)
LINES = tuple(Line(id=one, name=f"线路{one}", numbers=(), queue=f"q{one}") for one in ("12345", "yiqilai"))
RISKY = "=cmd|' /C calc'!A0<script>"
DAYS = "from=2026-01-02&to=2026-01-03"


class House(Struct):
    http: aiohttp.ClientSession
    url: str
    accounts: AccountService
    audit: CommandRepository

    async def get(self, username: str, path: str) -> tuple[int, Any, bytes]:
        done = await self.accounts.login(username, PASSWORD, "test")
        headers = {"Cookie": f"hotline_session={done.token}"}
        async with self.http.get(f"{self.url}/api/v1/{path}", headers=headers) as response:
            return response.status, response.headers, await response.read()

    async def found(self, username: str, path: str) -> Any:
        status, _, body = await self.get(username, path)
        assert status == 200, body
        return json.loads(body)

    async def listed(self, username: str, path: str) -> list[str]:
        """All of a list of the history, page by page."""
        ids, before = list[str](), ""
        while True:
            page = await self.found(username, f"{path}&limit=50{before}")
            ids += [one["id"] for one in page["items"]]
            if page["next"] is None:
                return ids
            before = f"&before={quote(page['next'])}"


async def fill(url: str) -> None:
    """Two days, told and counted; their units are hostile."""
    facts = [
        one for day in range(2) for one in a_day(random.Random(day), DAY + day * 86_400.0, 25, 100 * day)
    ]
    for at, fact in enumerate(facts):
        if isinstance(fact, OrderChanged) and (unit := fact.order.fields.get("unit")) is not None:
            fields = {**fact.order.fields, "unit": structs.replace(unit, value=RISKY)}
            facts[at] = structs.replace(fact, order=structs.replace(fact.order, fields=fields))
    database = Database(url)
    await tell(database, facts)
    counter = FigureCounter(database, Rules(lines=LINES))
    await counter.begin()
    await counter.catch_up()
    await database.close()


@pytest.fixture(scope="module")
def filled_url(shared_database_url: str) -> str:
    asyncio.run(fill(shared_database_url))
    return shared_database_url


@pytest.fixture
async def house(filled: Database) -> AsyncIterator[House]:
    async with opened(filled) as it:
        yield it


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[House]:
    counter = FigureCounter(database, Rules(lines=LINES))
    store, audit = AccountRepository(database), CommandRepository(database)
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts = AccountService(store, store, passwords=cheap)
    await accounts.create_account("zhang", PASSWORD, Role.AGENT, "1001")
    await accounts.create_account("nobody", PASSWORD, Role.AGENT, None)
    await accounts.create_account("ban", PASSWORD, Role.SUPERVISOR, None)
    note, kept = note_into(audit), ReportRepository(database, "Asia/Shanghai")
    files = reports.FilesOfReports(
        lambda language: TableContext(LINES, "Asia/Shanghai", {}, {"1001": "王芳"}, Words(language)),
        ZONE,
        note,
    )

    def more(access: Access) -> Sequence[APIRouter]:
        exporter = Exporter(access, note, files.context)
        reports.export(exporter, kept, files)
        return [reports.router(access, kept, counter.waiting, files), exporter.router]

    services = WebServices(
        accounts=accounts, live=LiveView(), orders=OrderRepository(database), calls=CallRepository(database),
        deliveries=None, audit=audit, history=HistoryRepository(database), lines=LINES,
    )  # fmt: skip
    async with (
        serve_web(create_app(replace(services), more=more), "127.0.0.1", 0) as port,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        yield House(http, f"http://127.0.0.1:{port}", accounts, audit)


async def test_a_supervisors_report_is_of_all_and_an_agents_of_their_own(house: House) -> None:
    whole = await house.found("ban", f"reports?{DAYS}&by=agent")
    assert whole["waiting"] == 0 and whole["from"] == "2026-01-02" and whole["to"] == "2026-01-03"
    theirs = next(row for row in whole["rows"] if row["key"] == "1001")
    own = await house.found("zhang", f"reports?{DAYS}&by=day")
    assert own["total"]["counts"] == {**own["total"]["counts"], **theirs["counts"]}
    assert [row["key"] for row in own["rows"]] == [DAY, DAY + 86_400]
    assert (await house.found("nobody", f"reports?{DAYS}"))["total"]["counts"]["calls"] == 0
    # Nobody's figures but theirs, however they ask.
    assert (await house.get("zhang", f"reports?{DAYS}&by=unit"))[0] == 422
    asked = await house.found("zhang", f"reports?{DAYS}&by=day&agent=1002")
    assert asked["total"] == own["total"]
    async with house.http.get(f"{house.url}/api/v1/reports?{DAYS}") as response:
        assert response.status == 401


async def test_what_stands_behind_a_figure_is_found_in_the_history(house: House) -> None:
    units = await house.found("ban", f"reports?{DAYS}&by=unit")
    behind = f"from={DAY}&to={DAY + 2 * 86_400}"
    for row in units["rows"]:
        for figure, of in (
            ("handed", "orders"),
            ("closed", "orders"),
            ("direct", "orders"),
            ("calls", "calls"),
        ):
            unit = quote(row["key"] or "-")
            found = await house.listed("ban", f"history/{of}?figure={figure}&unit={unit}&{behind}")
            assert len(set(found)) == row["counts"][figure], (row["key"], figure)
    hours = await house.found("ban", f"reports?{DAYS}&by=hour&line=12345")
    for row in hours["rows"]:
        span = f"from={row['key']}&to={row['key'] + 3600}"
        found = await house.listed("ban", f"history/calls?figure=calls&line=12345&{span}")
        assert len(found) == row["counts"]["calls"]
    # An agent finds no more with it than without.
    mine = await house.listed("zhang", f"history/calls?{behind}")
    assert set(await house.listed("zhang", f"history/calls?figure=talks&{behind}")) <= set(mine)
    assert (await house.get("ban", "history/calls?figure=closed"))[0] == 422
    assert (await house.get("ban", "history/orders?figure=x"))[0] == 422


async def test_it_comes_as_a_table_and_as_a_page_and_is_noted(house: House) -> None:
    status, headers, body = await house.get("ban", f"export/report.csv?{DAYS}&by=unit")
    assert status == 200 and "csv" in headers["Content-Type"]
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    assert rows[0][:3] == ["承办单位", "人工呼入量", "接通量"] and rows[-1][0] == "合计"
    assert f"'{RISKY}" in [row[0] for row in rows]
    report = await house.found("ban", f"reports?{DAYS}&by=unit")
    assert rows[-1][rows[0].index("工单")] == str(report["total"]["counts"]["handed"])
    rate = report["total"]["rates"]["closure_rate"]
    assert float(rows[-1][rows[0].index("办结率(%)")]) == pytest.approx(rate * 100, abs=0.006)
    status, _, body = await house.get("ban", f"export/report.xlsx?{DAYS}&by=day&lang=en")
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        texts = b"".join(book.read(name) for name in book.namelist() if name.endswith(".xml"))
    assert b"Connection rate" in texts and b"2026-01-03" in texts
    status, headers, body = await house.get("ban", f"reports/page?{DAYS}&by=unit&lang=en")
    page = body.decode()
    assert status == 200 and "report-20260102-20260103-unit.html" in headers["Content-Disposition"]
    assert '<html lang="en">' in page and "2026-01-02 to 2026-01-03" in page
    assert "<script" not in page and "&lt;script&gt;" in page and "://" not in page
    noted = [(one.username, one.name) for one in await house.audit.list_audit()]
    assert noted == [("ban", "export.report")] * 3
    for path in (f"export/report.csv?{DAYS}", f"reports/page?{DAYS}"):
        assert (await house.get("zhang", path))[0] == 403


async def test_what_rises_in_a_place_is_told_with_its_orders(house: House, filled: Database) -> None:
    now = time.time()
    facts: list[AnyFact] = []
    for week in range(10):
        for number in range(12 if week == 0 else 1):
            of = call(9000 + 100 * week + number, now - week * 7 * 86_400.0 - 3600 - number)
            made = order(of, 9000 + 100 * week + number, OrderState.DELIVERED, town="五接镇", category="停水")
            outcome = CallOutcome(ORDER, of.started_at)
            made = structs.replace(made, outcome=outcome, submitted_at=of.started_at + 200)
            facts += [CallEnded(at=now, call=of), OrderChanged(at=now, order=made, changed=())]
    await tell(filled, facts)
    await FigureCounter(filled, Rules(lines=LINES)).catch_up()
    told = await house.found("ban", "reports/hotspots")
    (found,) = told["items"]
    assert (found["place"], found["category"], found["count"]) == ("五接镇", "停水", 12)
    assert found["expected"] == pytest.approx(8.5 / 9) and found["p"] < 1e-6
    which = f"place={quote('五接镇')}&category={quote('停水')}&from={told['since']}&to={told['until']}"
    assert len(await house.listed("ban", f"history/orders?figure=concluded&{which}")) == 12
    assert (await house.get("zhang", "reports/hotspots"))[0] == 403
    assert (await house.get("ban", "reports/hotspots?hours=nan"))[0] == 422


BAD = (
    ["", "from=2026-01-02", "from=2026-02-30&to=2026-03-01", "from=2026-01-03&to=2026-01-02",
     "from=0001-01-01&to=9999-12-31", f"{DAYS}&by=moon", f"{DAYS}&by=unit&agent=1001",
     f"{DAYS}&by=day&agent=1001&unit=x", f"{DAYS}&line={'x' * 201}"]
)  # fmt: skip


async def test_what_cannot_be_told_is_refused(house: House) -> None:
    for bad in BAD:
        assert (await house.get("ban", f"reports?{bad}"))[0] == 422, bad
        assert (await house.get("ban", f"reports/page?{bad}"))[0] == 422, bad
