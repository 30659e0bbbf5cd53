"""The websocket server of the stream; the frames are described in docs/stream.md."""

import asyncio
import json
import secrets
import socket
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from time import monotonic, time
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from weakref import WeakKeyDictionary

import msgspec
import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from agents.accounts.identity import Identity
from domain.visibility.policy import OPEN, Privacy
from gateway import clock
from gateway.stream.audience import TOPICS, audience_of
from gateway.stream.command_frames import CommandFrames, CommandPort
from gateway.stream.connection import StreamConnection, nobody
from gateway.stream.hub import Client, Hub
from gateway.stream.keepalive import Keepalive
from gateway.stream.origin import own_origin
from gateway.stream.sender import Follower, Sender

VERSION = 1
COOKIE = "hotline_session"
SEND_BUFFER = 128 * 1024
CLOSE_BAD_FRAME = 4400
CLOSE_SIGNED_OUT = 4401
CLOSE_TOO_MANY_FRAMES = 4429

log = structlog.get_logger(__name__)


Tend = Callable[[str, Callable[[], Coroutine[Any, Any, object]]], asyncio.Task[Any]]
"""Runs something under a name (`gateway.supervision.Supervisor.tend`)."""


def _run(name: str, run: Callable[[], Coroutine[Any, Any, object]]) -> asyncio.Task[Any]:
    return asyncio.create_task(run(), name=name)


