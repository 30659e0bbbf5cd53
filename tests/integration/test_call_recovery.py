"""A browser phone whose page was reloaded takes its call back (RFC 3891), on the real Asterisk."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from domain.calls import Call, CallState, EndReason
from domain.facts import (
    AgentChanged,
    CallHeld,
    CallStarted,
    CallUpdated,
    QueueEntryChanged,
)
from domain.queues import AgentState, QueueEntry
from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from tests.support.desks import Desks, desks_on
from tests.support.scenario import Stage
from tests.support.sip.softphone import Dialog, Softphone, reload
from tests.support.sound import TONES, tone

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

CALLER = "13962875016"


def the_call(stage: Stage) -> Call:
    """The one call that there ever was."""
    assert sum(isinstance(fact, CallStarted) for fact in stage.facts) == 1
    (call,) = stage.ended
    return call


def states(stage: Stage) -> list[str]:
    """The agent's states in order, without what changed beside the state."""
    told = [str(fact.agent.state) for fact in stage.facts if isinstance(fact, AgentChanged)]
    told = told[told.index("ringing") :]
    return [one for one, before in zip(told, ["", *told], strict=False) if one != before]


async def test_a_queue_call_goes_on(stage: Stage) -> None:
    async with stage.agent("1001") as agent, stage.outside() as caller:
        async with stage.scene("take-back"):
            call = await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            new = await reload(agent, await agent.incoming())
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            await stage.same_picture()
            # A second time: what has been taken back can be taken back.
            new = await reload(agent, new)
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            now = stage.call()
            assert (now.id, now.state, [talk.ended_at for talk in now.conversations]) == (
                began.id, CallState.TALKING, [None],
            )  # fmt: skip
            members = await stage.asterisk.cli("queue show q12345")
            assert "1001 (PJSIP/1001) (ringinuse disabled) (in call)" in members
            await asyncio.sleep(1.5)
            assert not call.ended.is_set()
            await new.hang_up()
            await asyncio.wait_for(call.ended.wait(), 5)
    ended = the_call(stage)
    assert [talk.agent for talk in ended.conversations] == ["1001"]
    assert (ended.transfers, ended.conferences, ended.end_reason) == ((), (), EndReason.COMPLETED)
    assert states(stage)[:2] == ["ringing", "talking"]
    assert states(stage).count("talking") == 1
    assert sum(isinstance(f, CallUpdated) and f.what == "recovered" for f in stage.facts) == 2

    # app_queue counts one conversation, to its real end; it may say so after the caller's channel is gone.
    def served() -> list[QueueEntry]:
        return [f.entry for f in stage.facts if isinstance(f, QueueEntryChanged) and f.stage == "served"]

    (entry,) = await stage.until(served)
    (talk,) = ended.conversations
    assert talk.ended_at is not None
    assert entry.talked == pytest.approx(talk.ended_at - talk.started_at, abs=1.1)


async def test_an_outgoing_call_goes_on(stage: Stage) -> None:
    async with stage.agent("1001") as agent, stage.outside() as public:
        await stage.dialable(public)
        async with stage.scene("take-back-outgoing"):
            line = await agent.dial("9051312345")
            began = await stage.talking("1001")
            new = await reload(agent, line)
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            assert stage.call().id == began.id
            assert not public.calls[-1].ended.is_set()
            await new.hang_up()
            await asyncio.wait_for(public.calls[-1].ended.wait(), 5)
    ended = the_call(stage)
    assert [talk.agent for talk in ended.conversations] == ["1001"]
    assert (ended.transfers, ended.end_reason, ended.direction) == ((), EndReason.COMPLETED, "outbound")


async def test_what_the_phone_itself_held_is_held_no_more(stage: Stage) -> None:
    async with stage.agent("1001") as agent, stage.outside() as caller:
        async with stage.scene("take-back-phone-held"):
            call = await caller.dial("12345", CALLER)
            await stage.talking("1001")
            line = await agent.incoming()
            await line.hold()
            await stage.until(lambda: stage.call().state is CallState.HELD)
            await reload(agent, line)
            await stage.until(lambda: stage.call().state is CallState.TALKING)
            await call.hang_up()
    ended = the_call(stage)
    (hold,) = ended.holds
    assert hold.ended_at is not None and ended.ended_at is not None and hold.ended_at < ended.ended_at


