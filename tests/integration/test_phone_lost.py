"""An agent's phone falls silent in mid-call and does not come back. The real Asterisk."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.calls import CallState, EndReason
from domain.facts import QueueEntryChanged
from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from tests.support.pbx import scenario_asterisk_for
from tests.support.scenario import ScenarioAsterisk, Stage
from tests.support.sip.softphone import reload

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER = "13962875016"
PATIENCE_S = 3


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def impatient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ScenarioAsterisk]:
    """An Asterisk that gives a silent phone up soon."""
    asterisk = scenario_asterisk_for(load_settings(EXAMPLE), tmp_path_factory.mktemp("lost"))
    file = asterisk.directory / "etc" / "pjsip.conf"
    async with asterisk:
        text = file.read_text()
        assert "rtp_timeout = 120" in text
        file.write_text(text.replace("rtp_timeout = 120", f"rtp_timeout = {PATIENCE_S}"))
        await asterisk.cli("module reload res_pjsip.so")
        yield asterisk


@pytest_asyncio.fixture(loop_scope="session")
async def lost(impatient: ScenarioAsterisk) -> AsyncIterator[Stage]:
    async with Stage(impatient, load_settings(EXAMPLE)) as stage:
        yield stage


async def test_the_caller_goes_to_the_head_of_the_queue(lost: Stage) -> None:
    async with lost.agent("1001") as agent, lost.outside() as caller, lost.outside() as other:
        async with lost.scene():
            call = await caller.dial("12345", CALLER)
            began = await lost.talking("1001")
            later = await other.dial("12345", "13962875017")
            await lost.until(lambda: len(lost.tracker.queue_state.queues["q12345"].waiting) == 1)
            agent.forget(await agent.incoming())
            back = await agent.incoming(2)
            await asyncio.wait_for(back.answered.wait(), 5)
            now = await lost.until(lambda: (it := lost.tracker.calls[began.id]).talking and it)
            assert [talk.ended_at is None for talk in now.conversations] == [False, True]
            assert not call.ended.is_set()
            (waiting,) = lost.tracker.queue_state.queues["q12345"].waiting
            assert waiting.caller == "13962875017"
            await later.hang_up()
            # The next hang-up is an ordinary one, and ends the call.
            await back.hang_up()
            await asyncio.wait_for(call.ended.wait(), 5)
    ended = next(one for one in lost.ended if one.id == began.id)
    assert (ended.transfers, ended.end_reason) == ((), EndReason.COMPLETED)
    entries = [f.entry for f in lost.facts if isinstance(f, QueueEntryChanged) and f.stage == "served"]
    assert [one.call_id for one in entries] == [began.id, began.id]


async def test_given_up_while_waiting_again(lost: Stage) -> None:
    async with lost.agent("1001") as agent, lost.outside() as caller:
        async with lost.scene("phone-lost"):
            call = await caller.dial("12345", CALLER)
            await lost.talking("1001")
            agent.ring_s = None
            agent.forget(await agent.incoming())
            await lost.until(lambda: lost.call().state is CallState.RINGING)
            await lost.same_picture()
            await call.hang_up()
    (ended,) = lost.ended
    assert [talk.agent for talk in ended.conversations] == ["1001"]
    assert ended.end_reason is EndReason.ABANDONED_RINGING


async def test_a_phone_that_came_back_is_not_lost(lost: Stage) -> None:
    async with lost.agent("1001") as agent, lost.outside() as caller:
        async with lost.scene():
            call = await caller.dial("12345", CALLER)
            began = await lost.talking("1001")
            new = await reload(agent, await agent.incoming())
            await asyncio.sleep(PATIENCE_S + 2)
            now = lost.call()
            assert (now.id, now.state, len(now.conversations)) == (began.id, CallState.TALKING, 1)
            await new.hang_up()
            await asyncio.wait_for(call.ended.wait(), 5)
