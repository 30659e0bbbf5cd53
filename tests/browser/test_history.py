"""A call that is over: found by a word that was said, heard, read, exported; in a real Chromium."""

import asyncio
import csv
import io
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from openpyxl import load_workbook
from playwright.async_api import Browser, Page, expect

from tests.support.machine import CALLS
from tests.support.pbx import ami, pressed
from tests.support.sip.phones import SipAgent, SipCaller
from tests.support.sip.rtp import alaw_of_wav
from tests.support.stage import BrowserStage, accessibility

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

HOSTILE = "=cmd<img src=x onerror=alert(1)>"
NUMBER = "051386110777"
AGENT = "1001"
WORD = "举报"
HEARD = "() => [...document.querySelectorAll('audio')].map((one) => [one.currentTime, one.paused])"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def call_id(browser_stage: BrowserStage) -> AsyncIterator[str]:
    """A call that wangfang took, transcribed, recorded and delivered."""
    ports = browser_stage.asterisk.options
    database = browser_stage.gateway.directory / "data" / "hotline.db"
    async with (
        ami(browser_stage.asterisk) as events,
        SipAgent(browser_stage.directory, ports.sip_port, AGENT, ports.phone_passwords[AGENT]) as phone,
        SipCaller(browser_stage.directory, ports.sip_port, "12345", NUMBER, HOSTILE) as caller,
    ):
        await pressed(events, caller, "0")
        await events.until("AgentConnect", 60)
        caller.voice.say(alaw_of_wav(CALLS / "d10-caller.wav"))
        phone.voice.say(alaw_of_wav(CALLS / "d10-agent.wav"))
        await asyncio.to_thread(caller.voice.said.wait, 90)
        await caller.hang_up()
    found: tuple[str] | None = None
    async with asyncio.timeout(90):
        while found is None:
            await asyncio.sleep(0.5)
            with sqlite3.connect(database) as connection:
                found = connection.execute(
                    "SELECT calls.id FROM calls JOIN recordings ON recordings.call_id = calls.id"
                    " JOIN orders ON orders.call_id = calls.id"
                    " WHERE calls.data LIKE ? AND orders.state = 'delivered'",
                    (f"%{NUMBER}%",),
                ).fetchone()
    yield found[0]


