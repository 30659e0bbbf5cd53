"""Every page in both themes and languages at 1366×768: nothing cut off or scrolled sideways, axe content."""

import json
import re
import uuid

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.stage import BrowserStage, Seat, accessibility

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

PAGES = {
    None: ("/login",),
    "wangfang": ("/desk", "/history", "/nowhere"),
    "banzhang": (
        "/wall",
        "/wall?screen=1",
        "/history",
        "/history?tab=orders",
        "/history?tab=orders&figure=closed&category=城乡建设",
        "/reports",
        "/reports?by=category",
        "/admin/deliveries",
        "/admin/unfinished",
        "/admin/audit",
    ),
    "guanli": ("/admin/overview", "/admin/doctor", "/admin/accounts", "/admin/tokens"),
}
"""Whoever opens it -> pages."""

CUT_OFF = """() => {
  const scrolls = (element) => {
    for (let one = element.parentElement; one; one = one.parentElement) {
      if (/(auto|scroll)/.test(getComputedStyle(one).overflow)) return true
    }
    return false
  }
  const found = []
  const root = document.documentElement
  if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} wide`)
  for (const one of document.querySelectorAll('button, a, input, select, textarea, h1, h2, th')) {
    const box = one.getBoundingClientRect()
    if (!box.width || !box.height || !one.checkVisibility({ visibilityProperty: true })) continue
    if (one.closest('.unseen')) continue
    const told = `${one.tagName} ${one.className} "${(one.innerText || one.name || '').slice(0, 40)}"`
    if (!scrolls(one) && (box.left < -1 || box.right > innerWidth + 1)) found.push(`outside: ${told}`)
    const text = !['INPUT', 'SELECT', 'TEXTAREA'].includes(one.tagName)
    if (text && one.clientWidth && one.scrollWidth > one.clientWidth + 1) found.push(`cut off: ${told}`)
  }
  return found
}"""


async def look(seat: Seat, path: str, theme: str, language: str) -> list[str]:
    """What is wrong with a page."""
    page = seat.page
    stored = {"hotline.theme": theme, "hotline.language": language}
    await page.evaluate("all => Object.entries(all).forEach((one) => localStorage.setItem(...one))", stored)
    await page.goto(f"{seat.url}{path}")
    await page.locator("main, form").first.wait_for()
    if path != "/login" and not path.startswith("/nowhere"):
        await page.locator("[data-connection=open]").wait_for()
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate("document.documentElement.lang") == {"zh": "zh-CN", "en": "en"}[language]
    wrong = [*await page.evaluate(CUT_OFF), *await accessibility(page)]
    return [f"{path} {theme} {language}: {one}" for one in wrong]


@pytest.mark.parametrize("username", PAGES)
async def test_nothing_is_cut_off_and_all_is_accessible(
    browser_stage: BrowserStage, browser: Browser, username: str | None
) -> None:
    async with browser_stage.seat(browser, username) as seat:
        await seat.page.goto(f"{seat.url}/login")
        wrong = [
            one
            for path in PAGES[username]
            for theme in ("light", "dark")
            for language in ("zh", "en")
            for one in await look(seat, path, theme, language)
        ]
        assert wrong == [], "\n".join(wrong)


async def command(page: Page, url: str, name: str) -> int:
    """A command as the app would send it; HTTP's status."""
    session = await (await page.request.get(f"{url}/api/v1/session")).json()
    asked = await page.request.post(
        f"{url}/api/v1/commands",
        data=json.dumps({"id": str(uuid.uuid4()), "name": name}),
        headers={"Content-Type": "application/json", "X-CSRF-Token": session["csrf"], "Origin": url},
    )
    return asked.status


async def test_the_apps_language_and_the_houses_clock_not_the_browsers(
    browser_stage: BrowserStage, browser: Browser
) -> None:
    async with browser_stage.seat(browser, "wangfang") as agent:
        assert await command(agent.page, agent.url, "resume") == 409
    abroad = {"locale": "en-US", "timezone_id": "America/New_York"}
    async with browser_stage.seat(browser, "banzhang", **abroad) as seat:
        page = seat.page
        await page.goto(f"{seat.url}/admin/audit?username=wangfang")
        row = page.locator("tbody tr", has_text="取回").first
        await expect(row).to_contain_text("当前没有通话")
        now = await page.evaluate(
            "new Date().toLocaleString('sv-SE', { timeZone: 'Asia/Shanghai' }).slice(0, 13)"
        )
        there = await page.evaluate("new Date().toLocaleString('sv-SE').slice(0, 13)")
        assert now != there
        await expect(row).to_contain_text(now)
        # The calendar speaks the app's language too; what it picks is a day of the house.
        await page.get_by_label("结束日期").click()
        await expect(page.locator(".el-picker-panel:visible")).to_contain_text(
            re.compile(r"[一二三四五六日]")
        )
        await page.keyboard.press("Escape")
        await page.keyboard.press("Alt+Shift+L")
        await expect(
            page.locator("tbody tr", has_text="agent 1001 is not talking to anybody at the moment").first
        ).to_be_visible()
        await page.get_by_label("To", exact=True).click()
        await expect(page.locator(".el-picker-panel:visible")).to_contain_text("Sun")
