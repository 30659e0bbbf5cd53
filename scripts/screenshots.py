"""Pictures of each page for docs/screenshots and README, from a running system (`make screenshots`).

A gateway with a private Asterisk, recorded calls, and people at real browsers: what they show is what it did.
Their microphones say what the agent said in the recorded call. It takes some five minutes.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page, Playwright, async_playwright, expect

from gateway.factories import OFFLINE_MODEL
from gateway.logs import configure
from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from gateway.standalone import CALLS, DemoCall, Standalone, run_standalone
from tests.support.stage import Seat, launch, microphone

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "screenshots"
RECORDED = ROOT / "gateway" / "demo" / "calls"
WINDOW = {"width": 1366, "height": 768}
SCREEN = {"width": 1920, "height": 1080}
MAX_BYTES = 200_000
WRAP_UP_S = 20.0
GENERAL, ENTERPRISE, TALENT = CALLS


@dataclass
class House:
    """The gateway, who may sign in, and the browsers open at it."""

    standalone: Standalone
    passwords: dict[str, str]
    stack: AsyncExitStack
    playwright: Playwright
    directory: Path
    pages: list[Page] = field(default_factory=list)

    async def seat(self, browser: Browser, username: str | None, size: dict[str, int] = WINDOW) -> Page:
        """A window, signed in."""
        window: Any = size
        context = await browser.new_context(viewport=window, locale="zh-CN", timezone_id="Asia/Shanghai")
        self.stack.push_async_callback(context.close)
        context.set_default_timeout(60_000)
        seat = Seat(await context.new_page(), f"http://127.0.0.1:{self.standalone.running.web_port}")
        self.pages.append(seat.page)
        if username is not None:
            await seat.sign_in(username, self.passwords[username])
        return seat.page

    async def agent(self, agent_id: str, call: DemoCall) -> Page:
        """An agent with a browser phone of their own, who says what the agent of `call` said."""
        voice = microphone(RECORDED / f"{call.name}-agent.wav", self.directory / f"{agent_id}.wav")
        browser = await launch(self.playwright, voice=voice)
        self.stack.push_async_callback(browser.close)
        page = await self.seat(browser, agent_id)
        await expect(page.locator("[data-phone=registered]")).to_be_visible(timeout=60_000)
        await expect(page.locator(".state-bar")).to_have_attribute("data-state", "available", timeout=60_000)
        return page

    async def delivered(self, count: int) -> None:
        """Once so many orders have reached the work-order system."""
        receiver = self.standalone.receiver
        async with asyncio.timeout(240), receiver.arrived:
            await receiver.arrived.wait_for(lambda: len(receiver.orders) >= count)


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    """A gateway on temporary data and spare ports."""
    with tempfile.TemporaryDirectory(prefix="hotline-") as name:
        directory = Path(name)
        config = directory / "hotline.toml"
        # The pages show paths: those of this machine's checkout are nobody's business.
        (directory / "model").symlink_to(OFFLINE_MODEL.absolute())
        config.write_text(
            f'data_dir = "{directory}/data"\n[asr]\nmodel = "{directory}/model"\n[log]\nlevel = "WARNING"\n',
            encoding="utf-8",
        )
        settings = load_settings(config)
        http = settings.http.model_copy(update={"port": 0, "stream_port": 0})
        lines = [line.model_copy(update={"wrap_up_s": WRAP_UP_S}) for line in load_settings(EXAMPLE).lines]
        configure(settings.log.level, settings.log.format)
        async with (
            AsyncExitStack() as outer,
            run_standalone(
                settings.model_copy(update={"http": http, "lines": lines}), kind="asterisk", say=say
            ) as standalone,
            async_playwright() as playwright,
            AsyncExitStack() as stack,
        ):
            outer.callback(say, "stopped")
            if standalone.running.pool is not None:
                await standalone.running.pool.wait_ready(300)
            yield House(standalone, dict(standalone.accounts), stack, playwright, directory)


def say(text: str) -> None:
    """Progress, with the time."""
    print(f"==> {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


async def shoot(page: Page, name: str) -> None:
    """Write docs/screenshots/NAME.png of the window as it is."""
    path = TARGET / f"{name}.png"
    # Where the pointer rests, something may be highlighted.
    await page.mouse.move(0, 0)
    picture = Image.open(BytesIO(await page.screenshot(animations="disabled"))).convert("RGB")
    # 256 colours are enough for a page of text, at a third of the size; chosen so that rare ones stay.
    few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    say(f"{name}.png, {path.stat().st_size // 1000} kB")


async def filled(page: Page, fields: Sequence[str], said: int) -> None:
    """Once those fields are filled and so many sentences of the caller stand there."""
    for name in fields:
        await expect(page.locator(f"[data-field={name}] input")).not_to_have_value("", timeout=90_000)
    await expect(page.locator(".said.caller").nth(said - 1)).to_be_visible(timeout=90_000)


async def pictures(at: House) -> None:
    """The whole story, from the first caller to the administrator."""
    place = at.standalone.place
    plain = await launch(at.playwright)
    at.stack.push_async_callback(plain.close)
    login = await at.seat(plain, None)
    await login.goto(f"http://127.0.0.1:{at.standalone.running.web_port}/login")
    await login.locator("[data-demo]").first.wait_for()
    await shoot(login, "login")

    say("nobody has a browser open: recorded voices answer on all three lines")
    for call in CALLS:
        await place(call)
    await at.delivered(3)

    say("1001 takes a call of somebody who has called before")
    first = await at.agent("1001", GENERAL)
    await place(GENERAL)
    await first.locator("[data-action=answer]").wait_for()
    await first.locator("[data-pop] [data-caller-name]").wait_for()
    await asyncio.sleep(1.5)
    await shoot(first, "desk-ringing")
    await first.keyboard.press("F2")
    await filled(first, ("town", "title"), 3)
    await expect(first.locator("[data-action=hang-up]")).to_be_visible()
    await shoot(first, "desk")
    await expect(first.locator(".state-bar")).to_have_attribute("data-state", "wrap_up", timeout=90_000)
    await first.keyboard.press("Alt+Shift+D")
    await first.keyboard.press("Alt+Shift+L")
    await asyncio.sleep(1)
    await shoot(first, "desk-dark-english")
    await first.keyboard.press("Alt+Shift+D")
    await first.keyboard.press("Alt+Shift+L")
    await at.delivered(4)
    await first.keyboard.press("Alt+1")
    await expect(first.locator(".state-bar")).to_have_attribute("data-state", "available", timeout=60_000)

    say("a busy moment: three calls, a fourth waits, one agent is away")
    second = await at.agent("1002", ENTERPRISE)
    third = await at.agent("1003", TALENT)
    await third.keyboard.press("Alt+2")
    await expect(third.locator(".state-bar")).to_have_attribute("data-state", "paused")
    supervisor = await at.seat(plain, "banzhang")
    screen = await at.seat(plain, "banzhang", SCREEN)
    await screen.goto(f"{screen.url.rpartition('/')[0]}/wall?screen=1")
    await place(replace(GENERAL, number="13962831175", caller="季先生"))
    await first.locator("[data-action=answer]").click()
    await place(ENTERPRISE)
    await second.locator("[data-action=answer]").click()
    await place(TALENT)
    await asyncio.sleep(6)
    await place(replace(TALENT, number="13606290518", caller="缪女士"))
    await asyncio.sleep(14)
    await shoot(supervisor, "wall")
    await shoot(screen, "wall-screen")
    for page in (first, second):
        await expect(page.locator(".state-bar")).to_have_attribute("data-state", "wrap_up", timeout=120_000)
    await at.delivered(8)

    say("looking back")
    url = supervisor.url.rpartition("/")[0]
    await supervisor.goto(f"{url}/history")
    await supervisor.locator("[data-row]").nth(7).wait_for()
    await shoot(supervisor, "history")
    await supervisor.goto(f"{url}/history?agent=1001&number={GENERAL.number}")
    await supervisor.locator("[data-row]").first.click()
    await supervisor.locator(".sentence").first.wait_for()
    await expect(supervisor.locator("canvas")).to_have_attribute("data-drawn", "1")
    await supervisor.locator(".sentence .word").nth(6).click()
    await asyncio.sleep(4)
    await shoot(supervisor, "call")

    admin = await at.seat(plain, "guanli")
    await admin.goto(f"{url}/admin/overview")
    await admin.locator("table").first.wait_for()
    await asyncio.sleep(1)
    await shoot(admin, "admin-overview")
    await admin.goto(f"{url}/admin/doctor")
    await examined(admin)
    await shoot(admin, "admin-doctor")


async def examined(page: Page) -> None:
    """The doctor has made his round."""
    await page.locator("[data-action=doctor]").click()
    await page.locator("[data-finding]").first.wait_for(timeout=120_000)


async def main() -> int:
    TARGET.mkdir(parents=True, exist_ok=True)
    async with house() as at:
        try:
            await pictures(at)
        except BaseException:
            for index, page in enumerate(at.pages):
                path = Path(tempfile.gettempdir()) / f"hotline-screenshots-failed-{index}.png"
                await page.screenshot(path=path)
                say(f"what stood there: {path}")
            raise
    large = [one.name for one in TARGET.glob("*.png") if one.stat().st_size > MAX_BYTES]
    if large:
        print(f"larger than {MAX_BYTES // 1000} kB: {', '.join(sorted(large))}", file=sys.stderr)
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
