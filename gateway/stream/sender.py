"""The writing half of the stream: one task for all clients, as 5,000 wake-ups cost more than the bytes.

An agent's own changes go out at once. Everybody's changes are written to a few clients at a time, with other
work in between, so a screen-pop never waits behind 1,000 copies of a queue.

A client that has taken everything it was sent gets the next delta. Any other falls behind (see `hub.py`), is
checked again a little later, and is dropped if nothing moves for `send_timeout_s`.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

import msgspec
import structlog
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from gateway import clock
from gateway.stream.hub import Client, Hub
from gateway.tasks import tell_failure

log = structlog.get_logger(__name__)

CLOSE_TOO_SLOW = 4408
MIN_INTERVAL_S = 0.002
LOOK_AGAIN_S = 0.05
LOOKING_SHARE = 0.02
"""Share of time spent checking clients that read nothing, so that the others do not notice them."""
SLICE = 64
"""Clients written to between looks at the clock."""
SLICE_S = 0.002
"""Longest time spent writing before other work gets a turn."""


class Follower(Client):
    """A client with its connection. Instants are in the event loop's time."""

    def __init__(self, connection: ServerConnection, client: Client) -> None:
        super().__init__(client.audience, client.cursor)
        self.connection = connection
        self.transport = connection.transport
        self.last_sent = 0.0
        self.stuck_at = 0.0
        self.stuck_bytes = 0
        """What was unsent when it was last checked; it is stuck as long as this does not shrink."""

    def waiting_bytes(self) -> int:
        """Return the bytes it was sent that its connection has not taken yet."""
        size: int = self.transport.get_write_buffer_size()
        return size


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
        self._next_round = 0.0
        self._round_took = 0.0
        self._late: deque[Client] = deque()
        """Clients that are behind and have not been checked in this pass."""
        self._next_look = 0.0
        self._look_took = 0.0
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
                if began >= next_beat:
                    next_beat = began + self._heartbeat_s / 4
                    self._beat(began)
            except Exception:
                log.exception("stream_write_failed")
                own = loop.time() - began
            # Writing takes only part of the time; with few clients, nothing waits for a batch.
            await asyncio.sleep(0 if self._hub.sharing or self._late else self._pause(own))

    async def _something(self, most: float) -> None:
        """Wait until there is something to do, at most `most` seconds."""
        hub = self._hub
        if hub.sharing or self._late:
            return
        if hub.behind:
            most = min(most, LOOK_AGAIN_S)
        if hub.pending:
            most = min(most, self._next_round - asyncio.get_running_loop().time())
        if (held := hub.held_for) is not None:
            most = min(most, held)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, most)):
                await self._news.wait()

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
        hub, loop = self._hub, asyncio.get_running_loop()
        if not self._late:
            if now < self._next_look or not hub.behind:
                return
            # In order, so that nobody has to wait for those who read nothing.
            self._late.extend(hub.behind)
            self._look_took = 0.0
        began = done = loop.time()
        while self._late and done - began < SLICE_S:
            client = self._late.popleft()
            assert isinstance(client, Follower)
            if client not in hub.behind or client.connection.protocol.state is not State.OPEN:
                continue
            if waiting := client.waiting_bytes():
                self._judge(client, waiting, now)
                self._look_took += loop.time() - done
            elif (missed := hub.catch_up(client)) is not None:
                self._broadcast([client], missed, now)
            done = loop.time()
        if not self._late:
            self._next_look = done + min(LOOK_AGAIN_S, self._look_took / LOOKING_SHARE)

    def _deliver(self, clients: Iterable[Client], before: int, frame: bytes, now: float) -> None:
        """Write to the clients that have taken everything they were sent; the others fall behind."""
        ready = []
        for client in clients:
            assert isinstance(client, Follower)
            if client.transport.get_write_buffer_size():
                self._hub.fall_behind(client, before)
            else:
                ready.append(client)
        self._broadcast(ready, frame, now)

    def _broadcast(self, clients: list[Follower], frame: bytes, now: float) -> None:
        # Server frames are not masked: without extensions all clients get the very same bytes. Serialising
        # them once is what makes 5,000 clients cheap. We never send fragments that could be interrupted.
        wire = Frame(Opcode.TEXT, frame).serialize(mask=False)
        deflated = []
        for client in clients:
            client.last_sent = now
            client.stuck_bytes = 0
            protocol = client.connection.protocol
            if protocol.extensions:
                deflated.append(client.connection)
            elif protocol.state is State.OPEN:
                client.transport.write(wire)
        if deflated:
            broadcast(deflated, frame.decode())

    def _judge(self, client: Follower, waiting: int, now: float) -> None:
        """Drop a client if its unsent data has not shrunk for too long."""
        if not client.stuck_bytes or waiting < client.stuck_bytes:
            client.stuck_at, client.stuck_bytes = now, waiting
        elif now - client.stuck_at > self._send_timeout_s:
            self.dropped += 1
            log.warning("stream_client_too_slow", seconds=self._send_timeout_s, bytes=waiting)
            self._hub.leave(client)
            self.close(client.connection, CLOSE_TOO_SLOW, "too slow; come back and resume", abort_after_s=1.0)

    def _beat(self, now: float) -> None:
        idle: list[Follower] = []
        for client in list(self._hub.clients - self._hub.behind - self._hub.pending.keys()):
            assert isinstance(client, Follower)
            if now - client.last_sent < self._heartbeat_s:
                continue
            if client.waiting_bytes():
                self._hub.fall_behind(client, self._hub.sent)
            else:
                idle.append(client)
        beat = msgspec.json.encode({"type": "heartbeat", "seq": self._hub.sent, "time": clock.now()})
        self._broadcast(idle, beat, now)

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
