"""Administration in a real Chromium: the deployment, dead letters, the doctor, accounts, the audit."""

import asyncio
import csv
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from domain.facts import CallEnded
from gateway.factories import open_database
from gateway.settings import load_settings
from gateway.storage.calls import CallRepository
from gateway.storage.journal import JournalWriter
from tests.support.pbx import ami, pressed
from tests.support.samples import call
from tests.support.sip.phones import SipAgent, SipCaller
from tests.support.stage import PASSWORD, BrowserStage, accessibility

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

AGENT, HER_LINE = "1002", "1"
NEWCOMER = "xinren"


async def test_the_deployment_and_where_it_is_configured(
    browser_stage: BrowserStage, browser: Browser
) -> None:
    async with browser_stage.seat(browser, "guanli") as seat:
        page = seat.page
        await page.get_by_role("link", name="管理").click()
        await page.wait_for_url("**/admin/overview")
        for part, table in {
            "lines": "[[lines]]",
            "agents": "[[agents]]",
            "pause_reasons": "desk.pause_reasons",
            "alarms": "[[alarms]]",
            "pbxs": "[[pbx]]",
            "endpoints": "[[workorders]]",
        }.items():
            card = page.locator(f"[data-part={part}]")
            await expect(card.locator(".where")).to_contain_text(table)
            await expect(card.locator(".where")).to_contain_text("hotline.toml")
        await expect(page.locator("[data-line='yiqilai']")).to_contain_text("一企来")
        await expect(page.locator("[data-agent='1001']")).to_contain_text("PJSIP/1001")
        await expect(page.locator("[data-pbx=main]")).to_contain_text("在线")
        await expect(page.locator("[data-endpoint=main]")).to_contain_text("127.0.0.1")
        # Hosts alone: paths and queries may hold secrets.
        assert "/orders" not in await page.locator("[data-endpoint=main]").inner_text()
        assert await accessibility(page) == []
        await page.keyboard.press("Alt+Shift+D")
        assert await accessibility(page) == []


async def test_supervisors_see_deliveries_and_audit_only(
    browser_stage: BrowserStage, browser: Browser
) -> None:
    async with browser_stage.seat(browser, "banzhang") as seat:
        await seat.page.goto(f"{seat.url}/admin")
        await seat.page.wait_for_url("**/admin/deliveries")
        await expect(seat.page.locator(".admin-page .hl-pills a")).to_have_text(
            ["工单投递", "未完成通话", "审计"]
        )
        await seat.page.goto(f"{seat.url}/admin/accounts")
        await seat.page.wait_for_url("**/wall")
    async with browser_stage.seat(browser, "liqiang") as seat:
        await expect(seat.page.get_by_role("link", name="管理")).to_have_count(0)


async def test_a_dead_letter_is_delivered_when_the_receiver_is_back(
    browser_stage: BrowserStage, browser: Browser
) -> None:
    ports, receiver = browser_stage.asterisk.options, browser_stage.receiver
    receiver.refuses = 410
    try:
        async with (
            ami(browser_stage.asterisk) as events,
            SipAgent(browser_stage.directory, ports.sip_port, AGENT, ports.phone_passwords[AGENT]),
            SipCaller(browser_stage.directory, ports.sip_port, "12345", "051386110999", "") as caller,
        ):
            await pressed(events, caller, HER_LINE)
            await events.until("AgentConnect", 60)
            await asyncio.sleep(2)
            await caller.hang_up()
        async with browser_stage.seat(browser, "banzhang") as seat:
            page = seat.page
            await page.goto(f"{seat.url}/admin/deliveries?state=dead")
            found = page.locator("[data-state=dead]").first
            await expect(found).to_contain_text("对方返回 HTTP 410", timeout=90_000)
            identity = await found.get_attribute("data-delivery")
            row = page.locator(f"[data-delivery='{identity}'][data-state=dead]")
            assert await accessibility(page) == []
            arrived, refused = len(receiver.orders), receiver.refused
            # Still refused: dead again, and it says so; as it did before, so wait for the attempt itself.
            await row.locator("[data-action=retry]").click()
            async with asyncio.timeout(20), receiver.arrived:
                await receiver.arrived.wait_for(lambda: receiver.refused > refused)
            await page.reload()
            await expect(row).to_contain_text("410", timeout=20_000)
            assert len(receiver.orders) == arrived
            receiver.refuses = None
            await row.locator("[data-action=retry]").click()
            await expect(page.locator(f"[data-delivery='{identity}']")).to_have_count(0)
            await page.select_option("select[name=state]", "delivered")
            await page.wait_for_url("**/admin/deliveries?state=delivered")
            sent = page.locator(f"[data-delivery='{identity}']")
            await expect(sent).to_contain_text("已投递", timeout=20_000)
            assert len(receiver.orders) == arrived + 1
            # The order it is about is one click away.
            await sent.get_by_role("link", name="打开工单").click()
            await page.wait_for_url("**/history/calls/*")
            await expect(page.locator(".order-fields")).to_contain_text("GD")
    finally:
        receiver.refuses = None


