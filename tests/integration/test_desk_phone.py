"""An agent changes to a phone on the desk: calls ring there, and the gateway's commands work it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from domain.calls import CallState
from domain.phones import PhoneKind
from domain.queues import AgentState, AgentStatus
from gateway.settings import DeskSettings, Settings, load_settings
from gateway.settings.load import EXAMPLE
from tests.support.desks import Desks, desk_settings, desks_on
from tests.support.gateway import gateway_on
from tests.support.sip.phones import SipAgent
from tests.support.sip.softphone import Softphone

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(240)]

BROWSER, DESK = "PJSIP/1001", "PJSIP/1001-desk"


def with_two_phones(settings: Settings) -> Settings:
    first, *others = settings.agents
    both = first.model_copy(update={"softphone": True, "desk_phone": DESK})
    return settings.model_copy(update={"agents": [both, *others]})


def hers(stage: Desks) -> AgentStatus:
    return stage.running.pbx_states["main"].queue_state.agents["1001"]


@asynccontextmanager
async def desk_phone(stage: Desks) -> AsyncIterator[SipAgent]:
    """Her phone on the desk; it answers when the PBX says so."""
    options = stage.asterisk.options
    password = options.phone_passwords["1001-desk"]
    async with SipAgent(stage.directory, options.sip_port, "1001-desk", password, ring_s=None) as phone:
        stage.hum("1001", phone.voice)
        yield phone


async def ringing_at(stage: Desks, phone: str) -> None:
    await stage.until(
        lambda: any(
            leg.channel.startswith(f"{phone}-") and leg.ended_at is None
            for call in stage.calls
            for leg in call.legs
        ),
        f"it rings at {phone}",
    )
    await stage.until(lambda: hers(stage).state is AgentState.RINGING, "ringing")
    await asyncio.sleep(0.3)  # SIPp rings first, and listens then for what tells it to answer


async def test_calls_follow_her_from_the_browser_to_the_phone_on_the_desk(tmp_path: Path) -> None:
    agents = with_two_phones(desk_settings(0)).agents
    async with desks_on(tmp_path, agents=agents) as stage:
        options = stage.asterisk.options
        browser = Softphone(options.sip_port, "1001", options.phone_passwords["1001"], ring_s=None)
        async with browser:
            await stage.only("1001")
            assert (hers(stage).kind, hers(stage).desk_reachable) == (PhoneKind.BROWSER, False)
            async with stage.caller():
                await ringing_at(stage, BROWSER)
                status, said = await stage.ask("a1001", "use_phone", phone="desk")
                assert (status, said["reason"]) == (409, "on_call")
            await stage.do("a1001", "pause", reason="小休")

            # Chosen once, however often it is asked with the same id; her pause comes along.
            command = {"id": str(uuid.uuid4()), "name": "use_phone", "args": {"phone": "desk"}}
            answers = [await posted(stage, command) for _ in range(2)]
            assert answers[0] == answers[1]
            assert answers[0]["result"] == {"phone": "desk"}
            await stage.until(lambda: hers(stage).phones == (DESK,), "her membership moved")
            member = await stage.queue_member("q12345", "1001")
            assert member is not None
            assert (member["Location"], member["StateInterface"]) == (DESK, DESK)
            assert (member["Paused"], member["PausedReason"], member["Penalty"]) == ("1", "小休", "0")
            assert (hers(stage).kind, hers(stage).phone) == (PhoneKind.DESK, DESK)
            status, audit = await stage.get("ban", "/api/v1/audit?username=a1001")
            assert status == 200
            audited = [(one["name"], one["ok"]) for one in audit if one["name"] == "use_phone"]
            assert sorted(audited) == [("use_phone", False), ("use_phone", True)]
            # There is no such phone yet, and the picture says so.
            assert hers(stage).desk_reachable is False
            await stage.do("a1001", "unpause")
            await stage.until(lambda: hers(stage).state is AgentState.UNREACHABLE, "unreachable")

            async with desk_phone(stage):
                await stage.until(lambda: hers(stage).desk_reachable is True, "registered")
                await stage.until(lambda: hers(stage).state is AgentState.AVAILABLE, "available")
                rung = len(browser.calls)
                await worked_by_the_gateway(stage)
                assert len(browser.calls) == rung, "the browser was not rung again"
                await a_gateway_that_starts_anew_knows(stage, tmp_path)

        # Back at the browser, which has gone meanwhile.
        await stage.do("a1001", "use_phone", phone="browser")
        await stage.until(lambda: hers(stage).phones == (BROWSER,), "back")
        assert hers(stage).kind is PhoneKind.BROWSER
        # Changed at the PBX itself: the gateway follows.
        await stage.asterisk.cli("devstate change Custom:hotline-desk-1001 INUSE")
        await stage.until(lambda: hers(stage).phones == (DESK,), "followed")


async def posted(stage: Desks, body: Mapping[str, object]) -> dict[str, dict[str, str]]:
    url = f"http://127.0.0.1:{stage.running.web_port}/api/v1/commands"
    headers = stage.headers("a1001")
    async with aiohttp.ClientSession() as http, http.post(url, json=body, headers=headers) as answer:
        assert answer.status == 200
        read: dict[str, dict[str, str]] = await answer.json()
        return read


async def worked_by_the_gateway(stage: Desks) -> None:
    """Every control of a call, with the phone untouched."""
    async with stage.caller() as caller:
        await ringing_at(stage, DESK)
        await stage.do("a1001", "answer")
        await stage.talking("1001")
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "hold")
        await stage.heard(caller="music", a1001="")
        await stage.do("a1001", "resume")
        await stage.do("a1001", "mute")
        await stage.heard(caller="", a1001="caller")
        await stage.do("a1001", "unmute")
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "transfer", to={"agent": "1002"})
        await stage.talking("1002")
        await stage.heard(caller="1002", a1002="caller")
        await stage.until(lambda: hers(stage).state is AgentState.AVAILABLE, "free again")
        assert caller.up
    async with stage.caller() as caller:
        await ringing_at(stage, DESK)
        await stage.do("a1001", "answer")
        await stage.talking("1001")
        await stage.do("a1001", "hang_up")
        await stage.until(lambda: not stage.calls, "hung up")
        assert not caller.up
    # Calling a colleague: her own phone first; and a colleague's call reaches her there.
    await stage.do("a1001", "originate", to={"agent": "1002"})
    await ringing_at(stage, DESK)
    await stage.do("a1001", "answer")
    await stage.heard(a1001="1002", a1002="1001")
    await stage.do("a1001", "hang_up")
    await stage.until(lambda: not stage.calls, "over")
    await stage.do("a1002", "originate", to={"agent": "1001"})
    await ringing_at(stage, DESK)
    await stage.do("a1001", "answer")
    await stage.heard(a1001="1002", a1002="1001")
    assert stage.calls[0].state is CallState.TALKING
    await stage.do("a1002", "hang_up")
    await stage.until(lambda: not stage.calls, "over")


async def a_gateway_that_starts_anew_knows(stage: Desks, directory: Path) -> None:
    """The choice is the PBX's; with `login = "always"` it is also who brings her into her queues."""
    await stage.do("ban", "force_log_out", agent="1001")
    assert await stage.queue_member("q12345", "1001") is None
    always = {"desk": DeskSettings(login="always")}
    settings = with_two_phones(load_settings(EXAMPLE)).model_copy(update=always)
    async with gateway_on(settings, [stage.asterisk.pbx], directory / "anew") as other:
        queue_state = other.pbx_states["main"].queue_state
        await stage.until(lambda: "1001" in queue_state.agents, "known")
        await stage.until(lambda: len(queue_state.agents["1001"].queues) == 3, "in all her queues")
        again = queue_state.agents["1001"]
        assert (again.kind, again.phone, again.phones) == (PhoneKind.DESK, DESK, (DESK,))
        assert again.desk_reachable is True
        member = await stage.queue_member("yiqilai", "1001")
        assert member is not None
        assert (member["Location"], member["Penalty"]) == (DESK, "10")
