"""The desk of an agent who has a phone of her own: chosen by a key, worked through the gateway."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from tests.support.pbx import NUMBER, ami, pressed
from tests.support.sip.phones import SipAgent, SipCaller
from tests.support.stage import BrowserStage, accessibility, staged

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

PHONE = "PJSIP/1001-desk"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def two_phones(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserStage]:
    """A house of browser phones, in which 1001 has a phone on the desk as well."""
    settings = load_settings(EXAMPLE)
    first, *others = (agent.model_copy(update={"softphone": True}) for agent in settings.agents)
    agents = [first.model_copy(update={"desk_phone": PHONE}), *others]

    def edit(text: str) -> str:
        return text.replace('phone = "PJSIP/1001"\n', f'phone = "PJSIP/1001"\ndesk_phone = "{PHONE}"\n')

    async with staged(
        tmp_path_factory.mktemp("two-phones"),
        settings.model_copy(update={"agents": agents}),
        edit=edit,
        softphones=True,
        live=False,
    ) as stage:
        yield stage


def desk_phone(stage: BrowserStage, **habits: Any) -> SipAgent:
    """It answers when the PBX says so, unless it only rings."""
    options = stage.asterisk.options
    password = options.phone_passwords["1001-desk"]
    return SipAgent(stage.directory, options.sip_port, "1001-desk", password, ring_s=None, **habits)


async def shows(page: Page, kind: str, line: str, state: str) -> None:
    await expect(page.locator(f"[data-phone={line}][data-phone-kind={kind}]")).to_be_visible(timeout=20_000)
    await expect(page.locator(".state-bar")).to_have_attribute("data-state", state, timeout=20_000)


async def test_a_phone_on_the_desk_is_chosen_seen_and_commanded(
    two_phones: BrowserStage, browser: Browser
) -> None:
    sip = two_phones.asterisk.options.sip_port
    async with two_phones.seat(browser, "wangfang") as seat:
        page = seat.page
        trouble = page.locator(".phone-panel [role=alert]")
        hint = page.locator(".call-controls .by-hand")
        await shows(page, "browser", "registered", "available")
        await expect(page.locator("[data-action=devices]")).to_be_visible()
        await expect(page.locator("[data-action=use-phone] .key")).to_have_text("Alt+Shift+P")

        # Chosen by its key; it is not plugged in yet, and the desk says what to do.
        await page.keyboard.press("Alt+Shift+P")
        await shows(page, "desk", "unreachable", "unreachable")
        await expect(trouble).to_contain_text(PHONE)
        await expect(page.locator("[data-action=devices]")).to_have_count(0)
        assert await accessibility(page) == []

        async with desk_phone(two_phones):
            await shows(page, "desk", "registered", "available")
            await expect(trouble).to_have_count(0)
            # The choice outlives the page, and the browser leaves the telephone alone.
            await page.reload()
            await shows(page, "desk", "registered", "available")
            contacts = await two_phones.asterisk.cli("pjsip show contacts")
            assert "1001-desk/sip:" in contacts
            assert " 1001/sip:" not in contacts

            async with (
                ami(two_phones.asterisk) as events,
                SipCaller(two_phones.directory, sip, "12345", NUMBER, "caller") as caller,
            ):
                await pressed(events, caller, "0")
                await expect(page.locator("[data-pop]")).to_contain_text(NUMBER, timeout=60_000)
                await expect(hint).to_be_visible()
                await expect(page.locator("[data-action=use-phone]")).to_be_disabled()
                assert await accessibility(page) == []
                await page.keyboard.press("F2")
                await shows(page, "desk", "registered", "talking")
                await expect(hint).to_have_count(0)
                await expect(page.locator("[data-action=pad]")).to_have_count(0)
                for key, name in (("F6", "hold"), ("F7", "mute")):
                    button = page.locator(f"[data-action={name}]")
                    for now in ("true", "false"):
                        await page.keyboard.press(key)
                        await expect(button).to_have_attribute("aria-pressed", now)
                assert caller.up
                await page.keyboard.press("F4")
                await shows(page, "desk", "registered", "available")

            # Calling out: her own phone first, then the colleague's.
            async with two_phones.seat(browser, "liqiang") as colleague:
                await shows(colleague.page, "browser", "registered", "available")
                await page.keyboard.press("Alt+O")
                await page.locator("[data-search] input, input[data-search]").first.fill("lq")
                await expect(page.locator("[data-target]")).to_have_count(1)
                await page.keyboard.press("Enter")
                await expect(hint).to_be_visible()
                await page.keyboard.press("F2")
                await colleague.page.locator("[data-action=answer]").click(timeout=30_000)
                await shows(page, "desk", "registered", "talking")
                await page.keyboard.press("F4")
                await shows(page, "desk", "registered", "available")

        # A phone that cannot be told to answer: the desk says so, and her hand on the receiver is needed.
        async with (
            desk_phone(two_phones, answers=False),
            ami(two_phones.asterisk) as events,
            SipCaller(two_phones.directory, sip, "12345", NUMBER, "caller") as caller,
        ):
            await pressed(events, caller, "0")
            await page.locator("[data-action=answer]").click(timeout=60_000)
            await expect(page.locator(".call-controls .by-hand.deaf")).to_be_visible()
            await caller.hang_up()
            await shows(page, "desk", "registered", "available")

        await page.locator("[data-action=use-phone]").click()
        await shows(page, "browser", "registered", "available")
