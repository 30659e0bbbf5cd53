"""The PBX link on real sockets: snapshot first, reconnect, a refused login reported and survived."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from domain.lines import Line
from domain.pbx.errors import ActionRefused, ConnectionLost
from domain.pbx.events import AnyPbxEvent, NewChannel
from domain.pbx.snapshot import PbxSnapshot
from gateway.asterisk.link import LinkState, PbxLink
from gateway.demo.pbx import DemoPbx, DemoPbxConfig
from gateway.settings import PbxSettings

LINES = (Line(id="12345", name="12345", numbers=("12345",), queue="q12345"),)


class Told:
    """What a link told, in order."""

    def __init__(self) -> None:
        self.events: list[AnyPbxEvent] = []
        self.snapshots: list[PbxSnapshot] = []
        self.phases: list[str] = []
        self.reasons: list[str] = []
        self.order: list[str] = []

    async def on_event(self, event: AnyPbxEvent) -> None:
        self.events.append(event)
        self.order.append("event")

    async def on_state(self, state: LinkState) -> None:
        self.phases.append(state.phase)
        self.reasons.append(state.reason)

    async def on_snapshot(self, snapshot: PbxSnapshot) -> None:
        self.snapshots.append(snapshot)
        self.order.append("snapshot")


def config(directory: Path, port: int = 0, secret: str = "right") -> DemoPbxConfig:
    return DemoPbxConfig(
        username="hotline",
        secret=secret,
        lines=LINES,
        agents=(("1001", "王芳", "PJSIP/1001", {"12345": 0}),),
        agi=("127.0.0.1", 9),
        audiosocket=("127.0.0.1", 9),
        recordings_dir=directory,
        ami_port=port,
        speed=200.0,
    )


@contextlib.asynccontextmanager
async def linked(port: int, directory: Path) -> AsyncIterator[tuple[PbxLink, Told]]:
    secret = directory / "ami.secret"
    await asyncio.to_thread(secret.write_text, "right\n")
    told = Told()
    settings = PbxSettings(name="main", port=port, secret_file=secret, reconnect_max_s=0.2)
    link = PbxLink(settings, told.on_event, told.on_state, told.on_snapshot)
    task = asyncio.create_task(link.run())
    try:
        yield link, told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.02)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_the_snapshot_comes_before_any_event(tmp_path: Path) -> None:
    async with DemoPbx(config(tmp_path)) as pbx, linked(pbx.ami_port, tmp_path) as (link, told):
        await until(lambda: link.state.phase == "up")
        assert told.phases == ["connecting", "synchronising", "up"]
        (snapshot,) = told.snapshots
        (queue,) = snapshot.queues
        assert [member.member for member in queue.members] == ["1001"]
        assert snapshot.device_states == {"PJSIP/1001": "NOT_INUSE"}
        await pbx.place_call("d10", caller_number="1", did="12345")
        await until(lambda: told.events)
        assert told.order[0] == "snapshot"
        assert any(isinstance(event, NewChannel) for event in told.events)


async def test_a_lost_pbx_is_found_again_with_a_new_snapshot(tmp_path: Path) -> None:
    async with DemoPbx(config(tmp_path)) as pbx:
        port = pbx.ami_port
        async with linked(port, tmp_path) as (link, told):
            await until(lambda: link.state.phase == "up")
            await pbx.__aexit__(None, None, None)
            await until(lambda: link.state.phase in ("disconnected", "connecting"))
            with pytest.raises(ConnectionLost, match="main"):
                await until(lambda: link.state.phase == "disconnected")
                await link.action("Ping")
            async with DemoPbx(config(tmp_path, port)):
                await until(lambda: link.state.phase == "up")
                assert len(told.snapshots) == 2


async def test_a_refused_login_says_the_fix_and_not_the_secret(tmp_path: Path) -> None:
    async with (
        DemoPbx(config(tmp_path, secret="other")) as pbx,
        linked(pbx.ami_port, tmp_path) as (link, told),
    ):
        await until(lambda: link.state.phase == "refused")
        assert "manager.conf" in link.state.reason
        assert "right" not in link.state.reason
        assert told.snapshots == []


async def test_a_missing_secret_is_a_refusal_too(tmp_path: Path) -> None:
    told = Told()
    settings = PbxSettings(name="main", secret_file=tmp_path / "none")
    link = PbxLink(settings, told.on_event, told.on_state, told.on_snapshot)
    task = asyncio.create_task(link.run())
    await until(lambda: link.state.phase == "refused")
    assert "secret_file" in link.state.reason
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_the_pbx_refuses_is_an_error_with_its_words(tmp_path: Path) -> None:
    async with DemoPbx(config(tmp_path)) as pbx, linked(pbx.ami_port, tmp_path) as (link, _):
        await until(lambda: link.state.phase == "up")
        with pytest.raises(ActionRefused, match="No such channel"):
            await link.action("Hangup", {"Channel": "PJSIP/nobody-1"})
        with pytest.raises(ValueError, match="Channel"):
            await link.action("Hangup", {"Channel": "x\r\nAction: Logoff"})