async def test_a_call_that_lacks_its_recording_is_taken_up_by_keyboard(
    browser_stage: BrowserStage, browser: Browser
) -> None:
    over = call(9, 1_780_000_000.0, recordings=())
    database = open_database(load_settings(browser_stage.gateway.config))
    try:
        async with JournalWriter(database) as journal:
            journal.put(CallEnded(at=1_780_000_120.0, call=over))
        await CallRepository(database).set_finished(over.id, "1.raw is not there: mount it")
    finally:
        await database.close()
    async with browser_stage.seat(browser, "banzhang") as seat:
        page = seat.page
        await page.goto(f"{seat.url}/admin/unfinished")
        row = page.locator(f"[data-unfinished='{over.id}']")
        await expect(row).to_contain_text("1.raw is not there: mount it")
        assert await accessibility(page) == []
        await row.locator("[data-action=retry]").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status").filter(has_text="已重新处理：1 通")).to_be_visible()
        # It has no recording to lack any more: it is finished, and gone from the list.
        await expect(row).to_have_count(0, timeout=30_000)
        await expect(page.locator("[data-action=retry-all]")).to_be_disabled()
        assert await accessibility(page) == []
        await page.goto(f"{seat.url}/admin/audit")
        await expect(page.get_by_text("重试未完成通话").first).to_be_visible()


async def test_the_doctor_tells_findings_and_their_fix(browser_stage: BrowserStage, browser: Browser) -> None:
    async with browser_stage.seat(browser, "guanli") as seat:
        page = seat.page
        await page.goto(f"{seat.url}/admin/doctor")
        rows = page.locator("[data-finding]")
        recordings = browser_stage.asterisk.pbx.recordings_dir
        assert recordings is not None
        hidden = recordings.with_name("unmounted")
        recordings.rename(hidden)
        try:
            await page.click("[data-action=doctor]")
            await expect(page.get_by_role("timer")).to_be_visible()
            await rows.first.wait_for(timeout=150_000)
        finally:
            hidden.rename(recordings)
        await expect(rows.first).to_contain_text("录音")
        await expect(rows.first).to_contain_text(f"本机不能读取 {recordings}")
        await expect(rows.first).to_have_attribute("data-finding", "fault")
        grades = [await one.get_attribute("data-finding") for one in await rows.all()]
        assert len(grades) > 5
        # What needs a hand stands first.
        order = {"fault": 0, "warning": 1, "fine": 2}
        assert [order[str(one)] for one in grades] == sorted(order[str(one)] for one in grades)
        for one in await page.locator("[data-finding=fault] td:last-child").all():
            assert (await one.inner_text()).strip()
        told = f"故障 {grades.count('fault')}，注意 {grades.count('warning')}，正常 {grades.count('fine')}"
        await expect(page.locator(".doctor [role=status]")).to_contain_text(told)
        await page.keyboard.press("Alt+Shift+L")
        await expect(rows.first).to_contain_text(f"{recordings} cannot be read here")
        assert not re.search(r"[\u4e00-\u9fff]", await page.locator(".doctor").inner_text())
        assert await accessibility(page) == []


