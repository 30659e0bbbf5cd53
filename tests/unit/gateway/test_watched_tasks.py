"""Whatever task of the process dies: it is logged, begun again where safe, and readiness fails meanwhile."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import connect

from agents.accounts.identity import Role
from asr.config import AsrConfig
from asr.engine import EngineJob, EngineSegment
from asr.pool import EnginePool
from asr.process import Worker
from domain.facts import OrderChanged, PbxLinkChanged
from domain.orders import FieldValue, Method, Order, OrderState
from gateway.app import run_gateway
from gateway.asterisk.link import PbxLink
from gateway.asterisk.manager import HardenedManager
from gateway.facts.bus import LocalBus
from gateway.facts.recorder import FactRecorder
from gateway.modules.storage import StorageModule
from gateway.runtime import Runtime
from gateway.settings import PbxSettings
from gateway.stream.hub import Hub
from gateway.stream.sender import Sender
from gateway.stream.server import StreamServer
from gateway.supervision import Supervisor
from gateway.tasks import tell_failure
from ivr.agi import AgiSession, FastAgiServer
from tests.support.ami_server import ScriptedAmi, message
from tests.support.at_the_desk import PASSWORD, at_the_desk, settings

FACTORY = "tests.support.engines:Obedient"


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


Work = Callable[..., Coroutine[Any, Any, Any]]


def failing(times: int, usual: Work) -> Work:
    """`usual`, but so many times it fails as nobody expects."""
    left = [times]

    async def sometimes(*args: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise KeyError("nobody thought of this")
        return await usual(*args, **named)

    return sometimes


async def test_tended_work_is_begun_again_and_ends_with_its_owner() -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise ValueError("no good")
        await asyncio.Event().wait()

    supervisor = Supervisor(first_pause_s=0.01, steady_s=0.05)
    task = supervisor.tend("stream", work)
    await until(lambda: supervisor.failures)
    assert not (await supervisor.check()).ok
    await until(lambda: len(runs) == 3 and not supervisor.failures)
    await supervisor.stop()
    assert not task.done(), "whoever asked for it ends it"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_without_its_journal_a_gateway_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(StorageModule, "_on_rejected", broken)
    url = f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
    async with at_the_desk(tmp_path, url) as (gateway, desk, _):
        assert gateway.get(Supervisor).failures == {}
        fields = {"title": FieldValue("\ud83d", 1.0, Method.AGENT)}
        odd = Order("o", "main-1", "12345", OrderState.DRAFT, fields, 1.0, 1.0)
        gateway.get(FactRecorder).record(OrderChanged(at=1.0, order=odd, changed=("title",)))
        await until(lambda: gateway.get(Supervisor).failures)
        _, _, answer = await desk.ask("GET", "/readyz")
    (tasks,) = [one for one in answer["checks"] if one["name"] == "tasks"]
    assert (answer["ok"], tasks["ok"]) == (False, False)
    assert "journal: KeyError" in tasks["detail"]


async def test_the_stream_goes_on_after_its_writer_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_gateway(settings(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")) as gateway:
        await gateway.accounts.create_account("ban", PASSWORD, Role.SUPERVISOR)
        token = (await gateway.accounts.login("ban", PASSWORD, "here")).token
        supervisor = gateway.get(Supervisor)
        url = f"ws://127.0.0.1:{gateway.stream_port}/"
        async with connect(url, additional_headers={"Cookie": f"hotline_session={token}"}) as client:
            monkeypatch.setattr(Sender, "_something", failing(1, Sender._something))
            tell(gateway, "first-reason")
            await until(lambda: "stream" in supervisor.failures)
            tell(gateway, "second-reason")
            async with asyncio.timeout(20):
                while "second-reason" not in json.dumps(json.loads(await client.recv())):
                    pass
            assert supervisor.restarts >= 1


def tell(gateway: Runtime, reason: str) -> None:
    gateway.get(LocalBus).publish(PbxLinkChanged(at=1.0, pbx="main", up=False, reason=reason))


async def test_a_database_that_is_away_ends_no_watch_over_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_gateway(settings(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")) as gateway:
        await gateway.accounts.create_account("ban", PASSWORD, Role.SUPERVISOR)
        done = await gateway.accounts.login("ban", PASSWORD, "here")
        asked = [0]

        async def authenticate(token: str) -> Any:
            asked[0] += 1
            if 1 < asked[0] < 4:
                raise OSError("the database is away")
            return await gateway.accounts.authenticate(token) if asked[0] < 6 else None

        hub = gateway.get(Hub)
        async with (
            StreamServer(hub, authenticate=authenticate, page_port=lambda: 1, recheck_s=0.02) as stream,
            connect(
                f"ws://127.0.0.1:{stream.port}/",
                additional_headers={"Cookie": f"hotline_session={done.token}"},
            ) as client,
        ):
            await asyncio.wait_for(client.wait_closed(), 10)
            assert client.close_code == 4401
        assert asked[0] == 6


async def test_a_recogniser_slot_that_fails_is_begun_again_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("asr.pool._FIRST_PAUSE_S", 0.05)
    async with EnginePool(AsrConfig(model="x"), FACTORY) as pool:
        await pool.wait_ready(20)
        usual = Worker.ask
        gate = asyncio.Event()

        async def once(worker: Worker, batch: list[EngineJob], timeout: float) -> list[list[EngineSegment]]:
            if not gate.is_set():
                gate.set()
                raise KeyError("nobody thought of this")
            return await usual(worker, batch, timeout)

        monkeypatch.setattr(Worker, "ask", once)
        asked = asyncio.create_task(pool.transcribe(np.zeros(16_000, dtype=np.float32)))
        await until(lambda: pool.failures)
        assert "KeyError" in pool.failures["asr-0"]
        segments = await asyncio.wait_for(asked, 20)
        assert segments[0].text
        assert pool.failures == {}


async def _answer(fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
    name, identity = fields.get("Action", ""), fields.get("ActionID", "")
    if name in ("CoreShowChannels", "QueueStatus", "BridgeList", "DeviceStateList"):
        writer.write(message(Response="Success", EventList="start", ActionID=identity))
        writer.write(message(Event=f"{name}Complete", EventList="Complete", ActionID=identity))
    else:
        writer.write(message(Response="Success", ActionID=identity))


async def test_a_deaf_link_is_given_up_and_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[object] = []
    snapshots: list[object] = []

    async def on_event(event: object) -> None:
        events.append(event)

    async def on_snapshot(snapshot: object) -> None:
        snapshots.append(snapshot)

    async def nothing(_: object) -> None:
        return

    secret = tmp_path / "secret"
    secret.write_text("right\n")
    async with ScriptedAmi(_answer) as pbx:
        configured = PbxSettings(name="main", port=pbx.port, secret_file=secret, reconnect_max_s=0.1)
        link = PbxLink(configured, on_event, nothing, on_snapshot)
        monkeypatch.setattr(HardenedManager, "dispatch", failing(1, HardenedManager.dispatch))
        task = asyncio.create_task(link.run())
        await until(lambda: link.state.phase == "up")
        with capture_logs() as logs:
            await pbx.send(message(Event="Newstate", Uniqueid="1.1", Channel="PJSIP/a-1"))
            await until(lambda: len(snapshots) == 2 and link.state.phase == "up")
        assert any(one["event"] == "ami_task_failed" for one in logs)
        await pbx.send(message(Event="Newstate", Uniqueid="1.1", Channel="PJSIP/a-1"))
        await until(lambda: events)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_ivr_session_that_fails_says_so_and_the_next_one_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served: list[str] = []

    async def handle(session: AgiSession) -> None:
        served.append(session.environment.uniqueid)

    async with FastAgiServer("127.0.0.1", 0, handle) as server:
        monkeypatch.setattr(FastAgiServer, "_run", failing(1, FastAgiServer._run))
        with capture_logs() as logs:
            for number in range(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(f"agi_network_script: hotline\nagi_uniqueid: {number}.1\n\n".encode())
                await asyncio.wait_for(reader.read(), 5)
                writer.close()
        assert served == ["1.1"]
        assert any(one["event"] == "agi.failed" for one in logs)


async def test_what_nobody_waits_for_tells_of_its_failure() -> None:
    async def work() -> None:
        raise KeyError("nobody thought of this")

    with capture_logs() as logs:
        task = asyncio.create_task(work(), name="one command")
        task.add_done_callback(tell_failure)
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
    assert [(one["event"], one["task"]) for one in logs] == [("task_failed", "one command")]
