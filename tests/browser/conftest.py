"""Two houses for all browser tests: in one the phones are SIP phones, in the other browsers."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from gateway.asterisk.ports import spare_udp
from gateway.settings import DeskSettings, OutboundRule, OutboundSettings, load_settings
from gateway.settings.load import EXAMPLE
from tests.support.machine import CALLS
from tests.support.stage import BrowserStage, launch, microphone, staged

MOBILE = "1[3-9]XXXXXXXXX"
"""What may be called outside."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserStage]:
    """The house, with everybody's accounts."""
    directory = tmp_path_factory.mktemp("browser")
    async with staged(directory, load_settings(EXAMPLE), edit=lambda text: text, partials=True) as stage:
        yield stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium without a voice of its own."""
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def desk_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserStage]:
    """A house in which phones are browsers; agents log in at the desk and send off their own orders."""
    settings = load_settings(EXAMPLE)
    outside_port = spare_udp("127.0.0.2")
    contact = f"sip:127.0.0.2:{outside_port}"
    agents = [agent.model_copy(update={"softphone": True}) for agent in settings.agents]

    def edit(text: str) -> str:
        text = text.replace('submit = "on_hangup"', 'submit = "agent"')
        # Where agents can think again; on the other lines orders leave at once.
        text = text.replace('send_after_s = 0\nid = "yiqilai"', 'send_after_s = 6\nid = "yiqilai"')
        text = text.replace("wrap_up_s = 0 ", "wrap_up_s = 60 ").replace('login = "always"', 'login = "desk"')
        return f'{text}\n[outbound]\ncontact = "{contact}"\n[[outbound.allow]]\npatterns = ["{MOBILE}"]\n'

    async with staged(
        tmp_path_factory.mktemp("desk"),
        settings.model_copy(
            update={
                "agents": agents,
                "desk": DeskSettings(login="desk"),
                "outbound": OutboundSettings(allow=[OutboundRule(patterns=[MOBILE])], contact=contact),
            }
        ),
        edit=edit,
        partials=True,
        softphones=True,
    ) as stage:
        stage.outside_port = outside_port
        yield stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def talker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A Chromium whose microphone speaks the agent's part of a recorded conversation."""
    voice = microphone(CALLS / "d10-agent.wav", tmp_path_factory.mktemp("voice") / "agent.wav")
    async with async_playwright() as playwright:
        browser = await launch(playwright, voice=voice)
        yield browser
        await browser.close()