async def opened(page: Page, url: str, call_id: str) -> None:
    """Find the call by a word that was said, with the keyboard, and open it."""
    await page.goto(f"{url}/history")
    await page.locator("[data-row]").first.wait_for()
    await page.keyboard.press("/")
    await page.keyboard.type(WORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/history?q=*")
    await page.locator(f"[data-call='{call_id}'] [data-row]").focus()
    await page.keyboard.press("Enter")
    await page.locator(".sentence").first.wait_for()


async def test_found_heard_and_read(browser_stage: BrowserStage, browser: Browser, call_id: str) -> None:
    async with browser_stage.seat(browser, "banzhang") as seat:
        page = seat.page
        await opened(page, seat.url, call_id)
        await expect(page.locator(".caller-name")).to_have_text(HOSTILE)
        hit = page.locator(".word.hit").first
        assert WORD in "".join(await page.locator(".word.hit").all_inner_texts())
        await expect(page.locator("[data-event=talk]")).to_contain_text("接听")
        await expect(page.locator("[data-event=ended]")).to_contain_text("正常结束")
        await expect(page.locator("canvas")).to_have_attribute("data-drawn", "1")
        assert await accessibility(page) == []
        # Nothing is fetched, and nothing audited, before somebody listens.
        assert await page.evaluate(HEARD) == [[0, True]]
        spoken = float(await hit.get_attribute("data-from") or "nan")
        with sqlite3.connect(browser_stage.gateway.directory / "data" / "hotline.db") as database:
            ((offset,),) = database.execute("SELECT offset FROM recordings WHERE call_id = ?", (call_id,))
        assert offset > 0
        await hit.click()
        sentence = page.locator(".sentence", has=page.locator(".word.hit")).first
        await expect(sentence).to_have_attribute("aria-current", "true")
        await page.wait_for_function("() => document.querySelector('audio').currentTime > 0")
        ((first, paused),) = await page.evaluate(HEARD)
        assert not paused and spoken - offset - 0.1 <= first <= spoken - offset + 8
        await page.wait_for_timeout(1000)
        ((later, _),) = await page.evaluate(HEARD)
        assert first + 0.5 <= later <= first + 3
        # The keyboard alone: stop, back, ahead, the sentence before.
        await page.keyboard.press("Space")
        await expect(page.locator("[data-action=play]")).to_contain_text("播放")
        ((there, paused),) = await page.evaluate(HEARD)
        assert paused
        await page.keyboard.press("ArrowRight")
        assert (await page.evaluate(HEARD))[0][0] == pytest.approx(there + 5, abs=0.1)
        await page.keyboard.press("ArrowLeft")
        assert (await page.evaluate(HEARD))[0][0] == pytest.approx(there, abs=0.1)
        await page.keyboard.press("Shift+ArrowLeft")
        starts = await page.eval_on_selector_all(
            ".sentence", "(all) => all.map((one) => Number(one.querySelector('.word').dataset.from))"
        )
        ((at, _),) = await page.evaluate(HEARD)
        assert any(at == pytest.approx(one - offset, abs=0.1) for one in starts)
        await page.keyboard.press("=")
        await expect(page.locator("[data-rate]")).to_have_text("1.25×")
        await page.locator("[data-volume=agent]").focus()
        await page.keyboard.press("Home")
        assert await page.locator("[data-volume=agent]").input_value() == "0"
        # A field's sentence is heard, and no more than it.
        field = page.locator("[data-field=town]")
        await field.focus()
        await field.locator("[data-hear]").first.click()
        await expect(page.locator("[data-action=play]")).to_contain_text("暂停")
        await expect(page.locator("[data-action=play]")).to_contain_text("播放", timeout=10_000)
        # A page can be linked: it is the same after a reload, and the list is behind it.
        await page.reload()
        await page.locator(".word.hit").first.wait_for()
        await page.keyboard.press("Alt+Shift+D")
        assert await accessibility(page) == []
        await page.keyboard.press("Escape")
        await expect(page.locator(f"[data-call='{call_id}'] [data-row]")).to_be_visible()
        await expect(page.locator("input[name=q]")).to_have_value(WORD)


async def test_filters_tabs_and_exports(
    browser_stage: BrowserStage, browser: Browser, call_id: str, tmp_path: Path
) -> None:
    truth = json.loads((CALLS / "d10.json").read_text(encoding="utf-8"))["truth"]

    async with browser_stage.seat(browser, "banzhang", accept_downloads=True) as seat:
        page = seat.page
        row = page.locator(f"[data-call='{call_id}']")

        async def exported(form: str) -> Path:
            async with page.expect_download() as waiting:
                await page.click(f"[data-export={form}]")
            target = tmp_path / f"{page.url.count('orders')}.{form}"
            await (await waiting.value).save_as(target)
            return target

        await page.goto(f"{seat.url}/history?number={NUMBER}&end_reason=completed&agent={AGENT}")
        await expect(row).to_contain_text(HOSTILE)
        await expect(page.locator("select[name=agent]")).to_have_value(AGENT)
        assert await accessibility(page) == []
        text = (await exported("csv")).read_bytes()
        assert text.startswith(b"\xef\xbb\xbf")
        lines = list(csv.reader(io.StringIO(text.decode("utf-8-sig"))))
        assert len(lines) == 2 and any(cell.strip() == NUMBER for cell in lines[1])
        # What would be a formula in a spreadsheet is text.
        assert "'" + HOSTILE in lines[1]
        sheet = load_workbook(await exported("xlsx")).worksheets[0]
        cells = [cell for (cell,) in zip(sheet[2], strict=False)]
        assert [one.data_type for one in cells if one.value == HOSTILE] == ["s"]
        # Another reason, another day: not found.
        await page.select_option("select[name=end_reason]", "abandoned_queue")
        await expect(row).to_have_count(0)
        await expect(page.locator(".more-rows")).to_contain_text("没有符合条件的记录")
        await page.go_back()
        await expect(row).to_be_visible()
        await page.fill("input[name=to]", "2020-01-31")
        await page.keyboard.press("Enter")
        await expect(row).to_have_count(0)
        await page.get_by_role("button", name="清空").click()
        await expect(row).to_be_visible()

        await page.click("[data-tab=orders]")
        await page.fill("input[name=town]", truth["town"])
        await page.keyboard.press("Enter")
        order = page.locator("[data-order]", has_text=NUMBER)
        await expect(order).to_contain_text("已投递")
        assert await accessibility(page) == []
        sheet = load_workbook(await exported("xlsx")).worksheets[0]
        assert any(cell.value == NUMBER for line in sheet.iter_rows(min_row=2) for cell in line)
        # Arrow keys walk over the rows; Enter opens the order's call.
        await order.locator("[data-row]").focus()
        await page.keyboard.press("End")
        await page.keyboard.press("Home")
        await expect(page.locator("[data-row]").first).to_be_focused()
        await order.locator("[data-row]").press("Enter")
        await page.wait_for_url(f"**/history/calls/{call_id}?tab=orders*")
        await expect(page.locator("[data-field=town] .value")).to_have_text(truth["town"])


async def test_agents_see_their_own(browser_stage: BrowserStage, browser: Browser, call_id: str) -> None:
    async with (
        browser_stage.seat(browser, "wangfang") as hers,
        browser_stage.seat(browser, "liqiang") as other,
    ):
        await hers.page.get_by_role("link", name="历史查询").click()
        await expect(hers.page.locator(f"[data-call='{call_id}']")).to_be_visible()
        await expect(hers.page.locator("[data-export]")).to_have_count(0)
        await hers.page.goto(f"{hers.url}/history/calls/{call_id}")
        await hers.page.locator(".sentence button").first.click()
        await hers.page.wait_for_function("() => document.querySelector('audio').currentTime > 0")
        await other.page.goto(f"{other.url}/history/calls/{call_id}")
        await expect(other.page.get_by_role("alert")).to_contain_text("无权查看")


async def test_several_recordings_of_one_call(
    browser_stage: BrowserStage, browser: Browser, call_id: str
) -> None:
    data = browser_stage.gateway.directory / "data"
    with sqlite3.connect(data / "hotline.db") as database:
        database.row_factory = sqlite3.Row
        (known,) = database.execute("SELECT * FROM recordings WHERE call_id = ?", (call_id,))
        second = dict(known) | {
            "id": f"{call_id}/9",
            "path": known["path"].replace(".wav", "-again.wav"),
            "offset": known["offset"] + known["duration"] + 20,
        }
        names = ", ".join(second)
        marks = ", ".join(f":{name}" for name in second)
        database.execute(f"INSERT INTO recordings ({names}) VALUES ({marks})", second)
    shutil.copy(data / "recordings" / known["path"], data / "recordings" / second["path"])
    async with browser_stage.seat(browser, "banzhang") as seat:
        page = seat.page
        await page.goto(f"{seat.url}/history/calls/{call_id}")
        await expect(page.locator("canvas")).to_have_attribute("data-drawn", "2")
        box = await page.locator(".waveform").bounding_box()
        assert box is not None
        # Shortly before the first one's end: it goes on with the second, over the silence between them.
        axis = 2 * known["duration"] + 20
        at = box["x"] + box["width"] * (known["duration"] - 1.5) / axis
        await page.mouse.click(at, box["y"] + 20)
        await page.keyboard.press("Space")
        await page.wait_for_function(
            """() => {
              const [first, second] = document.querySelectorAll('audio')
              return first.paused && second.currentTime > 0.3
            }"""
        )
        shown = await page.locator("[data-position]").inner_text()
        minutes, seconds = shown.split(" / ")[0].split(":")
        assert int(minutes) * 60 + int(seconds) >= int(second["offset"])
