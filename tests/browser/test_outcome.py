"""The end of a call at the desk: one key for what became of it, and a moment to think again."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.pbx import ami, pressed
from tests.support.sip.phones import SipCaller
from tests.support.stage import SECRET, BrowserStage, accessibility, phone_ready
from tests.support.statuses import signed

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

CITIZEN = "13900139011"


@asynccontextmanager
async def talking(stage: BrowserStage, page: Page) -> AsyncIterator[SipCaller]:
    """A citizen talks with the agent at the desk, on a line whose orders wait before they leave."""
    async with (
        ami(stage.asterisk) as events,
        SipCaller(stage.directory, stage.asterisk.options.sip_port, "12345", CITIZEN, "caller") as caller,
    ):
        await pressed(events, caller, "1")
        await page.locator("[data-action=answer]").click(timeout=60_000)
        await expect(page.locator(".state-bar")).to_have_attribute("data-state", "talking", timeout=20_000)
        await expect(page.locator(".order-form [data-order-state=draft]")).to_be_visible(timeout=30_000)
        yield caller


async def test_the_outcome_of_a_call_and_a_second_thought(desk_stage: BrowserStage, talker: Browser) -> None:
    received = desk_stage.receiver.orders
    async with desk_stage.seat(talker, "liqiang") as seat:
        page = seat.page
        await phone_ready(page)
        form = page.locator(".order-form")
        async with talking(desk_stage, page) as caller:
            # Nothing is chosen by itself; the keys stand on the buttons.
            await expect(page.locator("[data-outcome][aria-pressed=true]")).to_have_count(0)
            await expect(page.locator("[data-outcome=answered]")).to_contain_text("Alt+5")
            await page.keyboard.press("Alt+5")
            await expect(page.locator("[data-outcome=answered][aria-pressed=true]")).to_be_visible()
            await expect(page.locator("[data-detail=answer]")).to_be_focused()
            await page.keyboard.type("凭身份证网上办理")
            assert await accessibility(page) == []
            before = len(received)
            await caller.hang_up()
        # The order is about to leave, and can be kept.
        await expect(page.locator("[data-leaving]")).to_be_visible(timeout=20_000)
        assert await accessibility(page) == []
        await page.keyboard.press("Alt+z")
        await expect(page.locator("[data-leaving]")).to_have_count(0)
        await expect(form.locator("[data-order-state=draft]")).to_be_visible()
        await page.wait_for_timeout(8_000)
        assert len(received) == before
        await expect(page.locator("[data-detail=answer]")).to_have_value("凭身份证网上办理")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("[data-leaving]")).to_be_visible()
        await expect(form.locator("[data-order-state=delivered]")).to_be_visible(timeout=30_000)
        (answered,) = received[before:]
        assert (answered["status"], answered["outcome"]["kind"]) == ("closed", "answered")
        assert (answered["outcome"]["answer"], answered["outcome"]["by"]) == ("凭身份证网上办理", "liqiang")

        # What has left can be corrected, and goes out again.
        await page.keyboard.press("Alt+g")
        await expect(page.locator("[data-correcting]")).to_be_visible()
        assert await accessibility(page) == []
        await page.locator("[data-field=title] input").fill("网上办理居住证")
        await expect(page.locator("[data-unsaved='0']")).to_be_visible()
        await page.keyboard.press("Control+Enter")
        await expect(form.locator("[data-order-state=delivered]")).to_be_visible(timeout=30_000)
        corrected = received[-1]
        assert (corrected["id"], corrected["changes"]) == (answered["id"], ["title"])
        assert corrected["revision"] > answered["revision"]

        # What becomes of it comes back, and the citizen's next call shows it.
        told = {"order": answered["id"], "status": "签收", "unit": "区住建局", "deadline": time.time() + 7200}
        headers, body = signed(SECRET, told)
        answer = await page.request.post(
            f"{desk_stage.url}/api/v1/inbound/main/status", data=body, headers=headers
        )
        assert answer.status == 200

        # The same citizen once more: the call adds to that order.
        async with talking(desk_stage, page) as caller:
            status = page.locator("[data-pop] [data-step=signed]")
            await expect(status).to_contain_text("区住建局 签收")
            await expect(status.locator("[data-due=soon]")).to_be_visible()
            assert await accessibility(page) == []
            await page.keyboard.press("Alt+6")
            joins = page.locator(f"[data-join='{answered['id']}']")
            await expect(joins).to_be_visible(timeout=20_000)
            if await joins.get_attribute("aria-pressed") != "true":
                await joins.click()
            await expect(joins).to_have_attribute("aria-pressed", "true")
            await page.locator("[data-urges]").check()
            await caller.hang_up()
        await expect(form.locator("[data-order-state=dropped]")).to_be_visible(timeout=40_000)
        await expect(page.locator("[data-outcome=joined]")).to_be_disabled()
        again = received[-1]
        assert (again["id"], again["revision"]) == (answered["id"], corrected["revision"] + 1)
        (added,) = again["supplements"]
        assert (added["urges"], added["by"]) == (True, "liqiang")

        # No request at all: it asks for a reason, and nothing leaves.
        async with talking(desk_stage, page) as caller:
            await page.keyboard.press("Alt+8")
            reason = page.locator("[data-reason=nuisance]")
            await expect(reason).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(reason).to_have_attribute("aria-pressed", "true")
            count = len(received)
            await caller.hang_up()
        await expect(form.locator("[data-order-state=dropped]")).to_be_visible(timeout=40_000)
        assert len(received) == count

        # Sent back with its reason, it is on the desk of who wrote it.
        told = {"order": answered["id"], "status": "退单", "unit": "区住建局", "text": "不属于本单位职责"}
        headers, body = signed(SECRET, told)
        await page.request.post(f"{desk_stage.url}/api/v1/inbound/main/status", data=body, headers=headers)
        await page.reload()
        await page.locator("[data-open-drafts=returned]").click()
        back = page.locator(f"[data-draft='{answered['id']}']")
        await expect(back).to_contain_text("不属于本单位职责")
        assert await accessibility(page) == []
        await back.click()
        await expect(page.locator("[data-action=correct]")).to_be_visible()

        # History finds calls by it.
        await page.goto(f"{desk_stage.url}/history?tab=orders&outcome=answered")
        row = page.locator("tbody tr").filter(has=page.locator("[data-outcome=answered]"))
        await expect(row.first).to_contain_text(re.compile("直接答复"))
        assert await accessibility(page) == []


async def test_a_second_matter_gets_an_order_of_its_own(desk_stage: BrowserStage, talker: Browser) -> None:
    received = desk_stage.receiver.orders
    async with desk_stage.seat(talker, "liqiang") as seat:
        page = seat.page
        await phone_ready(page)
        title, current = (
            page.locator("[data-field=title] input"),
            page.locator("[data-matter][aria-current=true]"),
        )
        before = len(received)
        async with talking(desk_stage, page) as caller:
            await expect(page.locator("[data-matter]")).to_have_count(1)
            before_it = await title.bounding_box()
            await title.fill("路灯不亮")
            await expect(page.locator("[data-action=add-order]")).to_contain_text("Alt+N")
            # In mid-word: what is typed is the first order's.
            await page.keyboard.press("Alt+n")
            await expect(page.locator("[data-matter]")).to_have_count(2)
            await expect(current).to_have_attribute("data-matter", "2")
            await expect(title).to_have_value("")
            assert await title.bounding_box() == before_it, "nothing moves under the hand"
            await title.fill("拖欠工资")
            await page.keyboard.press("Alt+5")
            await expect(page.locator("[data-outcome=answered][aria-pressed=true]")).to_be_visible()
            assert await accessibility(page) == []
            await page.keyboard.press("Alt+j")
            await expect(current).to_have_attribute("data-matter", "1")
            await expect(title).to_have_value("路灯不亮")
            await expect(page.locator("[data-outcome][aria-pressed=true]")).to_have_count(0)
            await caller.hang_up()
        # The one was answered and leaves by itself; the other is the agent's to send.
        await page.keyboard.press("Control+Enter")
        async with desk_stage.receiver.arrived:
            await asyncio.wait_for(
                desk_stage.receiver.arrived.wait_for(lambda: len(received) >= before + 2), 60
            )
        one, other = sorted(received[before:], key=lambda order: order["number"])
        assert (one["number"], other["number"]) == (1, 2)
        assert one["call"]["id"] == other["call"]["id"]
        assert one["id"] != other["id"]
        assert (one["status"], other["status"]) == ("open", "closed")
        titles = [order["fields"]["title"]["value"] for order in (one, other)]
        assert titles == ["路灯不亮", "拖欠工资"]
        assert one["part"]["ends_s"] == other["part"]["begins_s"] > 0

        # History tells both beside the call.
        await page.goto(f"{desk_stage.url}/history/calls/{one['call']['id']}")
        await expect(page.locator(".order-fields [data-number='2']")).to_be_visible()
        await expect(page.locator(".order-fields")).to_have_count(2)
        assert await accessibility(page) == []
