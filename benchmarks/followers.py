"""Many websocket clients in one process, as light as can be: the server is measured, not they."""

import asyncio
import base64
import gc
import os
import re
import socket
import time
from multiprocessing.connection import Connection

from benchmarks.harness import pin, requests

SEQ = re.compile(rb'"seq":(\d+)')


class Follower(asyncio.BufferedProtocol):
    """One client: shakes hands, then takes frames off; `crowd.frame` gets each."""

    def __init__(self, crowd: "Crowd", number: int, token: str, topics: str = "") -> None:
        self.crowd, self.number = crowd, number
        self.shaken = asyncio.get_running_loop().create_future()
        self.buffer = bytearray()
        self.token = token
        self.path = f"/?topics={topics}" if topics else "/"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: hotline_session={self.token}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.crowd.scratch

    def buffer_updated(self, nbytes: int) -> None:
        now = time.monotonic()
        buffer = self.buffer
        buffer += self.crowd.scratch[:nbytes]
        if not self.shaken.done():
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                self.shaken.set_exception(ConnectionError(bytes(buffer[:200]).decode()))
                return
            del buffer[: end + 4]
            self.shaken.set_result(None)
        while len(buffer) >= 2:
            length, start = buffer[1] & 127, 2
            if length == 126:
                length, start = int.from_bytes(buffer[2:4], "big"), 4
            elif length == 127:
                length, start = int.from_bytes(buffer[2:10], "big"), 10
            if len(buffer) < start + length:
                return
            if buffer[0] & 15 == 8:  # close: agreed to, so that the server need not wait for us
                self.transport.write(bytes([0x88, 0x80]) + bytes(4))
                self.transport.close()
                return
            if buffer[0] & 15 == 9:  # ping: its own payload sent back keeps us connected; masked by zeros
                payload = bytes(buffer[start : start + length])
                self.transport.write(bytes([0x8A, 0x80 | length]) + bytes(4) + payload)
            else:
                self.crowd.frame(self.number, bytes(buffer[start : start + length]), now)
            del buffer[: start + length]


class Crowd:
    """All clients of one process, and what they have seen."""

    def __init__(self) -> None:
        self.clients: list[Follower] = []
        self.seq: list[int] = []
        self.frames = self.bytes = 0
        self.scratch = memoryview(bytearray(64 * 1024))
        """One for all: a new buffer for every read costs more than the read."""
        self.mark: re.Pattern[bytes] | None = None
        self.needle = b""
        """What a frame must hold to be looked at closely: clients that are slow to look would be measured."""
        self.marks: dict[tuple[int, str], float] = {}
        """(client, what the mark's group caught) → when it was first seen."""
        self.pop_port = 0
        """Of the HTTP server that has the screen-pop of a marked call; 0: nothing is fetched."""
        self.fetching: set[asyncio.Task[None]] = set()
        self.fetched: dict[tuple[int, str], float] = {}

    def frame(self, number: int, frame: bytes, now: float) -> None:
        self.frames += 1
        self.bytes += len(frame)
        found = SEQ.search(frame, 0, 80)
        if found:
            self.seq[number] = int(found[1])
        if self.mark is not None and self.needle in frame:
            for caught in self.mark.findall(frame):
                if not isinstance(caught, tuple):
                    self.marks.setdefault((number, caught.decode()), now)
                elif int(caught[1]) == number + 2000:  # meant for one client: its number is in the frame
                    mark = (number, caught[0].decode())
                    if self.marks.setdefault(mark, now) == now and self.pop_port:
                        task = asyncio.get_running_loop().create_task(self._fetch(*mark))
                        self.fetching.add(task)
                        task.add_done_callback(self.fetching.discard)

    async def _fetch(self, number: int, linkedid: str) -> None:
        """Fetch the screen-pop of that call, as a desk does."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.pop_port)
        writer.write(
            f"GET /api/v1/calls/main-{linkedid}/pop HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Cookie: hotline_session={self.clients[number].token}\r\n\r\n".encode()
        )
        answer = await reader.read()
        writer.close()
        if answer.startswith(b"HTTP/1.1 200"):
            self.fetched[number, linkedid] = time.monotonic()

    async def connect(self, port: int, tokens: list[str], topics: str = "", receive: int = 0) -> None:
        for token in tokens:
            await self._connect(port, token, topics, receive)

    async def storm(self, port: int, tokens: list[str], at_once: int) -> None:
        """All connect, that many at a time; until each has been shown what there is."""
        left = iter(tokens)

        async def some() -> None:
            for token in left:
                number = await self._connect(port, token, "", 0)
                while self.seq[number] < 0:
                    await asyncio.sleep(0.002)

        await asyncio.gather(*(some() for _ in range(at_once)))

    async def _connect(self, port: int, token: str, topics: str, receive: int) -> int:
        loop = asyncio.get_running_loop()
        number = len(self.clients)
        self.seq.append(-1)
        client = Follower(self, number, token, topics)
        self.clients.append(client)
        sock = socket.socket()
        sock.setblocking(False)
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.create_connection(lambda: client, sock=sock)
        await asyncio.wait_for(client.shaken, 60)
        return number

    async def all_at(self, seq: int, among: range) -> float:
        """Wait until each of them has seen `seq`; when that was."""
        deadline = time.monotonic() + 60
        while any(self.seq[one] < seq for one in among):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all clients got seq {seq}")
            await asyncio.sleep(0.001)
        return time.monotonic()


def run_followers(pipe: Connection) -> None:
    """The process; it answers `connect`, `storm`, `at`, `mark`, `deaf`, `hear`, `seen`, `drop`."""
    pin(1)
    gc.disable()  # The server is measured, not when its clients tidy up.
    asyncio.run(_serve(pipe))


def run_crowd(pipe: Connection) -> None:
    """The same for those who are not measured: they let the others go first."""
    os.nice(10)
    run_followers(pipe)


async def _serve(pipe: Connection) -> None:
    crowd = Crowd()
    while (request := await requests(pipe)) is not None:
        match request:
            case ("connect", port, tokens, *more):
                await crowd.connect(port, tokens, *more)
                pipe.send(len(crowd.clients))
            case ("storm", port, tokens, at_once):
                await crowd.storm(port, tokens, at_once)
                pipe.send(len(crowd.clients))
            case ("deaf", count):
                for client in crowd.clients[:count]:
                    client.transport.pause_reading()
                pipe.send(count)
            case ("hear", count):
                for client in crowd.clients[:count]:
                    client.transport.resume_reading()
                pipe.send(count)
            case ("at", seq, first):
                pipe.send(await crowd.all_at(seq, range(first, len(crowd.clients))))
            case ("mark", pattern, needle):
                crowd.mark, crowd.needle, crowd.marks = re.compile(pattern), needle, {}
                pipe.send(None)
            case ("seen",):
                pipe.send(crowd.marks)
            case ("pops", port):
                crowd.pop_port = port
                pipe.send(None)
            case ("fetched",):
                await asyncio.gather(*crowd.fetching)
                pipe.send(crowd.fetched)
            case ("counts",):
                pipe.send((crowd.frames, crowd.bytes))
            case ("drop",):
                for client in crowd.clients:
                    client.transport.abort()
                await asyncio.sleep(0.2)
                crowd = Crowd()
                pipe.send(None)