class StreamServer:
    """Serves on `server.port` inside `async with StreamServer(...) as server`."""

    def __init__(
        self,
        hub: Hub,
        *,
        authenticate: Callable[[str], Awaitable[Identity | None]],
        host: str = "127.0.0.1",
        port: int = 0,
        page_port: Callable[[], int | None] = lambda: None,
        allowed_origins: Collection[str] = (),
        heartbeat_s: float = 15.0,
        batch_s: float = 0.02,
        send_timeout_s: float = 30.0,
        ping_s: float = 20.0,
        recheck_s: float = 60.0,
        max_clients: int = 2000,
        commands: CommandPort | None = None,
        deflate: bool = False,
        privacy: Privacy = OPEN,
        tend: Tend = _run,
    ) -> None:
        """Set up the server. `authenticate(token)` is AccountService.authenticate.

        `page_port` returns the web server's bound port. `deflate` offers permessage-deflate, which is off
        because it was measured (docs/stream.md). `tend` runs what writes to the clients, and starts it again.
        """
        self._tend = tend
        self.hub = hub
        self.host = host
        self.port = port
        self.epoch = secrets.token_hex(8)
        """Identifies this run: sequence numbers from another run mean nothing here."""
        self._authenticate = authenticate
        self._page_port = page_port
        self._origins = allowed_origins
        self._heartbeat_s = heartbeat_s
        self._send_timeout_s = send_timeout_s
        self._recheck_s = recheck_s
        self._max_clients = max_clients
        self._commands = CommandFrames(commands)
        self._privacy = privacy
        self._compression = "deflate" if deflate else None
        self.sender = Sender(hub, heartbeat_s=heartbeat_s, batch_s=batch_s, send_timeout_s=send_timeout_s)
        self._keepalive = Keepalive(hub, self.sender, interval_s=ping_s)
        self._who: WeakKeyDictionary[ServerConnection, tuple[str, Identity]] = WeakKeyDictionary()
        self._server: Server | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self.host,
            self.port,
            process_request=self._admit,
            compression=self._compression,
            max_size=4096,
            max_queue=8,
            create_connection=StreamConnection,
            write_limit=0,
            open_timeout=10,
            ping_interval=None,
            close_timeout=3,
            server_header=None,
        )
        for listener in self._server.sockets:
            # Inherited by every connection: a client that reads nothing ties up no more kernel memory than
            # this.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        self._tasks = [
            self._tend("stream", self.sender.run),
            self._tend("stream_keepalive", self._keepalive.run),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def revoke(self, token_hash: str) -> None:
        """Close all connections of that session with 4401; pass this to AccountService.on_revoked."""
        for connection, (_, identity) in list(self._who.items()):
            if identity.token_hash == token_hash:
                self.sender.close(connection, CLOSE_SIGNED_OUT, "signed out")

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        headers = request.headers
        origins, hosts = headers.get_all("Origin"), headers.get_all("Host")
        if len(origins) > 1 or not own_origin(
            origins[0] if origins else None,
            hosts[0] if hosts else None,
            allowed=self._origins,
            page_port=self._page_port(),
        ):
            return connection.respond(
                HTTPStatus.FORBIDDEN, "origin not allowed; add it to http.allowed_origins\n"
            )
        token = _cookie(";".join(headers.get_all("Cookie")))
        identity = await self._authenticate(token) if token else None
        if token is None or identity is None:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "not signed in; POST /api/v1/session\n")
        if len(self.hub.clients) >= self._max_clients:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many clients; try again later\n")
        self._who[connection] = (token, identity)
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        token, identity = self._who[connection]
        request = connection.request
        assert request is not None
        query = parse_qs(urlsplit(request.path).query, max_num_fields=16)
        cursor = self._resumed(query.get("epoch", [""])[0], query.get("since", [""])[0])
        topics = query.get("topics", [""])[0].split(",")
        screen = query.get("screen", [""])[0] == "1"
        audience = audience_of(identity, self._privacy, topics if topics != [""] else TOPICS, screen=screen)
        assert isinstance(connection, StreamConnection)
        client = Follower(connection, Client(audience, cursor))
        await connection.send(self._hello(identity), text=True)
        connection.on_ready = partial(self.sender.ready, client)
        client.ready = connection.ready
        self.hub.join(client)
        watching = asyncio.create_task(self._watch(connection, token, identity))
        try:
            await self._read(connection, client)
        except ConnectionClosed:
            pass
        finally:
            self.hub.leave(client)
            connection.on_ready = nobody  # Else they would hold each other.
            watching.cancel()
            for result in await asyncio.gather(watching, return_exceptions=True):
                if isinstance(result, Exception) and not isinstance(result, ConnectionClosed):
                    log.error("stream_client_failed", user=identity.username, error=repr(result))

    def _hello(self, identity: Identity) -> bytes:
        return msgspec.json.encode(
            {
                "type": "hello",
                "version": VERSION,
                "epoch": self.epoch,
                "time": clock.now(),
                "user": identity.username,
                "role": identity.role,
                "agent": identity.agent_id,
                "heartbeat": self._heartbeat_s,
            }
        )

    def _resumed(self, epoch: Any, since: Any) -> int | None:
        """Return the cursor a returning client gave; `None` (a snapshot) if it means nothing here."""
        if epoch != self.epoch or isinstance(since, bool):
            return None
        try:
            return max(0, int(since))
        except (TypeError, ValueError, OverflowError):
            return None

    async def _send(self, connection: ServerConnection, frame: bytes) -> None:
        """Send something to one client alone."""
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await connection.send(frame, text=True)
        except TimeoutError:
            # It reads nothing any more, not even a close frame.
            log.warning("stream_client_too_slow", seconds=self._send_timeout_s)
            connection.transport.abort()

    async def _watch(self, connection: ServerConnection, token: str, identity: Identity) -> None:
        """Close the connection when the session ends, even if another process ended it."""
        while (left := identity.expires_at - time()) > 0:
            await asyncio.sleep(min(left, self._recheck_s))
            try:
                now = await self._authenticate(token)
            except Exception:
                # The database is away for a moment: asked again, for this ends with the session alone.
                log.exception("stream_session_unknown", user=identity.username)
                continue
            if now is None or now.role != identity.role or now.agent_id != identity.agent_id:
                break
        await connection.close(CLOSE_SIGNED_OUT, "session is over; sign in again")

    async def _read(self, connection: ServerConnection, client: Client) -> None:
        allowance, last = 20.0, monotonic()
        async for message in connection:
            now = monotonic()
            allowance, last = min(20.0, allowance + (now - last) * 5), now
            if allowance < 1:
                await connection.close(CLOSE_TOO_MANY_FRAMES, "more than 5 frames a second")
                return
            allowance -= 1
            if (problem := await self._take(connection, client, message)) is not None:
                await connection.close(CLOSE_BAD_FRAME, problem)
                return

    async def _take(self, connection: ServerConnection, client: Client, message: str | bytes) -> str | None:
        """Handle one client frame; return what is wrong with it, if anything."""
        try:
            frame = json.loads(message)
        except (ValueError, RecursionError):
            return "frames are JSON objects"
        match frame:
            case {"type": "ping"}:
                await self._send(connection, msgspec.json.encode({"type": "pong", "time": clock.now()}))
            case {"type": "resume"}:
                self.hub.restart(client, self._resumed(frame.get("epoch"), frame.get("since")))
            case {"type": "subscribe", "topics": [*topics]} if all(topic in TOPICS for topic in topics):
                audience = msgspec.structs.replace(client.audience, topics=frozenset(topics))
                self.hub.restart(client, None, audience)
            case {"type": "command"}:
                return self._commands.take(connection, self._who[connection][1], frame)
            case _:
                return "known frames: command, resume, subscribe (known topics), ping"
        return None


def _cookie(header: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None else None
