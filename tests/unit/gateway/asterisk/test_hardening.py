"""Each defect of stock panoramisk, shown on stock and fixed by ours. The server is a real socket.

`xfail(strict=True)` on stock is the proof that the test sees the defect: the day stock is fixed, it fails.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from domain.pbx.errors import ActionTimeout, ConnectionLost, LoginRefused
from gateway.asterisk.manager import HardenedManager, backoff
from gateway.asterisk.protocol import HardenedProtocol, Headers, render_action
from tests.support.ami_server import ScriptedAmi, message

NAME = "季建国"


class Client:
    """One of the two managers, connected and logged in; `seen` gets the events' headers."""

    def __init__(self, stock: bool, server: ScriptedAmi, handler: Callable[[Any], Any]) -> None:
        self.stock = stock
        config: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": server.port,
            "username": "hotline",
            "secret": "right",
        }
        if stock:
            self.manager: Any = Manager(loop=asyncio.get_running_loop(), reconnect_timeout=60, **config)
            self.manager.register_event("*", lambda _, event: handler(event))
        else:

            async def on_headers(headers: Headers) -> None:
                result = handler(headers)
                if asyncio.iscoroutine(result):
                    await result

            self.manager = HardenedManager(on_headers=on_headers, action_timeout=0.3, **config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self.stock:
            await self.manager.connect()
        else:
            await self.manager.open()
            self._serving = asyncio.create_task(self.manager.serve())

    async def stop(self) -> None:
        self.manager.close()
        if self.stock:
            self.manager.connect = lambda: None
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)


@contextlib.asynccontextmanager
async def connected(
    stock: bool, server: ScriptedAmi, handler: Callable[[Any], Any] = lambda _: None
) -> AsyncIterator[Client]:
    client = Client(stock, server, handler)
    await client.start()
    await asyncio.wait_for(server.logged_in.wait(), 2)
    try:
        yield client
    finally:
        await client.stop()
        await asyncio.sleep(0.01)


both = pytest.mark.parametrize(
    "stock",
    [
        pytest.param(
            True, id="stock", marks=pytest.mark.xfail(strict=True, reason="stock panoramisk's defect")
        ),
        pytest.param(False, id="ours"),
    ],
)


async def eventually(condition: Callable[[], object], timeout: float = 2.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@both
async def test_a_chinese_character_cut_by_a_packet_border_is_whole(stock: bool) -> None:
    seen: list[str] = []
    async with ScriptedAmi() as server:
        async with connected(stock, server, lambda event: seen.append(event.get("CallerIDName", ""))):
            data = message(Event="Newchannel", CallerIDName=NAME, Uniqueid="1.1")
            cut = data.index(NAME.encode()) + 1
            await server.send(data[:cut])
            await asyncio.sleep(0.05)
            await server.send(data[cut:])
            await eventually(lambda: seen)
    assert seen == [NAME]


@both
async def test_a_line_break_in_a_value_injects_no_second_action(stock: bool) -> None:
    async with ScriptedAmi() as server:
        async with connected(stock, server) as client:
            with contextlib.suppress(ValueError):
                client.manager.send_action(
                    {"Action": "QueuePause", "Reason": "x\r\n\r\nAction: Command\r\nCommand: core stop now"}
                )
            await asyncio.sleep(0.1)
            assert "Command" not in [action.get("Action") for action in server.actions]


@both
async def test_an_action_without_an_answer_ends(stock: bool) -> None:
    async with ScriptedAmi() as server, connected(stock, server) as client:
        future = client.manager.send_action({"Action": "QueueStatus"})
        with pytest.raises(ActionTimeout):
            await asyncio.wait_for(asyncio.shield(future), 1.0)
        assert not client.manager.protocol.responses


@both
async def test_an_action_ends_when_the_connection_goes(stock: bool) -> None:
    async with ScriptedAmi() as server, connected(stock, server) as client:
        future = client.manager.send_action({"Action": "QueueStatus"})
        await asyncio.sleep(0.05)
        server.writers[-1].close()
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(asyncio.shield(future), 0.25)


@both
async def test_events_are_handled_in_order_though_handlers_wait(stock: bool) -> None:
    done: list[str] = []

    async def handler(event: Any) -> None:
        # The earlier, the slower.
        await asyncio.sleep(0.03 / int(event["Uniqueid"]))
        done.append(event["Uniqueid"])

    async with ScriptedAmi() as server, connected(stock, server, handler):
        for number in range(1, 6):
            await server.send(message(Event="Newchannel", Uniqueid=str(number)))
        await eventually(lambda: len(done) == 5)
    assert done == ["1", "2", "3", "4", "5"]


@both
async def test_a_handlers_exception_is_seen_and_the_next_event_handled(stock: bool) -> None:
    done: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)

    async def handler(event: Any) -> None:
        if event["Uniqueid"] == "1":
            raise RuntimeError("a bug")
        done.append(event["Uniqueid"])

    async with ScriptedAmi() as server, connected(stock, server, handler) as client:
        for number in (1, 2):
            await server.send(message(Event="Newchannel", Uniqueid=str(number)))
        await eventually(lambda: done)
        assert getattr(client.manager, "handler_errors", 0) == 1


@both
async def test_a_slow_handler_slows_the_sender_down(stock: bool) -> None:
    """Back-pressure: what is not yet handled waits in the network, not in memory."""

    async def handler(_: Any) -> None:
        await asyncio.sleep(3600)

    async with ScriptedAmi() as server, connected(stock, server, handler):
        event = message(Event="Newchannel", Uniqueid="1", Padding="x" * 4000)
        # Time is taken for one event, not for all: a busy machine is slow, only back-pressure stands still.
        with pytest.raises(TimeoutError):
            for _ in range(20_000):
                async with asyncio.timeout(2):
                    await server.send(event)


