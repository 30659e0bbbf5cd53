"""The typed client against a real server on a real socket; every frame against the AsyncAPI document."""

import asyncio
import gzip
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from websockets.asyncio.client import connect

from agents.accounts.identity import Identity, Role
from domain import facts as f
from domain.calls import Call, CallState, Direction, Party, Side
from domain.commands import Answered
from domain.figures import QueueFigures
from domain.frames import ClientFrame, Delta, Heartbeat, Hello, ServerFrame, Snapshot
from domain.orders import FieldValue, Method, Order, OrderState
from domain.queues import AgentState, AgentStatus, Queue, Waiting
from domain.recogniser import Load, Recogniser
from domain.transcripts import Utterance
from gateway.cli.board import board
from gateway.client import SignedOut, StreamClient
from gateway.stream import asyncapi
from gateway.stream.hub import Hub
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView

ROOT = Path(__file__).parents[4]
DOCUMENT = asyncapi.document()
EVIL = "\x1b]0;x\x07[red]<script>"


def valid(frame: Any) -> str:
    """Checks a frame against its message's schema; its type."""
    message = DOCUMENT["components"]["messages"][frame["type"]]
    schema = {**message["payload"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(frame)
    return str(frame["type"])


async def authenticate(token: str) -> Identity | None:
    if token == "gone":
        return None
    return Identity(token, Role.SUPERVISOR, None, token, time.time() + 3600, "")


class Desk:
    async def command(self, who: Identity, command_id: str, name: str, args: Any) -> Answered:
        if name == "slow":
            await asyncio.sleep(30)
        if name == "pause":
            return Answered(command_id, ok=True, result={"did": args})
        return Answered(command_id, ok=False, code="unknown_command", message="no such command")


@asynccontextmanager
async def server(hub: Hub, **more: Any) -> AsyncIterator[StreamServer]:
    async with StreamServer(hub, authenticate=authenticate, commands=Desk(), **more) as stream:
        yield stream


def call(number: int = 1, state: CallState = CallState.TALKING, **more: Any) -> Call:
    return Call(
        id=f"main-{number}",
        pbx="main",
        linkedid=str(number),
        direction=Direction.INBOUND,
        state=state,
        caller=Party("13962875016", EVIL),
        called="12345",
        started_at=1.0,
        agent="1001",
        **more,
    )


def everything() -> list[f.AnyFact]:
    """A fact of every topic."""
    order = Order(
        "0" * 8,
        "main-1",
        "12345",
        OrderState.DRAFT,
        {"town": FieldValue("刘桥镇", 0.9, Method.GAZETTEER)},
        1.0,
        2.0,
    )
    figures = QueueFigures(pbx="main", queue="q", line="12345", start=0.0, end=86400.0, interval=None)
    return [
        f.CallUpdated(at=1.0, call=call(), what="x"),
        f.QueueChanged(
            at=1.0, queue=Queue("q", "main", "12345", (Waiting("main-1", "1", 1, 1.0, EVIL),), agents=1)
        ),
        f.AgentChanged(at=1.0, agent=AgentStatus("1001", "王芳", "PJSIP/1001", AgentState.TALKING, 1.0)),
        f.UtteranceHeard(
            at=1.0, utterance=Utterance("main-1/caller/000001000", "main-1", Side.CALLER, 1.0, 2.0, EVIL)
        ),
        f.OrderChanged(at=1.0, order=order, changed=("town",)),
        f.PbxLinkChanged(at=1.0, pbx="main", up=True, reason=""),
        f.QueueFiguresChanged(at=1.0, figures=figures),
        f.RecogniserChanged(at=1.0, recogniser=Recogniser(Load.NORMAL, True, 0, 0.0, 0)),
    ]


async def test_every_frame_of_a_running_server_is_as_the_document_says() -> None:
    hub = Hub(LiveView(linger_s=0.0))
    seen: dict[str, list[Any]] = {}
    async with server(hub, heartbeat_s=0.3) as stream:
        url = f"ws://127.0.0.1:{stream.port}/"
        async with connect(url, additional_headers={"Cookie": "hotline_session=a"}) as socket:

            async def take(wanted: str) -> Any:
                async with asyncio.timeout(5):
                    while True:
                        frame = json.loads(await socket.recv())
                        msgspec.convert(frame, ServerFrame)
                        seen.setdefault(valid(frame), []).append(frame)
                        if wanted in ("", frame["type"]):
                            return frame

            await take("snapshot")
            for fact in everything():
                hub.publish(fact)
            topics = set[str]()
            while len(topics) < 8:
                topics |= {change["topic"] for change in (await take("delta"))["changes"]}
            hub.publish(f.CallEnded(at=1.0, call=call(state=CallState.ENDED, ended_at=2.0)))
            hub.tick(3.0)
            while not (await take("delta"))["removals"]:
                pass
            for frame in (
                {"type": "ping"},
                {"type": "command", "id": "1", "name": "pause", "args": {"reason": "小休"}},
                {"type": "command", "id": "2", "name": "?", "args": {}},
                {"type": "resume", "epoch": "x", "since": 1},
                {"type": "subscribe", "topics": ["queues"]},
            ):
                valid(frame)
                msgspec.convert(frame, ClientFrame)
                await socket.send(json.dumps(frame))
            wanted = {"pong": 1, "result": 2, "snapshot": 2, "heartbeat": 1}
            while any(len(seen.get(kind, ())) < count for kind, count in wanted.items()):
                await take("")
    assert set(seen) == {"hello", "snapshot", "delta", "heartbeat", "pong", "result"}


def test_a_frame_that_is_wrong_is_refused_by_the_document() -> None:
    good = {"type": "delta", "seq": 1, "changes": [], "removals": []}
    valid(good)
    for wrong in (
        {**good, "seq": "1"},
        {"type": "delta", "seq": 1},
        {**good, "removals": [{"topic": "nothing", "key": "x"}]},
        {**good, "changes": [{"topic": "calls", "key": "x", "value": {}}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            valid(wrong)


def test_the_document_in_docs_is_the_generated_one() -> None:
    stored = json.loads((ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(DOCUMENT)), "run `make stream-types`"


def test_the_document_is_asyncapi_3() -> None:
    """Held against the specification's own JSON Schema (Apache-2.0, npm @asyncapi/specs 6.11.1)."""
    packed = (ROOT / "tests" / "data" / "asyncapi-3.0.0.schema.json.gz").read_bytes()
    official = jsonschema.Draft7Validator(json.loads(gzip.decompress(packed)))
    stored = json.loads((ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8"))
    assert [error.message for error in official.iter_errors(stored)] == []
    stored["operations"]["send"]["action"] = "shout"
    assert list(official.iter_errors(stored))


async def test_a_lost_connection_is_resumed_without_a_snapshot() -> None:
    hub = Hub(LiveView())
    async with server(hub) as stream:
        got: list[ServerFrame] = []
        async with StreamClient(
            f"ws://127.0.0.1:{stream.port}/", "hotline_session=a", retry_max_s=0.1
        ) as client:

            async def follow() -> None:
                async for frame in client:
                    got.append(frame)  # noqa: PERF401 - seen as they come

            async def until(count: int, kind: type) -> None:
                async with asyncio.timeout(5):
                    while sum(isinstance(one, kind) for one in got) < count:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)

            following = asyncio.create_task(follow())
            await until(1, Snapshot)
            hub.publish(f.CallUpdated(at=1.0, call=call(1), what="x"))
            await until(1, Delta)
            for follower in list(hub.clients):
                follower.connection.transport.abort()  # type: ignore[attr-defined]
            hub.publish(f.CallUpdated(at=2.0, call=call(2), what="x"))
            await until(2, Hello)
            await until(2, Delta)
            assert sum(isinstance(one, Snapshot) for one in got) == 1
            assert set(client.view.of("calls")) == {"main-1", "main-2"}
            assert client.reconnects == 1
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def test_another_run_of_the_gateway_begins_with_a_snapshot() -> None:
    first, second = Hub(LiveView()), Hub(LiveView())
    first.publish(f.CallUpdated(at=1.0, call=call(1), what="x"))
    second.publish(f.CallUpdated(at=1.0, call=call(2), what="x"))
    async with server(first) as stream:
        port = stream.port
        client = StreamClient(f"ws://127.0.0.1:{port}/", "hotline_session=a", retry_max_s=0.1)
        frames = aiter(client)
        while not isinstance(await anext(frames), Snapshot):
            pass
        assert set(client.view.of("calls")) == {"main-1"}
    async with server(second, port=port), asyncio.timeout(5):
        while not isinstance(await anext(frames), Snapshot):
            pass
        assert set(client.view.of("calls")) == {"main-2"}
        await frames.aclose()  # type: ignore[attr-defined]


async def test_commands_are_answered_and_a_lost_one_says_so() -> None:
    hub = Hub(LiveView())
    async with server(hub) as stream:
        async with StreamClient(f"ws://127.0.0.1:{stream.port}/", "hotline_session=a") as client:

            async def follow() -> None:
                async for _ in client:
                    pass

            following = asyncio.create_task(follow())
            await asyncio.wait_for(client.connected.wait(), 5)
            done = await client.command("pause", {"reason": "小休"})
            assert (done.ok, done.result) == (True, {"did": {"reason": "小休"}})
            refused = await client.command("nothing")
            assert not refused.ok
            assert refused.error is not None
            assert refused.error.code == "unknown_command"
            waiting = asyncio.create_task(client.command("slow"))
            await asyncio.sleep(0.1)
            for follower in list(hub.clients):
                follower.connection.transport.abort()  # type: ignore[attr-defined]
            with pytest.raises(ConnectionError):
                await waiting
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def test_who_is_not_signed_in_is_told() -> None:
    async with server(Hub(LiveView())) as stream:
        with pytest.raises(SignedOut):
            await anext(aiter(StreamClient(f"ws://127.0.0.1:{stream.port}/", "hotline_session=gone")))


async def test_heartbeats_come_while_nothing_happens() -> None:
    async with server(Hub(LiveView()), heartbeat_s=0.2) as stream:
        client = StreamClient(f"ws://127.0.0.1:{stream.port}/", "hotline_session=a")
        async with asyncio.timeout(5):
            beats = 0
            async for frame in client:
                beats += isinstance(frame, Heartbeat)
                if beats == 3:
                    break


async def test_the_board_shows_what_is_seen_and_obeys_nobody() -> None:
    from rich.console import Console

    hub = Hub(LiveView())
    for fact in everything():
        hub.publish(fact)
    async with server(hub) as stream:
        client = StreamClient(
            f"ws://127.0.0.1:{stream.port}/", "hotline_session=a", topics=("calls", "queues")
        )
        async for frame in client:
            if isinstance(frame, Snapshot):
                break
    assert set(client.view.items) == {"calls", "queues"}
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(board(client.view, 61.0, connected=False))
    shown = console.export_text()
    assert "13962875016" in shown
    assert "1:00" in shown
    assert "\x1b]" not in shown