async def test_accounts_are_made_renewed_and_locked(browser_stage: BrowserStage, browser: Browser) -> None:
    async with browser_stage.seat(browser, "guanli") as admin, browser_stage.seat(browser) as theirs:
        page = admin.page
        await page.goto(f"{admin.url}/admin/accounts")
        row = page.locator(f"[data-account={NEWCOMER}]")
        await page.fill("input[name=new-username]", NEWCOMER)
        await page.fill("input[name=new-password]", PASSWORD)
        await page.select_option("select[name=new-role]", "supervisor")
        # Enter and the button, as hurried people do: one account, and the word that it is made stays.
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="创建").click()
        await expect(row).to_contain_text("班长")
        await expect(page.get_by_role("status").filter(has_text="已创建")).to_contain_text(NEWCOMER)
        assert await accessibility(page) == []
        # Taken already: the gateway's words, nothing changed.
        await page.fill("input[name=new-username]", NEWCOMER)
        await page.fill("input[name=new-password]", PASSWORD)
        await page.get_by_role("button", name="创建").click()
        await expect(page.get_by_role("alert")).to_contain_text(NEWCOMER)

        await theirs.sign_in(NEWCOMER)
        await theirs.page.wait_for_url("**/wall")
        await row.locator("[data-action=password]").click()
        await expect(page.get_by_role("dialog")).to_contain_text(NEWCOMER)
        assert await accessibility(page) == []
        await page.keyboard.type("another password")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status").filter(has_text="已重设")).to_be_visible()
        # Signed out everywhere at once.
        await theirs.page.wait_for_url(re.compile(r"/login\b"), timeout=30_000)
        await theirs.sign_in(NEWCOMER, "another password")
        await row.locator("[data-action=lock]").click()
        await expect(row).to_contain_text("已锁定")
        await theirs.page.wait_for_url(re.compile(r"/login\b"), timeout=30_000)
        await theirs.page.fill("input[name=username]", NEWCOMER)
        await theirs.page.fill("input[name=password]", "another password")
        await theirs.page.keyboard.press("Enter")
        await expect(theirs.page.get_by_role("alert")).to_have_text("账号或密码不正确")
        # Nobody locks themselves out.
        await expect(page.locator("[data-account=guanli] [data-action=lock]")).to_be_disabled()


async def test_a_token_is_shown_once_opens_and_is_revoked(
    browser_stage: BrowserStage, browser: Browser
) -> None:
    async with browser_stage.seat(browser, "guanli") as seat:
        page = seat.page
        await page.goto(f"{seat.url}/admin/tokens")
        create = page.get_by_role("button", name="创建")
        await page.fill("input[name=token-name]", "共享平台")
        await expect(create).to_be_disabled()
        await page.get_by_label("读取工单").check()
        await page.get_by_label("增量导出").check()
        assert await accessibility(page) == []
        await create.click()
        text = page.locator("input[name=token-text]")
        await expect(text).to_be_focused()
        token = await text.input_value()
        assert await accessibility(page) == []
        await page.keyboard.press("Escape")
        await expect(text).to_be_hidden()
        assert token not in await page.content()
        row = page.locator("[data-token=共享平台]")
        await expect(row).to_contain_text("有效")
        await expect(row).to_contain_text("增量导出")

        async def status() -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return (await page.context.request.get(f"{seat.url}/api/v1/openapi.json", headers=headers)).status

        assert await status() == 200
        await row.locator("[data-action=revoke]").click()
        await page.locator("[data-action=sure]").click()
        await expect(row).to_contain_text("已吊销")
        await expect(page.get_by_role("status").filter(has_text="已吊销")).to_contain_text("共享平台")
        assert await status() == 401


async def test_the_audit_is_read_and_exported(
    browser_stage: BrowserStage, browser: Browser, tmp_path: Path
) -> None:
    async with browser_stage.seat(browser, "guanli", accept_downloads=True) as seat:
        page = seat.page
        await page.goto(f"{seat.url}/admin/audit?username=guanli")
        made = page.locator("[data-entry='account.create']").first
        await expect(made).to_contain_text("新建账号")
        await expect(made).to_contain_text(NEWCOMER)
        assert PASSWORD not in await page.content()
        assert await accessibility(page) == []
        async with page.expect_download() as waiting:
            await page.click("[data-export=csv]")
        await (await waiting.value).save_as(tmp_path / "audit.csv")
        rows = list(csv.reader((tmp_path / "audit.csv").read_text(encoding="utf-8-sig").splitlines()))
        assert any("account.create" in row for row in rows)
        await page.fill("input[name=to]", "2020-01-31")
        await page.get_by_role("button", name="查询").click()
        await expect(made).to_have_count(0)
        await page.get_by_role("button", name="EN").click()
        await expect(page.get_by_role("heading", name="Administration")).to_be_visible()
