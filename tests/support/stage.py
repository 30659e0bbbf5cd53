"""What a browser test plays on: a real gateway process on a real Asterisk, people, a Chromium."""

import json
import os
import re
import shutil
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect

from agents.accounts.identity import Role
from agents.accounts.service import AccountService
from gateway.asterisk.ports import spare_tcp
from gateway.asterisk.private import PrivateAsterisk
from gateway.demo.alaw import alaw_of, decode
from gateway.demo.receiver import DemoReceiver
from gateway.factories import open_database
from gateway.settings import Settings, load_settings
from gateway.storage.accounts import AccountRepository
from tests.support.machine import ROOT, absent, needed_model
from tests.support.pbx import our_prompts, private
from tests.support.process import GatewayProcess

SECRET = "a secret of this test"
PASSWORD = "a password of this test"
PEOPLE: dict[str, tuple[Role, str | None]] = {
    "banzhang": (Role.SUPERVISOR, None),
    "zhuguan": (Role.SUPERVISOR, "1003"),
    "guanli": (Role.ADMIN, None),
    "wangfang": (Role.AGENT, "1001"),
    "liqiang": (Role.AGENT, "1002"),
    "chenjing": (Role.AGENT, "1003"),
}
"""Username -> role and agent: whoever may sign in with `PASSWORD`."""

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


def chromium() -> Path:
    """The system's Chromium; skips or fails where there is none."""
    found = (
        os.environ.get("HOTLINE_TEST_CHROMIUM")
        or shutil.which("chromium")
        or shutil.which("chromium-browser")
    )
    if not found:
        absent("CHROMIUM", "run `make chromium` as root on Debian")
    return Path(str(found))


def microphone(recording: Path, path: Path) -> Path:
    """Write `recording` (A-law WAV) to `path` as Chromium's microphone reads it: linear PCM."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(decode(alaw_of(recording)).tobytes())
    return path


async def launch(playwright: Playwright, *, voice: Path | None = None) -> Browser:
    """A headless Chromium whose microphone says what is in the WAV file `voice` (once), else a beep."""
    spoken = () if voice is None else (f"--use-file-for-fake-audio-capture={voice}%noloop",)
    return await playwright.chromium.launch(executable_path=chromium(), headless=True, args=[*FLAGS, *spoken])


@dataclass
class Seat:
    """One person's browser window. `faults` are what must not happen on any page."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        self.page.on("console", self._said)
        self.page.on("request", lambda request: self._asked(request.url))

    def _said(self, message: ConsoleMessage) -> None:
        # A refusal by the API is shown on the page; Chromium logs it as well.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.faults.append(f"asked another host: {url}")

    async def sign_in(self, username: str, password: str = PASSWORD) -> None:
        """Through the login page, by keyboard."""
        await self.page.goto(f"{self.url}/login")
        await self.page.fill("input[name=username]", username)
        await self.page.fill("input[name=password]", password)
        await self.page.keyboard.press("Enter")
        await self.page.locator("[data-connection=open]").wait_for()


@dataclass
class BrowserStage:
    """The house; `seat()` opens a window for somebody."""

    asterisk: PrivateAsterisk
    gateway: GatewayProcess
    receiver: DemoReceiver
    directory: Path
    outside_port: int = 0
    """UDP, 127.0.0.2: where calls that go outside arrive; 0: none may."""

    front: int = 0
    """The port by which browsers come; 0: the gateway's own."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.front or self.gateway.web}"

    async def create_accounts(self) -> None:
        """Everybody in `PEOPLE`."""
        database = open_database(load_settings(self.gateway.config))
        try:
            repository = AccountRepository(database)
            accounts = AccountService(repository, repository)
            for username, (role, agent) in PEOPLE.items():
                await accounts.create_account(username, PASSWORD, role, agent)
        finally:
            await database.close()

    @asynccontextmanager
    async def seat(self, browser: Browser, username: str | None = None, **more: Any) -> AsyncIterator[Seat]:
        """A window of its own (own cookies), signed in; at the end nothing faulty may have happened in it.

        `more` goes to Playwright's `new_context`. On a failure a screenshot is left in the stage's directory.
        """
        size: Any = {"width": 1366, "height": 768}
        context: BrowserContext = await browser.new_context(**({"viewport": size, "locale": "zh-CN"} | more))
        context.set_default_timeout(15_000)
        seat = Seat(await context.new_page(), self.url)
        try:
            if username is not None:
                await seat.sign_in(username)
            yield seat
            assert seat.faults == []
        except BaseException:
            shot = self.directory / f"failed-{username or 'nobody'}.png"
            await seat.page.screenshot(path=shot)
            print(f"screenshot: {shot}; faults: {seat.faults}")
            raise
        finally:
            await context.close()


@asynccontextmanager
async def staged(
    directory: Path, settings: Settings, *, edit: Callable[[str], str], **more: Any
) -> AsyncIterator[BrowserStage]:
    """A house on an Asterisk of its own, with everybody's accounts, up while the block runs.

    `edit` has the last word on the gateway's configuration file; `more` goes to `GatewayProcess`.
    """
    chromium()
    needed_model()
    if not (ROOT / "gateway" / "web" / "dist" / "index.html").exists():
        absent("THE BROWSER APP", "run `make web`")
    agi, audio = spare_tcp(), spare_tcp()
    async with (
        DemoReceiver(SECRET) as receiver,
        private(
            PrivateAsterisk,
            settings,
            directory / "asterisk",
            agi=f"127.0.0.1:{agi}",
            audiosocket=f"127.0.0.1:{audio}",
            provide=our_prompts,
        ) as asterisk,
    ):
        gateway = GatewayProcess(directory / "gateway", asterisk, agi, audio, receiver.url, SECRET, **more)
        gateway.config.write_text(edit(gateway.config.read_text(encoding="utf-8")), encoding="utf-8")
        async with gateway:
            stage = BrowserStage(asterisk, gateway, receiver, directory)
            await stage.create_accounts()
            yield stage


async def accessibility(page: Page, *, leave_out: Sequence[str] = ()) -> list[str]:
    """What axe-core finds against WCAG 2.1 A and AA, one line a finding; `leave_out`: CSS selectors."""
    if not AXE.is_file():
        absent("AXE-CORE", "run `make web`")
    # A colour half-way between two themes is nobody's; what pulses for good is not waited for.
    await page.evaluate(
        """() => Promise.race([
             Promise.allSettled(document.getAnimations().filter((one) =>
               Number.isFinite(one.effect?.getComputedTiming().endTime)).map((one) => one.finished)),
             new Promise((done) => setTimeout(done, 3000)),
           ])"""
    )
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    result = await page.evaluate(
        """([leftOut]) => axe.run({ exclude: leftOut.map((one) => [one]) }, {
             runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'],
           })""",
        [list(leave_out)],
    )
    return [
        f"{found['id']}: {found['help']}: {node['html'][:160]} {json.dumps(node['any'][:1])[:300]}"
        for found in result["violations"]
        for node in found["nodes"]
    ]


async def phone_ready(page: Page) -> None:
    """The browser's phone is registered and its agent free, whatever an earlier test left behind."""
    await expect(page.locator("[data-phone=registered]")).to_be_visible(timeout=20_000)
    bar = page.locator(".state-bar")
    idle = re.compile("available|wrap_up|paused|logged_out")
    await expect(bar).to_have_attribute("data-state", idle, timeout=20_000)
    if await bar.get_attribute("data-state") != "available":
        await page.keyboard.press("Alt+1")
    await expect(bar).to_have_attribute("data-state", "available", timeout=20_000)
