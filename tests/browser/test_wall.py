"""The supervisor's wall in a real Chromium: callers wait, an agent answers, the supervisor steps in."""

import pytest
from playwright.async_api import Browser, expect

from tests.support.pbx import NUMBER, ami, pressed
from tests.support.sip.phones import SipAgent, SipCaller
from tests.support.sound import TONES, hears, tone, until_hears
from tests.support.stage import BrowserStage, accessibility

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

HOSTILE = "<img src=x onerror=alert(1)>"
COMMAND = """
async ([name, args]) => {
  const session = await (await fetch('/api/v1/session')).json()
  const answer = await fetch('/api/v1/commands', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': session.csrf },
    body: JSON.stringify({ id: crypto.randomUUID(), name, args }),
  })
  return answer.status
}
"""


async def test_a_supervisor_sees_listens_and_steps_in(browser_stage: BrowserStage, browser: Browser) -> None:
    ports = browser_stage.asterisk.options
    directory, sip, passwords = browser_stage.directory, ports.sip_port, ports.phone_passwords
    async with (
        browser_stage.seat(browser, "zhuguan") as seat,
        ami(browser_stage.asterisk) as events,
        SipAgent(directory, sip, "1003", passwords["1003"]) as lead,
    ):
        page = seat.page
        await page.goto(f"{seat.url}/wall")
        line = page.locator("[data-line='12345']")
        await expect(line).to_contain_text("目标 98.65%")
        # Her own phone takes no caller from the queue meanwhile.
        assert await page.evaluate(COMMAND, ["pause", {"reason": "会议"}]) == 200
        await expect(page.locator("[data-agent='1003']")).to_have_attribute("data-state", "paused")
        async with SipCaller(directory, sip, "12345", NUMBER, HOSTILE) as caller:
            caller.voice.say(tone(TONES["caller"]), repeat=True)
            await pressed(events, caller, "0")
            await expect(line.locator("[data-waiting]")).to_contain_text(NUMBER, timeout=60_000)
            await expect(page.locator("[data-figure=waiting] dd")).to_have_text("1")
            waits = line.locator("[data-waiting] .wait-time")
            await expect(waits).to_have_attribute("data-tone", "warn", timeout=40_000)
            async with SipAgent(directory, sip, "1001", passwords["1001"]) as phone:
                phone.voice.say(tone(TONES["1001"]), repeat=True)
                row = page.locator("[data-agent='1001']")
                await expect(row).to_have_attribute("data-state", "talking", timeout=60_000)
                await expect(line.locator("[data-waiting]")).to_have_count(0)
                await expect(row.locator(".call")).to_have_text(f"{NUMBER} {HOSTILE}")
                await expect(page.locator("[data-figure=offered] dd")).not_to_have_text("0")
                assert await accessibility(page) == []

                await row.click()
                await page.keyboard.press("Alt+L")
                await expect(page.locator(".action-bar .hearing")).to_contain_text("王芳", timeout=20_000)
                await until_hears(lead.voice, "caller")
                await until_hears(lead.voice, "1001")
                await page.click("[data-action=stop]")
                await expect(page.locator(".action-bar .hearing")).to_have_count(0)
                await expect(page.locator(".action-bar .told.done")).to_be_visible()

                await page.keyboard.press("Alt+P")
                ask = page.get_by_role("dialog")
                await expect(ask).to_contain_text("王芳")
                await ask.locator("select").select_option("培训")
                assert await accessibility(page) == []
                await ask.locator("[data-confirm]").click()
                await expect(page.locator(".action-bar .told.done")).to_contain_text("培训")
                # The conversation goes on: a pause stops new calls only.
                assert caller.up
                await caller.hang_up()
                await expect(row).to_have_attribute("data-state", "paused", timeout=30_000)
                await expect(row.locator(".state")).to_contain_text("培训")
                for agent in ("1001", "1003"):
                    assert await page.evaluate(COMMAND, ["unpause", {"agent": agent}]) == 200