async def test_a_refused_login_is_told_apart_from_a_lost_connection() -> None:
    async with ScriptedAmi() as server:
        wrong = HardenedManager(host="127.0.0.1", port=server.port, username="hotline", secret="wrong")
        with pytest.raises(LoginRefused, match=r"manager\.conf") as caught:
            await wrong.open()
        assert "wrong" not in str(caught.value)
        port = server.port
    gone = HardenedManager(host="127.0.0.1", port=port, username="hotline", secret="right")
    with pytest.raises(OSError, match="Connect"):
        await gone.open()


async def test_stock_takes_a_refused_login_for_an_open_connection() -> None:
    """The companion of the test above: stock's `connect` says nothing of the refusal."""
    async with ScriptedAmi() as server:
        stock = Manager(
            loop=asyncio.get_running_loop(), host="127.0.0.1", port=server.port, username="x", secret="wrong"
        )
        await stock.connect()
        await asyncio.sleep(0.1)
        assert stock.authenticated is False
        assert stock._connected is True
        stock.close()
        stock.connect = lambda: None
        await asyncio.sleep(0.05)


async def test_lists_are_collected_to_their_end() -> None:
    async def reply(fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
        identity = fields["ActionID"]
        writer.write(message(Response="Success", ActionID=identity, EventList="start"))
        writer.write(message(Event="QueueParams", ActionID=identity, Queue="q"))
        writer.write(message(Event="Newchannel", Uniqueid="9"))
        writer.write(message(Event="QueueStatusComplete", ActionID=identity, EventList="Complete"))

    seen: list[str] = []
    async with (
        ScriptedAmi(reply) as server,
        connected(False, server, lambda e: seen.append(e["Event"])) as client,
    ):
        answer = await client.manager.send_action({"Action": "QueueStatus"}, True)
        assert [row["Event"] for row in answer.events] == ["QueueParams"]
        await eventually(lambda: seen)
    assert seen == ["Newchannel"]


async def test_a_huge_message_is_dropped_and_the_next_is_read() -> None:
    seen: list[str] = []
    async with ScriptedAmi() as server:
        async with connected(False, server, lambda e: seen.append(e["Uniqueid"])) as client:
            await server.send(b"Event: Newchannel\r\nX: " + b"y" * 3_000_000 + b"\r\n\r\n")
            await server.send(message(Event="Newchannel", Uniqueid="2"))
            await eventually(lambda: seen)
            assert client.manager.dropped == 1
    assert seen == ["2"]


async def test_a_peer_that_falls_silent_is_found_out() -> None:
    async with ScriptedAmi() as server:
        manager = HardenedManager(
            host="127.0.0.1", port=server.port, username="hotline", secret="right", action_timeout=0.2,
            ping_interval=1,
        )  # fmt: skip
        await manager.open()

        async def deaf(fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
            return None

        server._answer = deaf  # type: ignore[method-assign]
        with pytest.raises(ConnectionLost, match="silent"):
            await asyncio.wait_for(manager.serve(), 3)


class Collector:
    """Stands where the manager stands, for the protocol alone."""

    def __init__(self) -> None:
        self.headers: list[Headers] = []
        self.handler_errors = self.undecodable = self.dropped = 0
        self.action_timeout = 1.0
        self.wanted = None

    def protocol_made(self, protocol: HardenedProtocol) -> None: ...
    def protocol_lost(self, protocol: HardenedProtocol, exc: Exception | None) -> None: ...
    def feed(self, headers: Headers) -> None:
        self.headers.append(headers)


class NoTransport(asyncio.Transport):
    """Takes and gives nothing."""

    def write(self, data: Any) -> None: ...
    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


def protocol() -> tuple[Any, Collector]:
    owner = Collector()
    made = HardenedProtocol(owner)
    made.connection_made(NoTransport())
    return made, owner


EVENTS = b"Asterisk Call Manager/11.0.0\r\n" + b"".join(
    message(Event="Newchannel", Uniqueid=str(number), CallerIDName=NAME) for number in range(3)
)


@given(st.lists(st.integers(1, len(EVENTS) - 1), max_size=20))
@settings(deadline=None)
def test_however_the_bytes_are_cut_the_messages_are_the_same(cuts: list[int]) -> None:
    made, owner = protocol()
    edges = [0, *sorted(set(cuts)), len(EVENTS)]
    for start, end in itertools.pairwise(edges):
        made.data_received(EVENTS[start:end])
    assert [headers["CallerIDName"] for headers in owner.headers] == [NAME] * 3


@given(st.lists(st.binary(max_size=300), max_size=20))
@settings(deadline=None)
def test_random_bytes_never_crash(chunks: list[bytes]) -> None:
    made, _ = protocol()
    for chunk in chunks:
        made.data_received(chunk)
    assert len(made.buffer) < 2_000_000


@pytest.mark.parametrize("bad", ["a\r\nb", "a\nb", "a\0b"])
def test_what_cannot_be_sent_names_the_header(bad: str) -> None:
    with pytest.raises(ValueError, match="Reason"):
        render_action({"Action": "QueuePause", "Reason": bad})


def test_back_off_grows_to_its_limit_with_jitter() -> None:
    waits = [[backoff(attempt, 30.0) for _ in range(50)] for attempt in range(10)]
    assert all(0 < wait <= 30 for some in waits for wait in some)
    assert max(waits[0]) <= 0.5 < max(waits[5])
    assert len(set(waits[5])) > 1


def test_ours_is_a_panoramisk() -> None:
    assert issubclass(HardenedManager, Manager)
    assert issubclass(HardenedProtocol, AMIProtocol)
