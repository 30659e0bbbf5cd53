"""The writing half of the stream: one task for all clients, as 5,000 wake-ups cost more than the bytes.

An agent's own changes go out at once. Everybody's changes are written to a few clients at a time, with other
work in between, so a screen-pop never waits behind 1,000 copies of a queue.

A client that has taken everything it was sent gets the next delta. Any other falls behind (see `hub.py`) and
costs nothing until its connection says that it can take more; it is dropped if nothing moves for
`send_timeout_s`.
"""

import asyncio
from contextlib import suppress
from typing import cast

import msgspec
import structlog
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from gateway import clock
from gateway.stream.connection import StreamConnection
from gateway.stream.hub import Client, Hub
from gateway.tasks import tell_failure

log = structlog.get_logger(__name__)

CLOSE_TOO_SLOW = 4408
MIN_INTERVAL_S = 0.002
SLICE = 16
"""Clients written to between looks at the clock."""
SLICE_S = 0.001
"""Longest time spent writing before other work gets a turn."""
TURNS = 3
"""Turns of the event loop for other work then: an event takes as many from the socket to the fact. With one,
a screen-pop that came while everybody was written to waited for as many slices."""
LOOKS = 20
"""How often in `send_timeout_s` clients that read nothing are looked at."""


class Follower(Client):
    """A client with its connection. Instants are in the event loop's time."""

    __slots__ = (
        "connection",
        "deflated",
        "last_sent",
        "pinged_at",
        "ready",
        "stuck_at",
        "stuck_bytes",
        "transport",
    )

    def __init__(self, connection: StreamConnection, client: Client) -> None:
        super().__init__(client.audience, client.cursor)
        self.connection = connection
        self.transport = connection.transport
        self.deflated = bool(connection.protocol.extensions)
        self.ready = True
        """Whether the connection is open and has taken everything it was sent."""
        self.last_sent = 0.0
        """When it was last sent anything by itself."""
        self.pinged_at = 0.0
        self.stuck_at = 0.0
        self.stuck_bytes = 0
        """What was unsent when it was last looked at; it is stuck as long as this does not shrink."""