async def test_a_supervisor_whispers_barges_and_takes_over(
    browser_stage: BrowserStage, browser: Browser
) -> None:
    ports = browser_stage.asterisk.options
    directory, sip, passwords = browser_stage.directory, ports.sip_port, ports.phone_passwords
    async with (
        browser_stage.seat(browser, "zhuguan") as seat,
        ami(browser_stage.asterisk) as events,
        SipAgent(directory, sip, "1003", passwords["1003"]) as lead,
        SipAgent(directory, sip, "1001", passwords["1001"]) as phone,
        SipCaller(directory, sip, "12345", NUMBER, HOSTILE) as caller,
    ):
        page = seat.page
        await page.goto(f"{seat.url}/wall")
        assert await page.evaluate(COMMAND, ["pause", {"reason": "会议"}]) == 200
        for name, voice in (("caller", caller.voice), ("1001", phone.voice), ("1003", lead.voice)):
            voice.say(tone(TONES[name]), repeat=True)
        await pressed(events, caller, "0")
        row = page.locator("[data-agent='1001']")
        await expect(row).to_have_attribute("data-state", "talking", timeout=60_000)
        await row.click()
        shown = page.locator(".action-bar [data-action]")
        await expect(shown).to_have_count(7)
        await expect(shown.locator(".key")).to_have_count(7)

        # Whisper: the agent hears the supervisor, the caller does not.
        await page.keyboard.press("Alt+W")
        await until_hears(phone.voice, "1003")
        await until_hears(lead.voice, "caller")
        assert not await hears(caller.voice, "1003")

        # Barge in, after being asked back: now the caller hears all three.
        await page.keyboard.press("Alt+B")
        ask = page.get_by_role("dialog")
        await expect(ask).to_contain_text("王芳")
        assert await accessibility(page) == []
        await page.keyboard.press("Escape")
        await expect(ask).to_have_count(0)
        assert not await hears(caller.voice, "1003"), "Escape asks for nothing"
        await page.keyboard.press("Alt+B")
        await ask.locator("[data-confirm]").click()
        await until_hears(caller.voice, "1003")
        await until_hears(caller.voice, "1001")
        assert HOSTILE in await row.locator(".call").inner_text()

        # Take over: the agent is out, the caller is with the supervisor.
        await page.keyboard.press("Alt+T")
        await ask.locator("[data-confirm]").click()
        await until_hears(caller.voice, "1001", wanted=False)
        await until_hears(caller.voice, "1003")
        await expect(page.locator("[data-agent='1003']")).to_have_attribute(
            "data-state", "talking", timeout=20_000
        )
        await expect(row).not_to_have_attribute("data-state", "talking")
        assert caller.up

        # Where agents are in their queues by configuration nobody is logged out, and the wall says why.
        await row.click()
        await page.keyboard.press("Alt+O")
        await ask.locator("[data-confirm]").click()
        await expect(page.locator(".action-bar .told.refused")).to_contain_text('login = "desk"')
        await caller.hang_up()
        assert await page.evaluate(COMMAND, ["unpause", {"agent": "1003"}]) == 200
        # Who did what to whom is on record.
        audit = await page.request.get(f"{seat.url}/api/v1/audit?limit=50")
        told = await audit.text()
        assert all(f'"{name}"' in told for name in ("whisper", "barge", "take_over"))


async def test_without_a_phone_the_wall_says_so(browser_stage: BrowserStage, browser: Browser) -> None:
    async with browser_stage.seat(browser, "banzhang") as seat:
        page = seat.page
        await page.locator("[data-agent='1001']").click()
        await expect(page.locator(".seatless")).to_contain_text("没有坐席话机")
        await expect(page.locator("[data-action=listen]")).to_be_disabled()
        # Filters and groups, by the keyboard.
        await page.keyboard.press("/")
        await page.keyboard.type("李")
        await expect(page.locator("[data-agent]")).to_have_count(1)
        await page.locator("[data-filter=text]").fill("")
        await page.locator("[data-filter=grouping]").select_option("line")
        await expect(page.locator(".agent-row.group").first).to_be_visible()
        assert await accessibility(page) == []


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160)])
async def test_the_big_screen_fits(
    browser_stage: BrowserStage, browser: Browser, size: tuple[int, int]
) -> None:
    viewport = {"width": size[0], "height": size[1]}
    async with browser_stage.seat(browser, "banzhang", viewport=viewport) as seat:
        page = seat.page
        await page.locator(".agent-roster").wait_for()
        await page.keyboard.press("F9")
        await page.wait_for_url("**/wall?screen=1")
        await page.locator(".day-curves canvas").wait_for()
        await expect(page.locator("main :is(button, select, input), .app-bar")).to_have_count(0)
        await expect(page.locator("html")).to_have_class("wall-screen dark")
        # All of it is in sight, nothing scrolls, and a rem grows with the screen.
        overflow = "document.documentElement.scrollHeight - innerHeight"
        assert await page.evaluate(overflow) <= 0
        rem = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
        assert await page.evaluate(rem) == size[0] / 120
        assert await accessibility(page) == []
        await page.keyboard.press("Escape")
        await expect(page.locator(".agent-roster")).to_be_visible()
        await expect(page.locator("html")).not_to_have_class("wall-screen dark")
