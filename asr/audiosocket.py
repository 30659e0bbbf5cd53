"""Server side of Asterisk's AudioSocket: one leg of live audio per connection.

The protocol is a sequence of frames: kind (1 byte), length (2 bytes, big-endian), payload. The first frame
must carry the stream's UUID. Unexpected UUIDs are refused, so the port is of no use to strangers.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

import structlog

log = structlog.get_logger(__name__)

HANGUP, UUID_KIND, DTMF, ERROR = 0x00, 0x01, 0x03, 0xFF
RATES = {
    0x10: 8_000,
    0x11: 12_000,
    0x12: 16_000,
    0x13: 24_000,
    0x14: 32_000,
    0x15: 44_100,
    0x16: 48_000,
    0x17: 96_000,
    0x18: 192_000,
}
"""Frame kinds that carry signed 16-bit little-endian mono, and their samples per second."""


class FrameSink(Protocol):
    """Receives one stream. Methods are called in order, from the event loop."""

    def feed(self, pcm: bytes, rate: int) -> None:
        """Receive audio: signed 16-bit little-endian mono at `rate` samples per second. Must not block."""

    def dtmf(self, digit: str) -> None:
        """Receive a key press: one of `0-9*#A-D`."""

    async def ended(self, reason: str) -> object:
        """Called exactly once, when the stream ends: `hangup`, `closed`, `timeout`, `error` or `shutdown`."""


class _ProtocolError(Exception):
    """Raised when the peer violates the protocol."""


class AudioSocketServer:
    """Listens inside `async with AudioSocketServer(host, port, accept) as server:`."""

    def __init__(
        self,
        host: str,
        port: int,
        accept: Callable[[UUID], FrameSink | None],
        *,
        handshake_timeout: float = 5.0,
        idle_timeout: float = 30.0,
        max_connections: int = 2_000,
        grace: float = 10.0,
    ) -> None:
        """Set up the server. `accept` returns the sink for an expected stream, or `None` to refuse it.

        With `port` 0 any free port is used. Times are in seconds. `idle_timeout` is how long a connection may
        go without a frame (Asterisk sends one every 20 ms); `grace` is how long sinks may take to finish when
        the server stops.
        """
        self._host, self._port, self._accept = host, port, accept
        self._handshake_timeout, self._idle_timeout = handshake_timeout, idle_timeout
        self._max_connections, self._grace = max_connections, grace
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._streams: set[UUID] = set()
        self._stopping = False

    @property
    def port(self) -> int:
        """The port the server listens on."""
        assert self._server is not None, "enter the server first"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Start listening. Raises OSError if the address is in use."""
        self._server = await asyncio.start_server(self._connected, self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._stopping = True
        self._server.close()
        tasks = set(self._connections)
        for writer in self._connections.values():
            writer.transport.abort()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._stopping or len(self._connections) >= self._max_connections:
            log.warning("audiosocket_refused", reason="too many connections", limit=self._max_connections)
            writer.transport.abort()
            return
        self._connections[task] = writer
        stream: UUID | None = None
        try:
            stream = await self._handshake(reader)
            sink = None if stream in self._streams else self._accept(stream)
            if sink is None:
                stream, refused = None, stream
                log.warning("audiosocket_refused", reason="unknown stream", stream=str(refused))
                return
            self._streams.add(stream)
            reason = await self._listen(reader, sink, stream)
            log.info("audiosocket_ended", stream=str(stream), reason=reason)
            writer.transport.abort()  # the peer need not wait for the sink to finish
            await sink.ended(reason)
        except (_ProtocolError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            log.info("audiosocket_no_handshake", error=str(error) or type(error).__name__)
        except Exception:
            log.exception("audiosocket_sink_failed", stream=str(stream))
        finally:
            self._connections.pop(task, None)
            if stream is not None:
                self._streams.discard(stream)
            writer.transport.abort()

    async def _handshake(self, reader: asyncio.StreamReader) -> UUID:
        async with asyncio.timeout(self._handshake_timeout):
            kind, payload = await _frame(reader)
        if kind != UUID_KIND or len(payload) != 16:
            raise _ProtocolError(f"begins with kind {kind:#04x} of {len(payload)} bytes, not with an UUID")
        return UUID(bytes=payload)

    async def _listen(self, reader: asyncio.StreamReader, sink: FrameSink, stream: UUID) -> str:
        """Pass frames on until the stream ends, and return the reason."""
        try:
            while True:
                async with asyncio.timeout(self._idle_timeout):
                    kind, payload = await _frame(reader)
                if kind == HANGUP:
                    return "hangup"
                if kind == ERROR:
                    log.warning("audiosocket_peer_error", stream=str(stream), code=payload[:4].hex())
                    return "error"
                self._pass_on(kind, payload, sink)
        except TimeoutError:
            return "timeout"
        except (asyncio.IncompleteReadError, OSError):
            return "shutdown" if self._stopping else "closed"
        except _ProtocolError as error:
            log.warning("audiosocket_broken", stream=str(stream), error=str(error))
            return "error"
        except Exception:
            log.exception("audiosocket_sink_failed", stream=str(stream))
            return "error"

    @staticmethod
    def _pass_on(kind: int, payload: bytes, sink: FrameSink) -> None:
        if rate := RATES.get(kind):
            if len(payload) % 2:
                raise _ProtocolError(f"{len(payload)} bytes of 16-bit sound")
            if payload:
                sink.feed(payload, rate)
        elif kind == DTMF:
            digit = payload.decode("ascii", errors="replace").upper()
            if len(digit) != 1 or digit not in "0123456789*#ABCD":
                raise _ProtocolError("a key that no telephone has")
            sink.dtmf(digit)
        elif kind == UUID_KIND:
            raise _ProtocolError("a second UUID")
        # Later versions of Asterisk may add other kinds; they carry nothing we need.


async def _frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(3)
    length = int.from_bytes(head[1:], "big")
    return head[0], await reader.readexactly(length) if length else b""
