"""Captures as people take them: from an Asterisk in mid-call, or from one that says no times."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from domain.calls import CallState
from gateway.cli import app
from gateway.settings import Settings, load_settings
from gateway.settings.load import EXAMPLE
from tests.support.pbx import ami, private, scenario_sounds
from tests.support.playing import CALLER, UNIT, Cast
from tests.support.scenario import ScenarioAsterisk, Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


class UnstampedAsterisk(ScenarioAsterisk):
    """As many in the field are configured: its events carry no `Timestamp`."""

    def _prepare(self) -> None:
        super()._prepare()
        conf = self.directory / "etc" / "manager.conf"
        stamped = conf.read_text()
        assert "timestampevents = yes" in stamped
        conf.write_text(stamped.replace("timestampevents = yes", "timestampevents = no"))


@pytest_asyncio.fixture(loop_scope="session")
async def unstamped(tmp_path: Path) -> AsyncIterator[Stage]:
    settings: Settings = load_settings(EXAMPLE)
    asterisk = private(UnstampedAsterisk, settings, tmp_path / "asterisk", provide=scenario_sounds)
    async with asterisk, Stage(asterisk, settings) as stage:
        yield stage


def replayed(text: str, folder: Path) -> tuple[list[dict[str, Any]], str]:
    """The calls that `hotline replay` tells of a log, and the same told to people."""
    file = folder / "ami.log"
    file.write_text(text, newline="")
    told = CliRunner().invoke(app, ["replay", str(file)])
    as_json = CliRunner().invoke(app, ["replay", "--json", str(file)])
    assert (told.exit_code, as_json.exit_code) == (0, 0), told.output + as_json.output
    calls = [json.loads(line) for line in as_json.stdout.splitlines() if line.startswith("{")]
    return calls, told.output


def essence(call: dict[str, Any]) -> dict[str, Any]:
    """What a capture tells of a call however late it begins."""
    kept = {one: call[one] for one in ("id", "direction", "end_reason", "ended_by", "ended_at")}
    return kept | {"caller": call["caller"]["number"], "agents": spoke(call)}


def spoke(call: dict[str, Any]) -> list[str]:
    """With whom the caller spoke last: what came before may be in no capture."""
    return [talk["agent"] or talk["party"] for talk in call["conversations"]][-1:]


@pytest.mark.parametrize("when", ["waiting", "ringing", "talking", "held", "outside"])
async def test_a_capture_begun_in_mid_call_tells_that_one_call(
    stage: Stage, tmp_path: Path, when: str
) -> None:
    async with Cast(stage) as on, stage.scene():
        # The capture begins where the call has come so far; the rest of it is the same for all.
        unit = await on.unit(ring_s=0.5)
        phone = await on.agent("1001", ring_s=None if when in ("waiting", "ringing") else 0.3)
        call = await (await on.caller()).dial("12345", CALLER)
        if when == "waiting":
            await phone.incoming()
            await on.state(CallState.QUEUED)
        elif when == "ringing":
            await on.rings(phone)
        else:
            await stage.talking("1001")
        if when == "held":
            await phone.calls[-1].hold()
            await on.state(CallState.HELD)
        if when == "outside":
            await phone.calls[-1].transfer("9" + UNIT)
            await unit.incoming()
            await on.spoke(2)
        async with ami(stage.asterisk) as late:
            await asyncio.sleep(1.0)
            await call.hang_up()
            await stage.until(lambda: not stage.tracker.channels)
            await asyncio.sleep(0.3)
            text = late.text
    (seen,) = stage.ended
    (told,), words = replayed(text, tmp_path)
    call_told = told["call"]
    assert essence(call_told) == essence(msgspec.to_builtins(seen))
    assert len(call_told["conversations"]) == (0 if when in ("waiting", "ringing") else 1)
    if when in ("waiting", "ringing"):
        assert call_told["queue"] == seen.queue
    assert "had begun before the capture" in words
    assert "calls that had begun before the capture: 1" in words
    # The login's own answer has no time stamp; what follows has.
    assert "not known" not in words.splitlines()[1]
    assert "the log has no time stamps" not in words


async def test_an_asterisk_that_says_no_times_is_told_by_its_unique_ids(
    unstamped: Stage, tmp_path: Path
) -> None:
    async with Cast(unstamped) as on, unstamped.scene():
        await on.agent("1001", ring_s=1.2)
        call = await on.connected()
        await asyncio.sleep(2.0)
        await call.hang_up()
    (seen,) = unstamped.ended
    assert "Timestamp: " not in unstamped.ami.text
    (told,), words = replayed(unstamped.ami.text, tmp_path)
    call_told = told["call"]
    assert {**essence(call_told), "ended_at": 0} == {**essence(msgspec.to_builtins(seen)), "ended_at": 0}
    # Whole seconds, and never more than there were.
    assert seen.ended_at is not None
    assert abs(call_told["started_at"] - seen.started_at) <= 1.5  # a second, and what the event was late
    assert seen.ended_at - 2.0 <= call_told["ended_at"] <= seen.ended_at
    (true,), (talk,) = seen.conversations, call_told["conversations"]
    assert true.ended_at is not None
    assert abs((talk["ended_at"] - talk["started_at"]) - (true.ended_at - true.started_at)) <= 1.0
    assert "the log has no time stamps" in words
    assert "at least" in words.splitlines()[1]
