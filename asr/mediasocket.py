"""Server side of Asterisk's chan_websocket: one leg of live audio per connection.

Needs Asterisk 20.16, 22.6, 23 or newer. The PBX connects to `/media?feed=<UUID>` with the subprotocol
`media`. Binary messages are audio, text messages are events, in plain text (`MEDIA_START format:slin …`,
`DTMF_END digit:5 …`) or JSON (`{"event": "MEDIA_START", "format": "slin", …}`), as the channel was asked to
write. Unexpected UUIDs are refused, so the port is of no use to strangers. Nothing is ever sent: the channel
only listens.
"""

import asyncio
import http
import json
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from asr.audiosocket import FrameSink

log = structlog.get_logger(__name__)

PATH = "/media"
PROTOCOL = Subprotocol("media")
RATES = {
    "slin": 8_000,
    "slin12": 12_000,
    "slin16": 16_000,
    "slin24": 24_000,
    "slin32": 32_000,
    "slin48": 48_000,
}
"""Asterisk's names for signed 16-bit mono, and their samples per second."""
_MAX_MESSAGE = 1 << 16


class MediaSocketServer:
    """Listens inside `async with MediaSocketServer(host, port, accept) as server:`."""

    def __init__(
        self,
        host: str,
        port: int,
        accept: Callable[[UUID], FrameSink | None],
        *,
        idle_timeout: float = 30.0,
        max_connections: int = 2_000,
    ) -> None:
        """Set up the server. `accept` returns the sink for an expected stream, or `None` to refuse it.

        With `port` 0 any free port is used. `idle_timeout` is how many seconds a connection may go without a
        message (Asterisk sends one every 20 ms).
        """
        self._host, self._port, self._accept = host, port, accept
        self._idle_timeout, self._max_connections = idle_timeout, max_connections
        self._server: Server | None = None
        # Weak: a handshake that fails after it was admitted leaves nothing behind.
        self._sinks: WeakKeyDictionary[ServerConnection, FrameSink] = WeakKeyDictionary()
        self._stopping = False

    @property
    def port(self) -> int:
        """The port the server listens on."""
        assert self._server is not None, "enter the server first"
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Start listening. Raises OSError if the address is in use."""
        self._server = await serve(
            self._connected,
            self._host,
            self._port,
            process_request=self._admit,
            subprotocols=[PROTOCOL],
            compression=None,
            max_size=_MAX_MESSAGE,
            open_timeout=5,
            close_timeout=1,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._stopping = True
        self._server.close()
        await self._server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse the handshake unless the stream is expected."""
        parts = urlsplit(request.path)
        try:
            stream = UUID(parse_qs(parts.query)["feed"][0])
        except (KeyError, ValueError):
            stream = None
        known = parts.path == PATH and stream is not None
        if not known or self._stopping or len(self._sinks) >= self._max_connections:
            log.warning(
                "mediasocket_refused", reason="no stream named" if not known else "too many connections"
            )
            return connection.respond(http.HTTPStatus.FORBIDDEN, "no such stream\n")
        assert stream is not None
        sink = self._accept(stream)
        if sink is None:
            log.warning("mediasocket_refused", reason="unknown stream", stream=str(stream))
            return connection.respond(http.HTTPStatus.FORBIDDEN, "no such stream\n")
        self._sinks[connection] = sink
        return None

    async def _connected(self, connection: ServerConnection) -> None:
        sink = self._sinks[connection]
        try:
            reason = await self._listen(connection, sink)
            log.info("mediasocket_ended", reason=reason)
            connection.transport.abort()  # the peer need not wait for the sink to finish
            await sink.ended(reason)
        except Exception:
            log.exception("mediasocket_sink_failed")
        finally:
            self._sinks.pop(connection, None)

    async def _listen(self, connection: ServerConnection, sink: FrameSink) -> str:
        """Pass messages on until the stream ends, and return the reason."""
        rate = RATES["slin"]
        try:
            while True:
                async with asyncio.timeout(self._idle_timeout):
                    message = await connection.recv()
                if isinstance(message, bytes):
                    if len(message) % 2:
                        log.warning("mediasocket_broken", error=f"{len(message)} bytes of 16-bit sound")
                        return "error"
                    sink.feed(message, rate)
                    continue
                event, values = parse_event(message)
                if event == "MEDIA_START":
                    form = values.get("format", "slin")
                    if form not in RATES:
                        log.warning("mediasocket_broken", error="not signed linear sound", format=form[:20])
                        return "error"
                    rate = RATES[form]
                elif event == "DTMF_END" and values.get("digit", "") in set("0123456789*#ABCD"):
                    sink.dtmf(values["digit"])
        except TimeoutError:
            return "timeout"
        except ConnectionClosed:
            return "shutdown" if self._stopping else "hangup"
        except Exception:
            log.exception("mediasocket_sink_failed")
            return "error"


def parse_event(text: str) -> tuple[str, dict[str, str]]:
    """Parse an event of chan_websocket: `NAME key:value …`, or a JSON object with the name as `event`.

    Unknown words and what nests are skipped; what is neither is an event without a name.
    """
    if text.lstrip().startswith("{"):
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return "", {}
        values = {key: str(value) for key, value in told.items() if isinstance(value, str | int | float)}
        return values.pop("event", ""), values
    name, *rest = text.split() or [""]
    return name, dict(part.split(":", 1) for part in rest if ":" in part)
