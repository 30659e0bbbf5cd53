"""Each command on a real Asterisk with real SIP phones: asked over HTTP, seen in sound and picture.

Everybody on the stage hums a tone of their own; who hears whom is told from the energy of each tone.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import numpy as np
import pytest
import pytest_asyncio

from domain.calls import CallState
from domain.queues import AgentState
from gateway.asterisk.actions import originate_listener
from gateway.client.stream import StreamClient
from tests.support.desks import INTERNATIONAL, OUTSIDE, PASSWORD, Desks, desks_on
from tests.support.sound import LOUD, TONES, loudness

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory, shared_database_url: str | None
) -> AsyncIterator[Desks]:
    async with desks_on(tmp_path_factory.mktemp("commands"), database=shared_database_url) as stage:
        yield stage


async def test_log_in_pause_and_force(stage: Desks) -> None:
    assert await stage.queue_member("q12345", "1001") is None
    assert (await stage.do("a1001", "log_in"))["queues"] == ["q12345", "yiqilai", "shangxian"]
    await stage.until(lambda: stage.state("1001") is AgentState.AVAILABLE, "available")
    await stage.do("a1001", "pause", reason="小休")
    member = await stage.queue_member("q12345", "1001")
    assert member is not None
    assert (member["Paused"], member["PausedReason"]) == ("1", "小休")
    await stage.until(lambda: stage.state("1001") is AgentState.PAUSED, "paused")
    await stage.do("a1001", "unpause")
    await stage.do("ban", "force_pause", agent="1001", reason="培训")
    member = await stage.queue_member("q12345", "1001")
    assert member is not None
    assert (member["Paused"], member["PausedReason"]) == ("1", "培训")
    status, body = await stage.ask("a1001", "force_log_out", agent="1002")
    assert (status, body["code"]) == (403, "forbidden")
    await stage.do("ban", "force_log_out", agent="1001")
    assert await stage.queue_member("q12345", "1001") is None
    await stage.until(lambda: stage.state("1001") is AgentState.LOGGED_OUT, "logged out")
    status, body = await stage.ask("a1001", "pause", reason="小休")
    assert (status, body["code"]) == (409, "not_possible")


async def test_two_desks_of_one_agent_show_one_state_and_the_last_command_counts(stage: Desks) -> None:
    desks = []
    async with AsyncExitStack() as stack:
        for _ in range(2):
            done = await stage.running.accounts.login("a1001", PASSWORD, "a1001")
            url = f"ws://127.0.0.1:{stage.running.stream_port}/"
            desk = await stack.enter_async_context(StreamClient(url, f"hotline_session={done.token}"))
            reading = asyncio.create_task(anext_forever(desk))
            stack.callback(reading.cancel)
            await asyncio.wait_for(desk.connected.wait(), 5)
            desks.append(desk)
        first, second = desks

        async def both_show(state: AgentState) -> None:
            await stage.until(
                lambda: all(desk.view.of("agents")["1001"].state == state for desk in desks),
                f"both desks show {state}",
            )

        assert (await first.command("log_in")).ok
        await both_show(AgentState.AVAILABLE)
        assert (await second.command("pause", {"reason": "会议"})).ok
        await both_show(AgentState.PAUSED)
        # What is so already succeeds; the reason of the last stands.
        assert (await first.command("pause", {"reason": "小休"})).ok
        await stage.until(
            lambda: all(desk.view.of("agents")["1001"].reason == "小休" for desk in desks), "the last reason"
        )
        assert (await first.command("unpause")).ok
        assert (await second.command("unpause")).ok
        await both_show(AgentState.AVAILABLE)
        await stage.do("ban", "force_log_out", agent="1001")
        await both_show(AgentState.LOGGED_OUT)


async def anext_forever(desk: StreamClient) -> None:
    async for _ in desk:
        pass


async def test_hold_mute_and_hang_up(stage: Desks) -> None:
    async with stage.talk() as caller:
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "hold")
        await stage.heard(caller="music", a1001="")
        await stage.until(lambda: stage.calls[0].state is CallState.HELD, "held")
        await stage.until(lambda: stage.state("1001") is AgentState.ON_HOLD, "on hold")
        assert (await stage.ask("a1001", "hold"))[0] == 409
        await stage.do("a1001", "resume")
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "mute")
        await stage.heard(caller="", a1001="caller")
        await stage.until(lambda: stage.muted() == ["1001"], "shown as muted")
        await stage.do("a1001", "unmute")
        await stage.until(lambda: stage.muted() == [], "shown as heard")
        await stage.heard(caller="1001", a1001="caller")
        assert (await stage.ask("a1002", "hang_up", call_id=stage.calls[0].id))[0] == 409
        await stage.do("a1001", "hang_up", call_id=stage.calls[0].id)
        await caller.wait_for_hang_up(5)


async def test_blind_transfers_and_the_listener_stays(stage: Desks) -> None:
    async with stage.talk():
        feed = uuid.uuid4()
        leg = stage.calls[0].caller_leg
        assert leg is not None
        if stage.listens:
            await originate_listener(stage.running.links["main"], leg.channel, feed)
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "transfer", to={"agent": "1002"})
        await stage.talking("1002")
        await stage.heard(caller="1002", a1002="caller", a1001="")
        await stage.only("1003")
        await stage.do("a1002", "transfer", to={"queue": "shangxian"})
        await stage.talking("1003")
        await stage.heard(caller="1003", a1003="caller", a1002="")
        # What the recogniser hears of the caller goes on through every transfer.
        if stage.listens:
            before = len(stage.ear.streams[feed])
            await asyncio.sleep(0.5)
            heard = np.frombuffer(bytes(stage.ear.streams[feed][before:]), "<i2")
            assert loudness(heard, TONES["caller"]) > LOUD
        status, body = await stage.ask("ban", "transfer", to={"number": "999"})
        assert (status, body["code"]) == (403, "forbidden")
        await stage.do("ban", "transfer", to={"number": OUTSIDE})
        await stage.heard(caller="outside", outside="caller", a1003="")
        assert len(stage.calls) == 1
    assert not stage.listens or feed in stage.ear.ended


async def test_consult_swap_cancel_complete(stage: Desks) -> None:
    async with stage.talk():
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "consult", to={"agent": "1002"})
        await stage.heard(caller="music", a1001="1002", a1002="1001")
        assert (await stage.ask("a1001", "consult", to={"agent": "1002"}))[0] == 409
        assert (await stage.ask("a1002", "complete_transfer"))[0] == 409
        await stage.do("a1001", "swap")
        await stage.heard(caller="1001", a1001="caller", a1002="music")
        await stage.do("a1001", "cancel_transfer")
        await stage.heard(caller="1001", a1001="caller", a1002="")
        await stage.until(lambda: stage.state("1002") is AgentState.LOGGED_OUT, "1002 free")
        assert (await stage.ask("a1001", "cancel_transfer"))[0] == 409
        await stage.do("a1001", "consult", to={"number": OUTSIDE})
        await stage.heard(caller="music", a1001="outside", outside="1001")
        await stage.do("a1001", "complete_transfer")
        await stage.heard(caller="outside", outside="caller", a1001="")


async def test_a_consultation_becomes_a_conference_and_the_agent_leaves(stage: Desks) -> None:
    async with stage.talk():
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "consult", to={"agent": "1002"})
        await stage.heard(a1001="1002", a1002="1001")
        await stage.do("a1001", "conference")
        await stage.heard(caller="1001 1002", a1001="caller 1002", a1002="caller 1001")
        await stage.do("a1001", "hang_up")
        await stage.heard(caller="1002", a1002="caller", a1001="")


async def test_a_unit_is_called_into_a_conference(stage: Desks) -> None:
    async with stage.talk():
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "conference", to={"number": OUTSIDE})
        await stage.heard(caller="1001 outside", a1001="caller outside", outside="caller 1001")
        assert (await stage.ask("ban", "take_over", target="1001"))[0] == 409


async def test_listen_whisper_barge_and_take_over(stage: Desks) -> None:
    async with stage.talk():
        await stage.heard(caller="1001", a1001="caller")
        assert (await stage.ask("a1002", "listen", target="1001"))[0] == 403
        await stage.do("ban", "listen", target="1001")
        await stage.heard(caller="1001", a1001="caller", a1003="caller 1001")
        await stage.do("ban", "whisper", target="1001")
        await stage.heard(caller="1001", a1001="caller 1003", a1003="caller 1001")
        await stage.do("ban", "barge", target="1001")
        await stage.heard(caller="1001 1003", a1001="caller 1003", a1003="caller 1001")
        await stage.do("ban", "stop_listening")
        await stage.heard(caller="1001", a1001="caller", a1003="")
        await stage.do("ban", "listen", target="1001")
        await stage.heard(a1003="caller 1001")
        await stage.do("ban", "take_over", target="1001")
        await stage.heard(caller="1003", a1003="caller", a1001="")
        await stage.talking("1003")
        await stage.do("ban", "transfer", to={"agent": "1002"})
        await stage.heard(caller="1002", a1002="caller", a1003="")


async def test_pick_up_from_the_queue(stage: Desks) -> None:
    await stage.only("1001")
    await stage.do("a1001", "pause", reason="会议")
    async with stage.caller():
        await stage.until(lambda: any(c.state is CallState.QUEUED for c in stage.calls), "queued")
        call = stage.calls[0]
        await stage.do("a1002", "pick_up", call_id=call.id)
        await stage.talking("1002")
        await stage.heard(caller="1002", a1002="caller")
        assert (await stage.ask("a1001", "pick_up", call_id=call.id))[0] == 409
        assert [one.id for one in stage.calls] == [call.id]
    log = (stage.asterisk.directory / "var/log/queue_log").read_text()
    assert "|WITHDRAW|" in log
    await stage.do("a1001", "unpause")


async def test_click_to_call_and_answer(stage: Desks) -> None:
    await stage.only()
    for number in (INTERNATIONAL, "110", "8" * 8):
        status, body = await stage.ask("a1001", "originate", to={"number": number})
        assert (status, body["code"]) == (403, "forbidden")
    done = await stage.do("a1001", "originate", to={"number": OUTSIDE})
    await stage.heard(a1001="outside", outside="1001")
    (call,) = (call for call in stage.calls if call.id == done["call_id"])
    assert call.caller.number == OUTSIDE
    wire = stage.outside.messages.read_text(errors="replace")
    # The line's number is shown, not the agent's.
    assert f"INVITE sip:{OUTSIDE}@" in wire
    assert "<sip:12345@" in wire.rsplit("INVITE sip:", 1)[1].split("\n\n")[0]
    # The agent who called may transfer as well.
    await stage.do("a1001", "transfer", to={"agent": "1002"})
    await stage.heard(outside="1002", a1002="outside", a1001="")
    await stage.do("a1002", "hang_up")
    await stage.until(lambda: not stage.calls, "over")
    # A desk phone that waits for `Event: talk`.
    await stage.do("a1001", "originate", to={"agent": "1004"})
    await stage.until(lambda: stage.state("1004") is AgentState.RINGING, "1004 rings")
    await asyncio.sleep(0.3)
    await stage.do("a1004", "answer")
    await stage.heard(a1001="1004", a1004="1001")
    await stage.do("a1001", "hang_up")
    await stage.until(lambda: not stage.calls, "over")
    # A phone's own keys reach only what is permitted to all.
    shown = await stage.asterisk.cli(f"dialplan show {INTERNATIONAL}@hotline-agents")
    assert "There is no existence" in shown


async def test_who_did_what_is_in_the_audit(stage: Desks) -> None:
    await stage.do("a1001", "log_in")
    assert (await stage.ask("a1001", "force_log_out", agent="1002"))[0] == 403
    assert (await stage.get("a1001", "/api/v1/audit"))[0] == 403
    _, rows = await stage.get("ban", "/api/v1/audit?username=a1001&limit=2")
    assert [(row["name"], row["agent"], row["ok"], row["code"]) for row in rows] == [
        ("force_log_out", "1001", False, "forbidden"),
        ("log_in", "1001", True, ""),
    ]
