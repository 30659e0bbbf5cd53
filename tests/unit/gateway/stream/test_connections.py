"""Connections on real sockets: who is gone is noticed, who comes back to reading is served, none is kept."""

import asyncio
import gc
import socket
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from websockets.asyncio.client import connect
from websockets.frames import Opcode

from agents.accounts.identity import Identity, Role
from domain.facts import QueueChanged
from domain.queues import Queue, Waiting
from gateway.stream.hub import Hub
from gateway.stream.sender import Follower
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView

HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: hotline_session=x\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def authenticate(token: str) -> Identity | None:
    return Identity(token, Role.SUPERVISOR, None, token, time.time() + 3600, "")


@asynccontextmanager
async def server(**options: Any) -> AsyncIterator[tuple[Hub, StreamServer]]:
    hub = Hub(LiveView(), queue_interval_s=0.0)
    async with StreamServer(hub, authenticate=authenticate, batch_s=0.001, **options) as stream:
        yield hub, stream


async def until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - no event to wait for
            await asyncio.sleep(0.01)


def browser(port: int) -> Any:
    url, cookie = f"ws://127.0.0.1:{port}/", {"Cookie": "hotline_session=x"}
    return connect(url, additional_headers=cookie, max_size=None, ping_interval=None)


async def dumb(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that reads, and never answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    writer.write(HANDSHAKE.encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def crowd(mark: str, callers: int = 300) -> QueueChanged:
    waiting = tuple(Waiting(f"a-{n}", "1", n, 1.0, f"caller-{mark}") for n in range(callers))
    return QueueChanged(at=1.0, queue=Queue("q", "a", None, waiting))


async def test_who_answers_no_ping_is_closed_and_who_does_stays() -> None:
    async with server(ping_s=0.3, heartbeat_s=0.1) as (hub, stream), browser(stream.port) as there:
        reader, writer = await dumb(stream.port)
        await until(lambda: len(hub.clients) == 2)
        received = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        assert bytes([0x80 | Opcode.PING, 0]) in received
        await until(lambda: len(hub.clients) == 1)
        hub.publish(crowd("still", 1))
        async with asyncio.timeout(10):
            while "caller-still" not in str(await there.recv()):
                pass


async def test_who_reads_again_gets_the_latest_and_nothing_in_between() -> None:
    async with server() as (hub, stream):
        deaf = socket.create_connection(("127.0.0.1", stream.port))
        deaf.sendall(HANDSHAKE.encode())
        await until(lambda: hub.clients and not hub.behind)
        number = 0
        while not hub.behind:
            number += 1
            hub.publish(crowd(str(number)))
            await asyncio.sleep(0.002)
        for later in range(200):
            hub.publish(crowd(f"missed-{later}"))
            await asyncio.sleep(0)
        hub.publish(crowd("latest"))
        await asyncio.sleep(0.05)
        assert hub.behind
        loop = asyncio.get_running_loop()
        deaf.setblocking(False)
        received = b""
        async with asyncio.timeout(20):
            while b"caller-latest" not in received:
                received += await loop.sock_recv(deaf, 1 << 20)
        assert b"caller-missed-150" not in received
        await until(lambda: not hub.behind)
        deaf.close()


async def test_one_that_is_closing_is_sent_nothing_and_harms_no_other() -> None:
    async with server() as (hub, stream), browser(stream.port) as other:
        reader, writer = await dumb(stream.port)
        await until(lambda: len(hub.clients) == 2 and not hub.behind)
        (closing,) = [one for one in hub.clients if _peer(one) == writer.get_extra_info("sockname")[1]]
        assert isinstance(closing, Follower)
        ending = asyncio.create_task(closing.connection.close(4400, "for the test"))
        await asyncio.sleep(0)
        hub.publish(crowd("after", 1))
        async with asyncio.timeout(10):
            while "caller-after" not in str(await other.recv()):
                pass
        writer.write(bytes([0x88, 0x82, 0, 0, 0, 0, 0x11, 0x30]))
        assert b"caller-after" not in await asyncio.wait_for(reader.read(), 20)
        writer.close()
        await ending


def _peer(client: Any) -> int:
    port: int = client.transport.get_extra_info("peername")[1]
    return port


async def test_a_connection_that_is_over_is_freed_at_once() -> None:
    """Without the garbage collector, which rarely looks at what has been there for long."""
    async with server() as (hub, stream):
        gc.disable()
        try:
            there = await browser(stream.port)
            assert msgspec.json.decode(await there.recv())["type"] == "hello"
            await until(lambda: hub.clients)
            (client,) = hub.clients
            assert isinstance(client, Follower)
            left = weakref.ref(client.connection)
            del client
            await there.close()
            await until(lambda: not hub.clients)
            await until(lambda: left() is None)
            reader, writer = await dumb(stream.port)
            await until(lambda: hub.clients)
            (client,) = hub.clients
            assert isinstance(client, Follower)
            left = weakref.ref(client.connection)
            del client
            writer.transport.abort()
            await until(lambda: left() is None)
            del reader
        finally:
            gc.enable()
