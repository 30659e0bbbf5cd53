"""The agent's desk in real Chromiums: browser phones that ring, answer, transfer, and survive a reload."""

import asyncio
import json
import time

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.machine import CALLS
from tests.support.pbx import NUMBER, ami, pressed
from tests.support.sip.phones import SipCaller
from tests.support.sip.rtp import alaw_of_wav
from tests.support.stage import BrowserStage, accessibility, phone_ready

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

HOSTILE = "<script>document.title=666</script>"


async def composed(page: Page, field: Locator, pinyin: str, text: str) -> None:
    """Type as with an input method; the letters of the pinyin are nobody's word, however long one thinks."""
    saved: list[str] = []
    page.on("request", lambda asked: saved.append(asked.post_data or "") if asked.method == "PATCH" else None)
    method = await page.context.new_cdp_session(page)
    await field.fill("")
    await expect(page.locator("[data-unsaved='0']")).to_be_visible()
    at = len(pinyin)
    await method.send("Input.imeSetComposition", {"text": pinyin, "selectionStart": at, "selectionEnd": at})
    await asyncio.sleep(2)
    await expect(field).to_have_value(pinyin)
    await method.send("Input.insertText", {"text": text})
    await expect(field).to_have_value(text)
    await expect(page.locator("[data-unsaved='0']")).to_be_visible()
    await expect(field).to_have_value(text)
    assert text in json.loads(saved[-1])["fields"].values()
    assert not [body for body in saved if pinyin in body]


async def test_a_call_from_ring_to_order(desk_stage: BrowserStage, talker: Browser) -> None:
    truth = json.loads((CALLS / "d10.json").read_text(encoding="utf-8"))["truth"]
    ports = desk_stage.asterisk.options
    async with desk_stage.seat(talker, "wangfang") as seat, ami(desk_stage.asterisk) as events:
        page = seat.page
        await phone_ready(page)
        assert await accessibility(page) == []
        async with SipCaller(desk_stage.directory, ports.sip_port, "12345", NUMBER, HOSTILE) as caller:
            await pressed(events, caller, "0")
            await events.until("AgentCalled", 60)
            rang = time.monotonic()
            pop = page.locator("[data-pop]")
            await expect(pop).to_contain_text(NUMBER)
            # The screen-pop is there within a second of the ring.
            assert time.monotonic() - rang < 1.0
            await expect(pop.locator("[data-caller-name]")).to_have_text(HOSTILE)
            await expect(pop).to_contain_text("江苏")
            await expect(page.locator("[data-action=answer]")).to_be_visible()
            await page.keyboard.press("F2")
            await events.until("AgentConnect", 30)
            caller.voice.say(alaw_of_wav(CALLS / "d10-caller.wav"))
            await expect(page.locator("[data-action=hang-up]")).to_be_visible()
            # Both sides are heard: the caller's line, and what the browser's microphone says.
            await expect(page.locator(".said.caller").first).to_be_visible(timeout=60_000)
            await expect(page.locator(".said.agent").first).to_be_visible(timeout=60_000)
            assert not caller.voice.said.is_set(), "text comes while the caller still speaks"
            # What is typed stays, also over a reload the instant after, in mid-call; the call goes on.
            title = page.locator("[data-field=title] input")
            await title.fill("坐席写的标题")
            legs = len(page.context.pages)
            await page.reload()
            await expect(page.locator("[data-field=title] input")).to_have_value("坐席写的标题")
            await expect(page.locator("[data-action=hang-up]")).to_be_visible(timeout=20_000)
            await expect(page.locator(".state-bar")).to_have_attribute("data-state", "talking")
            await asyncio.sleep(3)
            assert caller.up, "the caller is still there after the reload"
            assert legs == len(page.context.pages) == 1
            before = await page.locator(".said.caller").count()
            await composed(page, page.locator("[data-field=wish] textarea"), "zao'yin", "管一管噪音")
            town = page.locator("[data-field=town] input")
            await expect(town).to_have_value(truth["town"], timeout=90_000)
            assert await page.locator(".said.caller").count() >= before
            assert await accessibility(page) == []
            # The sentence a field came from is shown, and can be heard while the call still runs.
            await page.locator("[data-field=town]").hover()
            await expect(page.locator("[data-field=town] .from")).to_be_visible()
            async with page.expect_response(lambda answer: "/clip" in answer.url) as clip:
                await page.locator("[data-field=town] .from button").click()
            assert (await clip.value).status in (200, 206)
            await asyncio.to_thread(caller.voice.said.wait, 90)
            await caller.hang_up()
        await expect(page.locator(".state-bar")).to_have_attribute("data-state", "wrap_up", timeout=20_000)
        # Nothing that was said or typed has gone with the call.
        await expect(page.locator("[data-field=title] input")).to_have_value("坐席写的标题")
        await expect(page.locator(".said.caller").first).to_be_visible()
        before_orders = len(desk_stage.receiver.orders)
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("[data-order-state=delivered]")).to_be_visible(timeout=30_000)
        assert len(desk_stage.receiver.orders) == before_orders + 1
        await page.keyboard.press("Alt+1")
        await expect(page.locator(".state-bar")).to_have_attribute("data-state", "available", timeout=20_000)
        assert await page.title() != "666"