class Sender:
    """Writes until `run()` is cancelled."""

    def __init__(self, hub: Hub, *, heartbeat_s: float, batch_s: float, send_timeout_s: float) -> None:
        """Set up the sender: writes at once when idle, at most every `batch_s` under load."""
        self._hub = hub
        self._heartbeat_s = heartbeat_s
        self._batch_s = batch_s
        self._send_timeout_s = send_timeout_s
        self._news = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self.dropped = 0
        """Clients dropped for being too slow."""
        self._owed = 0.0
        self._owed_at = 0.0
        """Seconds that the sender, as of then, should leave to other work before it writes again."""
        self._next_round = 0.0
        self._round_took = 0.0
        self._next_look = 0.0
        hub.on_news = self._news.set

    async def run(self) -> None:
        """Write until cancelled."""
        loop = asyncio.get_running_loop()
        next_beat = loop.time() + self._heartbeat_s / 4
        while True:
            await self._something(next_beat - loop.time())
            self._news.clear()
            began = loop.time()
            try:
                self._own(began)
                own = loop.time() - began
                if self._hub.sharing or (self._hub.pending and began >= self._next_round):
                    self._share(began)
                self._catch_up(began)
                self._look(began)
                if began >= next_beat:
                    next_beat = began + self._heartbeat_s / 4
                    self._beat(began)
            except Exception:
                log.exception("stream_write_failed")
                own = loop.time() - began
            if self._hub.sharing or self._hub.due:
                for _ in range(TURNS):
                    await asyncio.sleep(0)
            else:
                await asyncio.sleep(self._rest(own, loop.time()))

    def ready(self, client: Follower, ready: bool) -> None:
        """Note whether the client's connection can take more."""
        client.ready = ready
        if ready:
            self._hub.has_room(client)

    async def _something(self, most: float) -> None:
        """Wait until there is something to do, at most `most` seconds."""
        hub, now = self._hub, asyncio.get_running_loop().time()
        if hub.sharing or hub.due:
            return
        if hub.behind:
            most = min(most, self._next_look - now)
        if hub.pending:
            most = min(most, self._next_round - now)
        if (held := hub.held_for) is not None:
            most = min(most, held)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, most)):
                await self._news.wait()

    def _rest(self, own: float, now: float) -> float:
        """Return how long to leave the time to other work: twice what was written for, not at every turn.

        A screen-pop alone waits for no batch; under load, writing takes a third of the time.
        """
        self._owed = max(0.0, self._owed - (now - self._owed_at)) + 2 * own
        self._owed_at = now
        return 0.0 if self._owed < MIN_INTERVAL_S else min(self._batch_s, self._owed)

    def _pause(self, busy: float) -> float:
        return min(self._batch_s, max(MIN_INTERVAL_S, 2 * busy))

    def _own(self, now: float) -> None:
        self._hub.release()
        for clients, before, frame in self._hub.own():
            self._deliver(clients, before, frame, now)

    def _share(self, now: float) -> None:
        loop = asyncio.get_running_loop()
        began = done = loop.time()
        while done - began < SLICE_S:
            for clients, before, frame in self._hub.share(SLICE):
                self._deliver(clients, before, frame, now)
            done = loop.time()
            if not self._hub.sharing:
                break
        self._round_took += done - began
        if not self._hub.sharing:
            self._next_round = done + self._pause(self._round_took)
            self._round_took = 0.0

    def _catch_up(self, now: float) -> None:
        """Bring those up to date who are behind and can take it."""
        hub, loop = self._hub, asyncio.get_running_loop()
        began = loop.time()
        while hub.due and loop.time() - began < SLICE_S:
            client = hub.due.popleft()
            assert isinstance(client, Follower)
            # One that is not ready says when it is.
            if client not in hub.behind or not client.ready:
                continue
            if (missed := hub.catch_up(client)) is not None:
                client.last_sent = now
                self._write([client], missed)

    def _deliver(self, clients: list[Client], before: int, frame: bytes, now: float) -> None:
        """Write to the clients that have taken everything they were sent; the others fall behind."""
        followers = cast(list[Follower], clients)
        ready = [client for client in followers if client.ready]
        if len(ready) < len(followers):
            for client in followers:
                if not client.ready:
                    self._fall_behind(client, before)
        if len(clients) == 1:
            followers[0].last_sent = now
        elif (alike := clients[0].alike) is not None:
            alike.last_sent = now
        self._write(ready, frame)

    def _fall_behind(self, client: Follower, before: int) -> None:
        client.stuck_bytes = 0
        self._hub.fall_behind(client, before)

    def _write(self, clients: list[Follower], frame: bytes) -> None:
        # Server frames are not masked: without extensions all clients get the very same bytes. Serialising
        # them once is what makes 5,000 clients cheap. We never send fragments that could be interrupted.
        wire = Frame(Opcode.TEXT, frame).serialize(mask=False)
        for client in clients:
            if client.deflated:
                broadcast([client.connection], frame.decode())
            else:
                client.transport.write(wire)

    def _look(self, now: float) -> None:
        """Drop clients whose unsent data has not shrunk for too long."""
        if now < self._next_look:
            return
        self._next_look = now + self._send_timeout_s / LOOKS
        for client in list(self._hub.behind):
            assert isinstance(client, Follower)
            waiting = client.transport.get_write_buffer_size()
            if not waiting:
                continue
            if not client.stuck_bytes or waiting < client.stuck_bytes:
                client.stuck_at, client.stuck_bytes = now, waiting
            elif now - client.stuck_at > self._send_timeout_s:
                self.dropped += 1
                log.warning("stream_client_too_slow", seconds=self._send_timeout_s, bytes=waiting)
                self._hub.leave(client)
                self.close(
                    client.connection, CLOSE_TOO_SLOW, "too slow; come back and resume", abort_after_s=1.0
                )

    def _beat(self, now: float) -> None:
        idle: list[Follower] = []
        for client in list(self._hub.clients - self._hub.behind - self._hub.pending.keys()):
            assert isinstance(client, Follower)
            assert client.alike is not None
            if now - max(client.last_sent, client.alike.last_sent) < self._heartbeat_s:
                continue
            if client.ready:
                client.last_sent = now
                idle.append(client)
            else:
                self._fall_behind(client, self._hub.sent)
        beat = msgspec.json.encode({"type": "heartbeat", "seq": self._hub.sent, "time": clock.now()})
        self._write(idle, beat)

    def close(
        self, connection: ServerConnection, code: int, reason: str, *, abort_after_s: float | None = None
    ) -> None:
        """Close in the background; if the client reads nothing, abort after `abort_after_s`."""

        async def closing() -> None:
            with suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(abort_after_s):
                    await connection.close(code, reason)
            if abort_after_s is not None:
                connection.transport.abort()

        task = asyncio.create_task(closing())
        self._closing.add(task)
        task.add_done_callback(tell_failure)
        task.add_done_callback(self._closing.discard)
