"""One gateway on one Asterisk and one Chromium for all browser tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from tests.browser.stage import BrowserStage, launch, staged


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserStage]:
    """The house, with everybody's accounts."""
    directory = tmp_path_factory.mktemp("browser")
    async with staged(directory, load_settings(EXAMPLE), edit=lambda text: text) as stage:
        yield stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium without a voice of its own."""
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        yield browser
        await browser.close()