async def test_nothing_to_take_back(stage: Stage) -> None:
    async with stage.agent("1001") as agent, stage.outside() as caller:
        async with stage.scene():
            call = await caller.dial("12345", CALLER)
            await stage.talking("1001")
            line = await agent.incoming()
            await call.hang_up()
            await asyncio.wait_for(line.ended.wait(), 5)
            await stage.until(lambda: not stage.tracker.channels)
            late = await agent.take_back(line)
            await asyncio.wait_for(late.ended.wait(), 5)
            bare = await agent.dial("take-back")
            await asyncio.wait_for(bare.ended.wait(), 5)
    # "Declined" as long as the PBX remembers that the dialogue is over.
    assert late.final in (481, 603)
    assert bare.final == 404
    # Neither was a call.
    the_call(stage)


# -- through the gateway: what is heard, and what was commanded before -------------------------------------


class Page:
    """A browser's phone on the stage: hums, hears, is reloaded."""

    def __init__(self, phone: Softphone, line: Dialog) -> None:
        self.phone, self.line = phone, line
        self._hum()

    @property
    def heard(self) -> bytes:
        return self.phone.heard(self.line)

    def _hum(self) -> None:
        self.phone.say(self.line, tone(TONES["1001"], 120))

    async def reload(self) -> None:
        self.line = await reload(self.phone, self.line)
        self._hum()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desks(
    tmp_path_factory: pytest.TempPathFactory, shared_database_url: str | None
) -> AsyncIterator[Desks]:
    lines = [line.model_copy(update={"wrap_up_s": 5.0}) for line in load_settings(EXAMPLE).lines]
    directory = tmp_path_factory.mktemp("take-back")
    async with desks_on(directory, database=shared_database_url, lines=lines) as desks:
        yield desks


async def test_heard_again_held_and_muted_as_before_and_able_to_consult(desks: Desks) -> None:
    options = desks.asterisk.options
    facts: list[Any] = []
    desks.running.bus.listen(facts.append)
    async with Softphone(options.sip_port, "1001", options.phone_passwords["1001"]) as phone:
        async with desks.talk("1001"):
            page = Page(phone, await phone.incoming())
            desks.voices["1001"] = page  # type: ignore[assignment]
            await desks.heard(caller="1001", a1001="caller")
            await page.reload()
            await desks.heard(caller="1001", a1001="caller")
            await desks.do("a1001", "mute")
            await desks.heard(caller="", a1001="caller")
            await page.reload()
            await desks.heard(caller="", a1001="caller")
            assert desks.muted() == ["1001"]
            await desks.do("a1001", "hold")
            await desks.heard(caller="music", a1001="")
            await page.reload()
            await desks.heard(caller="music", a1001="")
            assert desks.state("1001") is AgentState.ON_HOLD
            (hold,) = desks.calls[0].holds
            assert hold.ended_at is None
            await desks.do("a1001", "resume")
            await desks.heard(caller="1001", a1001="caller")
            await desks.do("a1001", "consult", to={"agent": "1002"})
            await desks.heard(caller="music", a1001="1002", a1002="1001")
            await desks.do("a1001", "cancel_transfer")
            await desks.heard(caller="1001", a1001="caller", a1002="")
            await desks.do("a1001", "hang_up")
            await desks.until(lambda: not desks.calls, "over")
            await desks.until(lambda: desks.state("1001") is AgentState.WRAP_UP, "wrap-up after the real end")
    held = [fact.held for fact in facts if isinstance(fact, CallHeld)]
    assert held[:2] == [True, False]
    assert sum(isinstance(f, QueueEntryChanged) and f.stage == "served" for f in facts) == 1
