"""The gateway that serves is killed in mid-call: the agent's page goes on with the other, by itself."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from tests.support.pbx import ami
from tests.support.sip.phones import SipAgent, SipCaller
from tests.support.stage import BrowserStage
from tests.support.turns import FrontDoor, Pair, pair_on

pytestmark = [pytest.mark.asterisk, pytest.mark.postgresql, pytest.mark.asyncio(loop_scope="session")]
CALLER = "13962875016"


@pytest.mark.timeout(300)
async def test_the_desk_goes_on_with_the_gateway_that_took_over(
    browser: Browser, tmp_path: Path, postgresql_url: str
) -> None:
    front = FrontDoor()
    async with pair_on(load_settings(EXAMPLE), tmp_path, postgresql_url, front) as pair:
        stage = BrowserStage(pair.asterisk, pair.gateways[0], pair.receiver, tmp_path, front=front.page)
        await stage.create_accounts()
        ports = pair.asterisk.options
        async with (
            stage.seat(browser, "liqiang") as seat,
            ami(pair.asterisk) as events,
            SipAgent(tmp_path, ports.sip_port, "1002", ports.phone_passwords["1002"]),
            SipCaller(tmp_path, ports.sip_port, "12346", CALLER) as caller,
        ):
            mine, title = seat.page.locator(".state-bar"), seat.page.locator("[data-field=title] input")
            await events.until("AgentConnect", 60)
            await expect(mine).to_have_attribute("data-state", "talking", timeout=30_000)
            await title.fill("路灯不亮")
            await title.blur()
            await kept(pair, "路灯不亮")
            await pair.lose("kill")
            await seat.page.locator("[data-connection=open]").wait_for(timeout=30_000)
            await expect(mine).to_have_attribute("data-state", "talking", timeout=30_000)
            await expect(title).to_have_value("路灯不亮")
            # And it is live: what is typed is kept, and the call's end is seen.
            await title.fill("路灯不亮三天了")
            await title.blur()
            await kept(pair, "路灯不亮三天了")
            await caller.hang_up()
            await expect(mine).not_to_have_attribute("data-state", "talking", timeout=30_000)
            # That the stream was lost is said in the console by the browser itself.
            seat.faults[:] = [fault for fault in seat.faults if "WebSocket connection" not in fault]


async def kept(pair: Pair, title: str) -> None:
    """Wait until the database holds the title."""
    async with asyncio.timeout(15):
        while title not in str(await pair.installation.stored("SELECT data FROM orders")):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