async def test_two_agents_and_a_transfer(desk_stage: BrowserStage, talker: Browser) -> None:
    ports = desk_stage.asterisk.options
    async with (
        desk_stage.seat(talker, "wangfang") as first,
        desk_stage.seat(talker, "liqiang") as second,
        ami(desk_stage.asterisk) as events,
    ):
        await phone_ready(first.page)
        await phone_ready(second.page)
        async with SipCaller(desk_stage.directory, ports.sip_port, "12345", NUMBER, "caller") as caller:
            await pressed(events, caller, "0")
            await first.page.locator("[data-action=answer]").click(timeout=60_000)
            await expect(first.page.locator(".state-bar")).to_have_attribute("data-state", "talking")
            # Hold and mute, as the picture tells them back.
            hold, mute = (first.page.locator(f"[data-action={name}]") for name in ("hold", "mute"))
            await first.page.keyboard.press("F6")
            await expect(hold).to_have_attribute("aria-pressed", "true")
            await first.page.keyboard.press("F6")
            await expect(hold).to_have_attribute("aria-pressed", "false")
            await first.page.keyboard.press("F7")
            await expect(mute).to_have_attribute("aria-pressed", "true")
            await first.page.keyboard.press("F7")
            await expect(mute).to_have_attribute("aria-pressed", "false")
            # A colleague is found by the initials of the name, asked first, then given the caller.
            await first.page.keyboard.press("F8")
            await first.page.locator("[data-search] input, input[data-search]").first.fill("lq")
            await expect(first.page.locator("[data-target]")).to_have_count(1)
            # Element Plus makes a dialogue's head a banner beside the page's own: not ours to fix.
            found = await accessibility(first.page)
            assert [one for one in found if not one.startswith("landmark-")] == []
            await first.page.keyboard.press("Enter")
            await second.page.locator("[data-action=answer]").click(timeout=30_000)
            await first.page.locator("[data-action=complete]").click(timeout=30_000)
            await expect(second.page.locator("[data-pop]")).to_contain_text(NUMBER, timeout=20_000)
            await expect(second.page.locator(".state-bar")).to_have_attribute("data-state", "talking")
            await expect(first.page.locator(".state-bar")).not_to_have_attribute("data-state", "talking")
            assert caller.up
            await second.page.keyboard.press("F4")
            await expect(second.page.locator("[data-action=hang-up]")).to_have_count(0, timeout=20_000)
        # Nobody is left in wrap-up for whoever sits here next.
        await first.page.keyboard.press("Alt+1")
        await expect(first.page.locator(".state-bar")).to_have_attribute("data-state", "available")


async def test_a_forgotten_order_is_found_and_sent_off(desk_stage: BrowserStage, talker: Browser) -> None:
    ports = desk_stage.asterisk.options

    async def one_call(page: Page, number: str) -> str:
        """A call answered and over, its order left; the order's id."""
        async with (
            ami(desk_stage.asterisk) as events,
            SipCaller(desk_stage.directory, ports.sip_port, "12345", number, "caller") as caller,
        ):
            await pressed(events, caller, "0")
            await page.locator("[data-action=answer]").click(timeout=60_000)
            # Hung up before the PBX has joined them, it would be no call that is wrapped up.
            bar = page.locator(".state-bar")
            await expect(bar).to_have_attribute("data-state", "talking", timeout=20_000)
            await expect(page.locator("[data-pop]")).to_contain_text(number)
            await expect(page.locator(".order-form [data-order-state=draft]")).to_be_visible(timeout=30_000)
            await caller.hang_up()
        await expect(page.locator(".state-bar")).to_have_attribute("data-state", "wrap_up", timeout=20_000)
        await page.keyboard.press("Alt+1")
        await expect(page.locator(".state-bar")).to_have_attribute("data-state", "available", timeout=20_000)
        mine = await page.request.get(
            f"{desk_stage.url}/api/v1/history/orders?state=draft&limit=1&number={number}"
        )
        return str((await mine.json())["items"][0]["id"])

    async with desk_stage.seat(talker, "wangfang") as seat:
        page = seat.page
        await phone_ready(page)
        forgotten = await one_call(page, "13900139001")
        await one_call(page, "13900139002")
        # The newest order is on the desk; the one before it is a click away.
        await page.locator("[data-open-drafts=drafts]").click()
        drafts = page.locator(".open-drafts li")
        await expect(page.locator(f"[data-draft='{forgotten}']")).to_be_visible()
        left = await drafts.count()
        assert left >= 2
        assert await accessibility(page) == []
        await page.locator(f"[data-draft='{forgotten}']").click()
        await expect(page.locator("[data-pop]")).to_contain_text("13900139001")
        await page.locator("[data-field=title] input").fill("补交的工单")
        await expect(page.locator("[data-unsaved='0']")).to_be_visible()
        await page.keyboard.press("Control+Enter")
        await expect(page.locator(".order-form [data-order-state=draft]")).to_have_count(0)
        await expect(page.locator(f"[data-draft='{forgotten}']")).to_have_count(0)
        await expect(drafts).to_have_count(left - 1)
