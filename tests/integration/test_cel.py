"""What the channel event log of a real Asterisk says of calls is what was seen of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from domain.calls import Call, Direction
from gateway.asterisk.records import read_records
from gateway.calls.outage import inside
from gateway.settings import Settings
from tests.support.pbx import private, scenario_sounds
from tests.support.scenario import ScenarioAsterisk, Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER = "13962875011"
COLUMNS = (
    *("eventtype", "eventtime", "CALLERID(name)", "CALLERID(num)", "CALLERID(ANI)", "CALLERID(RDNIS)"),
    *("CALLERID(DNID)", "CHANNEL(exten)", "CHANNEL(context)", "CHANNEL(channame)", "CHANNEL(appname)"),
    *("CHANNEL(appdata)", "CHANNEL(amaflags)", "CHANNEL(accountcode)", "CHANNEL(uniqueid)"),
    *("CHANNEL(linkedid)", "BRIDGEPEER", "CHANNEL(userfield)", "userdeftype", "eventextra"),
)


class LoggingAsterisk(ScenarioAsterisk):
    """Keeps the log as Asterisk's sample has it."""

    def _prepare(self) -> None:
        super()._prepare()
        (self.directory / "var/log/cel-custom").mkdir()
        etc = self.directory / "etc"
        modules = (etc / "modules.conf").read_text()
        for module in ("cel_custom", "res_cdrel_custom"):
            modules = modules.replace(f"noload = {module}.so\n", "")
        (etc / "modules.conf").write_text(modules)
        events = "APP_START,CHAN_START,CHAN_END,ANSWER,HANGUP,BRIDGE_ENTER,BRIDGE_EXIT"
        (etc / "cel.conf").write_text(f"[general]\nenable = yes\napps = dial,park\nevents = {events}\n")
        columns = ",".join(f"${{CSV_QUOTE(${{{one}}})}}" for one in COLUMNS)
        (etc / "cel_custom.conf").write_text(f"[mappings]\nMaster.csv => {columns}\n")


@pytest_asyncio.fixture(loop_scope="session")
async def stage(example: Settings, tmp_path: Path) -> AsyncIterator[Stage]:
    async with (
        private(LoggingAsterisk, example, tmp_path, provide=scenario_sounds) as asterisk,
        Stage(asterisk, example) as stage,
    ):
        yield stage


async def test_each_call_as_it_was_seen(stage: Stage) -> None:
    seen: list[Call] = []
    async with stage.agent("1001") as first, stage.agent("1002"), stage.outside() as public:
        await stage.dialable(public)
        # Handed over by an attended transfer, a caller and one who was called.
        for outgoing in (False, True):
            async with stage.scene():
                if outgoing:
                    line = await first.dial("9051312345")
                    await stage.talking("1001")
                    call = public.calls[-1]
                else:
                    call = await public.dial("12345", CALLER)
                    await stage.talking("1001")
                    line = first.calls[-1]
                await asyncio.sleep(1.0)
                await line.hold()
                consult = await first.dial("1002")
                await asyncio.wait_for(consult.answered.wait(), 5)
                await asyncio.sleep(1.0)
                await line.transfer_to(consult)
                await stage.until(lambda: stage.call().agent == "1002")
                await asyncio.sleep(1.0)
                await call.hang_up()
            seen += stage.ended
        # Through a Local channel, optimised away and not.
        for number in ("611", "612"):
            async with stage.scene():
                line = await first.dial(number)
                await stage.talking("1002")
                await asyncio.sleep(1.0)
                await line.hang_up()
            seen += stage.ended
    log = stage.asterisk.directory / "var/log/cel-custom/Master.csv"
    alone = stage.asterisk.pbx.model_copy(update={"queue_log": None, "cel": log})
    records = await asyncio.to_thread(read_records, alone, 0.0)
    found = inside(records, stage.tracker.registry, 0.0, 0.0, ())
    assert [told(call) for call, _ in found] == sorted(told(call) for call in seen)
    for was, (is_told, _) in zip(sorted(seen, key=lambda one: one.id), found, strict=True):
        for one, other in zip(was.conversations, is_told.conversations, strict=True):
            assert one.started_at == pytest.approx(other.started_at, abs=0.5)
            assert one.ended_at == pytest.approx(other.ended_at, abs=0.5)


def told(call: Call) -> tuple[str, Direction, str, list[str | None]]:
    return call.id, call.direction, call.called, [talk.agent for talk in call.conversations]
