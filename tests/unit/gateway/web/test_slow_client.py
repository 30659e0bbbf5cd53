"""A websocket client that stops reading, on a real socket: dropped, and nobody else notices."""

import asyncio
import socket
from typing import Any

from argon2 import PasswordHasher
from websockets.asyncio.client import connect

from agents.accounts.identity import Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from domain.facts import QueueChanged
from domain.queues import Queue, Waiting
from gateway.stream.hub import Hub
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView

CALLERS = 500


def crowd(mark: str) -> QueueChanged:
    waiting = tuple(Waiting(f"a-{n}", "1", n, 1.0, f"caller-{mark}") for n in range(CALLERS))
    return QueueChanged(at=1.0, queue=Queue("q", "a", None, waiting))


async def test_slow_client_is_dropped_and_the_other_goes_on(store: Any) -> None:
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts = AccountService(store, store, passwords=cheap)
    await accounts.create_account("ban", "correct-horse", Role.SUPERVISOR, None)
    cookie = f"hotline_session={(await accounts.login('ban', 'correct-horse', 'test')).token}"
    hub = Hub(LiveView(), queue_interval_s=0.0)
    async with StreamServer(
        hub, authenticate=accounts.authenticate, batch_s=0.001, send_timeout_s=0.5
    ) as stream:
        deaf = socket.create_connection(("127.0.0.1", stream.port))
        deaf.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{stream.port}\r\nCookie: {cookie}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        url = f"ws://127.0.0.1:{stream.port}/"
        async with connect(url, additional_headers={"Cookie": cookie}, max_size=None) as good:
            seen = asyncio.Event()

            async def read() -> None:
                async for frame in good:
                    if "caller-last" in str(frame):
                        seen.set()

            reading = asyncio.create_task(read())
            async with asyncio.timeout(10):
                while len(hub.clients) < 2:  # noqa: ASYNC110 - no event to wait for
                    await asyncio.sleep(0.01)
            for number in range(3000):
                hub.publish(crowd(str(number)))
                await asyncio.sleep(0.002)
                if len(hub.clients) == 1:
                    break
            assert len(hub.clients) == 1
            hub.publish(crowd("last"))
            await asyncio.wait_for(seen.wait(), 5)
            reading.cancel()
        deaf.close()
