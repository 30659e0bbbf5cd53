"""A report: its figures, its chart, and the calls and orders behind a figure; in a real Chromium."""

import asyncio
import random
from datetime import date
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from domain.reports.periods import midnight
from gateway.storage.database import Database
from tests.support.databases import sqlite_url
from tests.support.figures import a_day, tell
from tests.support.stage import BrowserStage, accessibility

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

DAYS = "from=2025-03-03&to=2025-03-04"
BEGIN = midnight(date(2025, 3, 3), ZoneInfo("Asia/Shanghai"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(browser_stage: BrowserStage) -> None:
    """Two days of long ago."""
    database = Database(sqlite_url(browser_stage.gateway.directory / "data" / "hotline.db"))
    try:
        for day in range(2):
            facts = a_day(random.Random(day), BEGIN + day * 86_400.0, 20, 5000 + 100 * day)
            await tell(database, facts)
    finally:
        await database.close()


async def test_a_figure_opens_what_is_behind_it(
    browser_stage: BrowserStage, browser: Browser, told: None
) -> None:
    async with browser_stage.seat(browser, "banzhang") as seat:
        page = seat.page
        async with asyncio.timeout(120):
            while True:
                got = await page.request.get(f"{seat.url}/api/v1/reports?{DAYS}&by=category")
                report = await got.json()
                if report["waiting"] == 0 and report["total"]["counts"]["calls"]:
                    break
                await asyncio.sleep(1)
        await page.goto(f"{seat.url}/reports?{DAYS}")
        await expect(page.locator(".report-table tbody tr")).to_have_count(2)
        await expect(page.locator(".report-chart canvas")).to_be_visible()
        assert await accessibility(page) == []

        await page.get_by_label("统计方式").select_option("category")
        rows = page.locator(".report-table tbody tr")
        await expect(rows).to_have_count(len(report["rows"]))
        row = next(one for one in report["rows"] if one["counts"]["handed"] and one["key"])
        figure = page.locator(f".report-table [data-key='{row['key']}'] [data-figure=handed] a")
        await expect(figure).to_have_text(str(row["counts"]["handed"]))
        await figure.click()
        await expect(page.locator("[data-figure-filter]")).to_contain_text("工单")
        await expect(page.locator("[data-figure-filter]")).to_contain_text(row["key"])
        await expect(page.locator("table.hl-rows tbody tr")).to_have_count(row["counts"]["handed"])
        await page.locator("[data-figure-filter] button").click()
        await expect(page.locator("[data-figure-filter]")).to_have_count(0)
        await page.go_back()
        await page.go_back()
        await expect(rows).to_have_count(len(report["rows"]))

        async with page.expect_download() as taken:
            await page.locator("[data-export=html]").click()
        assert (await taken.value).suggested_filename == "report-20250303-20250304-category.html"


async def test_an_agent_has_no_page_of_all_figures(browser_stage: BrowserStage, browser: Browser) -> None:
    async with browser_stage.seat(browser, "wangfang") as seat:
        await seat.page.goto(f"{seat.url}/reports")
        await expect(seat.page).to_have_url(f"{seat.url}/desk")
