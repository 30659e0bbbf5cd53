"""What an agent can do with a call besides answering it, each by the key its button shows."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.ami_client import PlainAmi
from tests.support.desks import OUTSIDE
from tests.support.pbx import NUMBER, ami, pressed
from tests.support.sip.phones import SipCaller, SipOutside
from tests.support.sound import TONES, hears, tone, until_hears
from tests.support.stage import BrowserStage, accessibility, phone_ready

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

KEYLESS = """
() => [...document.querySelectorAll('.call-controls :is(.buttons, .consultation) button, .queue .pick')]
  .filter((one) => one.offsetParent !== null && !one.querySelector('.key'))
  .map((one) => one.innerText)
"""


QUALIFY_S = 3.0
"""How long Asterisk waits for the answer to a question whether somebody is there."""


async def reached(events: PlainAmi, aor: str) -> None:
    """The PBX finds somebody there, and no question put before says otherwise when its time is over."""

    def told() -> str:
        every = [one["ContactStatus"] for one in events.messages("ContactStatus") if one["AOR"] == aor]
        return every[-1] if every else ""

    while True:
        await events.send(Action="PJSIPQualify", Endpoint=aor)
        await until(lambda: told() == "Reachable")
        await asyncio.sleep(QUALIFY_S + 0.5)
        if told() == "Reachable":
            return


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outside(desk_stage: BrowserStage) -> AsyncIterator[SipOutside]:
    """Who answers calls that go outside; the PBX knows that the way there is open."""
    port = desk_stage.asterisk.options.sip_port
    async with (
        SipOutside(desk_stage.directory, port, desk_stage.outside_port) as answering,
        ami(desk_stage.asterisk) as events,
    ):
        answering.voice.say(tone(TONES["outside"]), repeat=True)
        await reached(events, "trunk")
        yield answering


async def state(page: Page, wanted: str) -> None:
    await expect(page.locator(".state-bar")).to_have_attribute("data-state", wanted, timeout=30_000)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - sound comes in another thread
            await asyncio.sleep(0.2)


async def every_action_shows_its_key(page: Page) -> None:
    assert await page.evaluate(KEYLESS) == []


async def found(page: Page, key: str, whom: str) -> Locator:
    """Open the search by its key and find somebody; its input."""
    await page.keyboard.press(key)
    search = page.locator("[data-search] input, input[data-search]").first
    await search.fill(whom)
    await expect(page.locator("[data-target]").first).to_be_visible()
    return search


async def chosen(page: Page, key: str, whom: str, then: str = "Enter") -> None:
    """`found`, and the first taken by a key; the search is closed then."""
    await (await found(page, key, whom)).press(then)
    await expect(page.locator("[data-target]")).to_have_count(0, timeout=20_000)


async def test_consultation_conference_and_keys(
    desk_stage: BrowserStage, talker: Browser, outside: SipOutside
) -> None:
    ports = desk_stage.asterisk.options
    async with (
        desk_stage.seat(talker, "wangfang") as seat,
        ami(desk_stage.asterisk) as events,
    ):
        page = seat.page
        await phone_ready(page)
        await every_action_shows_its_key(page)
        async with SipCaller(desk_stage.directory, ports.sip_port, "12345", NUMBER, "caller") as caller:
            caller.voice.say(tone(TONES["caller"]), repeat=True)
            await pressed(events, caller, "0")
            await expect(page.locator("[data-action=answer]")).to_be_visible(timeout=60_000)
            await every_action_shows_its_key(page)
            await page.keyboard.press("F2")
            await state(page, "talking")
            await every_action_shows_its_key(page)

            # Keys pressed on the pad reach the PBX as the caller's side would hear them.
            await page.keyboard.press("F10")
            pad = page.locator(".dial-pad")
            await expect(pad).to_be_visible()
            await every_action_shows_its_key(page)
            await pad.get_by_role("button", name="5", exact=True).click()
            await until(lambda: "5" in [one["Digit"] for one in events.messages("DTMFEnd")])
            await page.keyboard.press("F10")

            # The Enter with which an input method takes its characters chooses nobody.
            search = await found(page, "F8", OUTSIDE)
            await search.dispatch_event("keydown", {"key": "Enter", "isComposing": True})
            await asyncio.sleep(1)
            await expect(page.locator("[data-target]")).to_have_count(1)
            await search.press("Escape")
            await expect(page.locator("[data-target]")).to_have_count(0)

            # A consultation that is taken back: the caller is with the agent again.
            await chosen(page, "F8", OUTSIDE)
            heard = len(outside.voice.heard)
            await until(lambda: len(outside.voice.heard) > heard + 4_000)
            assert not await hears(caller.voice, "outside")
            # The unit sees the line's number, not who consults them.
            wire = outside.messages.read_text(errors="replace")
            assert "<sip:12345@" in wire.rsplit("INVITE sip:", 1)[1].split("To:")[0]
            assert "王芳" not in wire
            consulting = page.locator(".consultation")
            await expect(consulting.locator("[data-action=cancel]")).to_be_visible(timeout=20_000)
            await every_action_shows_its_key(page)
            await page.keyboard.press("Shift+F4")
            await expect(consulting).to_have_count(0, timeout=20_000)
            await state(page, "talking")
            assert caller.up

            # Three together: caller, agent and the unit hear each other.
            await chosen(page, "F9", OUTSIDE)
            await until_hears(caller.voice, "outside")
            await until_hears(outside.voice, "caller")
            await state(page, "talking")
            # The agent leaves; the two go on.
            await page.keyboard.press("F4")
            await state(page, "wrap_up")
            assert await hears(caller.voice, "outside")
            await caller.hang_up()
        await page.keyboard.press("Alt+1")
        await state(page, "available")


async def test_a_waiting_caller_is_picked_up_and_handed_on_at_once(
    desk_stage: BrowserStage, talker: Browser, outside: SipOutside
) -> None:
    ports = desk_stage.asterisk.options
    async with (
        desk_stage.seat(talker, "wangfang") as seat,
        ami(desk_stage.asterisk) as events,
    ):
        page = seat.page
        await phone_ready(page)
        # On a break nobody is rung, but who waits can be taken.
        await page.keyboard.press("Alt+2")
        await state(page, "paused")
        async with SipCaller(desk_stage.directory, ports.sip_port, "12345", NUMBER, "caller") as caller:
            await pressed(events, caller, "0")
            pick = page.locator("[data-pick]")
            await expect(pick).to_be_visible(timeout=60_000)
            await every_action_shows_its_key(page)
            await page.keyboard.press("Alt+P")
            await page.locator("[data-action=answer]").click(timeout=30_000)
            await state(page, "talking")
            await expect(page.locator("[data-pop]")).to_contain_text(NUMBER)
            await chosen(page, "F8", OUTSIDE, "Shift+Enter")
            await until_hears(caller.voice, "outside")
            await expect(page.locator("[data-action=hang-up]")).to_have_count(0, timeout=20_000)
            assert caller.up
            await caller.hang_up()
        await page.keyboard.press("Alt+1")
        await state(page, "available")


async def test_an_agent_calls_outside(desk_stage: BrowserStage, talker: Browser, outside: SipOutside) -> None:
    async with (
        desk_stage.seat(talker, "wangfang") as seat,
    ):
        page = seat.page
        await phone_ready(page)
        await chosen(page, "Alt+O", OUTSIDE)
        # The agent's own phone first, which answers by itself what its agent asked for.
        await state(page, "talking")
        await expect(page.locator(".call-controls .who")).to_contain_text(OUTSIDE, timeout=20_000)
        heard = len(outside.voice.heard)
        await until(lambda: len(outside.voice.heard) > heard + 4_000)
        await every_action_shows_its_key(page)
        await page.keyboard.press("F4")
        await expect(page.locator("[data-action=hang-up]")).to_have_count(0, timeout=20_000)


async def test_two_windows_of_one_agent(desk_stage: BrowserStage, talker: Browser) -> None:
    """The second shows the same call; the phone is the first's until it is asked for."""
    ports = desk_stage.asterisk.options
    async with desk_stage.seat(talker, "wangfang") as seat, ami(desk_stage.asterisk) as events:
        page = seat.page
        await phone_ready(page)
        async with SipCaller(desk_stage.directory, ports.sip_port, "12345", NUMBER, "caller") as caller:
            await pressed(events, caller, "0")
            await page.locator("[data-action=answer]").click(timeout=60_000)
            await state(page, "talking")
            other = await page.context.new_page()
            await other.goto(page.url)
            await expect(other.locator(".state-bar")).to_have_attribute("data-state", "talking")
            await expect(other.locator("[data-pop]")).to_contain_text(NUMBER)
            # What is typed in one is in the other, and saved once.
            await page.locator("[data-field=title] input").fill("两个窗口")
            await expect(page.locator("[data-unsaved='0']")).to_be_visible()
            await expect(other.locator("[data-field=title] input")).to_have_value("两个窗口", timeout=15_000)
            assert await accessibility(other) == []
            await other.close()
            await asyncio.sleep(2)
            assert caller.up, "closing one window ends no call"
            await state(page, "talking")
            await caller.hang_up()
        await state(page, "wrap_up")
        await page.keyboard.press("Alt+1")
        await state(page, "available")


async def test_a_supervisor_logs_an_agent_out(desk_stage: BrowserStage, talker: Browser) -> None:
    async with desk_stage.seat(talker, "wangfang") as seat, desk_stage.seat(talker, "banzhang") as lead:
        await phone_ready(seat.page)
        await lead.page.goto(f"{lead.url}/wall")
        row = lead.page.locator("[data-agent='1001']")
        await expect(row).to_have_attribute("data-state", "available", timeout=20_000)
        await row.click()
        await lead.page.keyboard.press("Alt+O")
        ask = lead.page.get_by_role("dialog")
        await expect(ask).to_contain_text("王芳")
        await ask.locator("[data-confirm]").click()
        await expect(row).to_have_attribute("data-state", "logged_out", timeout=20_000)
        await state(seat.page, "logged_out")
        audit = await lead.page.request.get(f"{lead.url}/api/v1/audit?limit=20")
        assert "force_log_out" in await audit.text()
        await seat.page.keyboard.press("Alt+1")
        await state(seat.page, "available")
