"""One gateway on one Asterisk and one Chromium for all browser tests."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from gateway.demo.receiver import DemoReceiver
from gateway.pbx.private import PrivateAsterisk
from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from ivr import prompts
from tests.browser.stage import BrowserStage, chromium, launch
from tests.integration.conftest import MODEL, ROOT, absent, needed_asterisk, void
from tests.integration.process import GatewayProcess, spare_port

SECRET = "a secret of this test"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserStage]:
    """The house, with everybody's accounts."""
    root = needed_asterisk(os.environ.get("HOTLINE_TEST_ASTERISK", ""))
    chromium()
    if not (MODEL / ".complete").exists():
        absent("THE WHISPER MODEL", "run `make model`")
    if not (ROOT / "gateway" / "web" / "dist" / "index.html").exists():
        absent("THE BROWSER APP", "run `make web`")
    directory = tmp_path_factory.mktemp("browser")
    agi, audio = spare_port(), spare_port()
    async with (
        DemoReceiver(SECRET) as receiver,
        PrivateAsterisk(
            load_settings(EXAMPLE),
            directory / "asterisk",
            agi=f"127.0.0.1:{agi}",
            audiosocket=f"127.0.0.1:{audio}",
            root=root if root.as_posix() != "/" else None,
            provide=lambda sounds: void(prompts.install(sounds)),
        ) as asterisk,
        GatewayProcess(directory / "gateway", asterisk, agi, audio, receiver.url, SECRET) as gateway,
    ):
        stage = BrowserStage(asterisk, gateway, receiver, directory)
        await stage.create_accounts()
        yield stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium without a voice of its own."""
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        yield browser
        await browser.close()
