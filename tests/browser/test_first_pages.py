"""Signing in, and a real call as its agent and the supervisor see it, in a real Chromium."""

import asyncio
import json

import pytest
from playwright.async_api import Browser, expect

from asr.evaluate import cer
from domain.calls import Side
from tests.support.machine import CALLS
from tests.support.pbx import NUMBER, ami, pressed
from tests.support.sip.phones import SipAgent, SipCaller
from tests.support.sip.rtp import alaw_of_wav
from tests.support.stage import BrowserStage, accessibility
from workorders import filling

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

HOSTILE = "<img src=x onerror=alert(1)>"


async def test_nobody_gets_in_without_signing_in(browser_stage: BrowserStage, browser: Browser) -> None:
    async with browser_stage.seat(browser) as seat:
        page = seat.page
        await page.goto(f"{seat.url}/wall")
        await page.wait_for_url("**/login?to=/wall")
        assert await accessibility(page) == []
        await page.fill("input[name=username]", "banzhang")
        await page.fill("input[name=password]", "wrong password")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("账号或密码不正确")
        assert await accessibility(page) == []
        await page.fill("input[name=password]", "a password of this test")
        await page.keyboard.press("Enter")
        # Where she wanted to go in the first place.
        await page.wait_for_url("**/wall")
        await page.locator("[data-connection=open]").wait_for()
        await page.click("[data-action=sign-out]")
        await page.wait_for_url("**/login")
        await page.goto(f"{seat.url}/wall")
        await page.wait_for_url("**/login?to=/wall")


async def test_pages_are_for_those_who_may(browser_stage: BrowserStage, browser: Browser) -> None:
    async with browser_stage.seat(browser, "liqiang") as seat:
        await seat.page.wait_for_url("**/desk")
        await expect(seat.page.get_by_role("link", name="班长席")).to_have_count(0)
        await seat.page.goto(f"{seat.url}/wall")
        await seat.page.wait_for_url("**/desk")
        await seat.page.goto(f"{seat.url}/no/such/page")
        await expect(seat.page.get_by_role("heading")).to_have_text("没有这个页面")
    async with browser_stage.seat(browser, "banzhang") as seat:
        await seat.page.wait_for_url("**/wall")
        await expect(seat.page.get_by_role("link", name="坐席台")).to_have_count(0)


async def test_language_dark_mode_and_keys(browser_stage: BrowserStage, browser: Browser) -> None:
    async with browser_stage.seat(browser, "banzhang") as seat:
        page = seat.page
        await expect(page.get_by_role("heading", name="通话")).to_be_visible()
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_contain_text("切换深色模式")
        assert await accessibility(page) == []
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await page.keyboard.press("Alt+Shift+D")
        await expect(page.locator("html")).to_have_class("dark")
        assert await accessibility(page) == []
        await page.get_by_role("button", name="EN").click()
        await expect(page.get_by_role("heading", name="Calls")).to_be_visible()
        # Kept over a reload.
        await page.reload()
        await expect(page.get_by_role("heading", name="Calls")).to_be_visible()
        await expect(page.locator("html")).to_have_class("dark")


async def test_a_call_is_seen_as_it_happens(browser_stage: BrowserStage, browser: Browser) -> None:
    truth = json.loads((CALLS / "d10.json").read_text(encoding="utf-8"))
    ports = browser_stage.asterisk.options
    async with (
        browser_stage.seat(browser, "wangfang") as agent,
        browser_stage.seat(browser, "liqiang") as other,
        browser_stage.seat(browser, "banzhang") as supervisor,
        ami(browser_stage.asterisk) as events,
        SipAgent(browser_stage.directory, ports.sip_port, "1001", ports.phone_passwords["1001"]) as phone,
    ):
        mine = agent.page.locator(".state-bar")
        await expect(mine).to_have_attribute("data-state", "available")
        async with SipCaller(browser_stage.directory, ports.sip_port, "12345", NUMBER, HOSTILE) as caller:
            await pressed(events, caller, "0")
            card = agent.page.locator("[data-pop]")
            await expect(card).to_contain_text(NUMBER, timeout=60_000)
            # What the caller's carrier says is text, never HTML.
            await expect(card.locator("[data-caller-name]")).to_have_text(HOSTILE)
            connected = await events.until("AgentConnect", 60)
            # Other tests' orders are on the wall too, and delivered already.
            order_id = filling.order_id(f"{browser_stage.asterisk.pbx.name}-{connected['Linkedid']}")
            caller.voice.say(alaw_of_wav(CALLS / "d10-caller.wav"))
            phone.voice.say(alaw_of_wav(CALLS / "d10-agent.wav"))
            await expect(mine).to_have_attribute("data-state", "talking")
            row = supervisor.page.locator("[data-agent='1001']")
            await expect(row).to_have_attribute("data-state", "talking")
            # Text appears while they speak, and the order fills itself.
            for seat in (agent, supervisor):
                await expect(seat.page.locator(".said.caller").first).to_be_visible(timeout=60_000)
                await expect(seat.page.locator(".said.agent").first).to_be_visible(timeout=60_000)
            assert not caller.voice.said.is_set()
            town = agent.page.locator("[data-field=town] input")
            await expect(town).to_have_value(truth["truth"]["town"], timeout=90_000)
            assert await accessibility(agent.page) == []
            assert await accessibility(supervisor.page) == []
            await expect(other.page.locator("[data-pop]")).to_have_count(0)
            await asyncio.to_thread(caller.voice.said.wait, 90)
            await caller.hang_up()
        said = truth["turns"]
        spoken = "".join(turn["text"] for turn in said if turn["speaker"] == Side.CALLER.value)
        heard = "".join(await agent.page.locator(".said.caller .text").all_inner_texts())
        assert cer(spoken, heard) < 0.6
        await expect(mine).to_have_attribute("data-state", "available", timeout=30_000)
        order = supervisor.page.locator(f"[data-order='{order_id}']")
        await expect(order).to_contain_text("已投递", timeout=60_000)
        await expect(order).to_contain_text(truth["truth"]["town"])
        assert browser_stage.receiver.orders
