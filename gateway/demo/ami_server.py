"""The demo PBX's AMI: the real wire protocol on a socket. Its `Backend` is the PBX itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

Headers = list[tuple[str, str]]
MAX_ACTION = 64 * 1024
VERSION = "22.0.0-demo"


class Backend(Protocol):
    """What the AMI server asks and tells the PBX behind it."""

    def channel_rows(self) -> Iterable[Headers]: ...
    def bridge_rows(self) -> Iterable[Headers]: ...
    def bridge_members(self, bridge: str) -> list[str]: ...
    def queue_rows(self) -> Iterable[Headers]: ...
    def device_rows(self) -> Iterable[Headers]: ...
    async def originate(self, action: dict[str, str], variables: dict[str, str]) -> str: ...
    def hang_up(self, channel: str) -> bool: ...
    def queue_pause(self, interface: str, paused: bool, reason: str) -> bool: ...


class AmiServer:
    """Serves any number of clients; `emit` sends an event to all who are logged in."""

    def __init__(self, host: str, port: int, username: str, secret: str, backend: Backend) -> None:
        self._host, self._wanted = host, port
        self._username, self._secret = username, secret
        self._backend = backend
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = time.time()
        self.port = 0

    async def start(self) -> None:
        """Start listening."""
        self._server = await asyncio.start_server(self._accept, self._host, self._wanted, limit=MAX_ACTION)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection."""
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def emit(self, event: str, headers: Headers) -> None:
        """Send an event to every client."""
        stamped = [("Event", event), ("Privilege", "call,all"), ("Timestamp", f"{time.time():.6f}"), *headers]
        for writer in list(self._clients):
            _write(writer, stamped)

    def feed(self, wire: bytes) -> None:
        """Send bytes that are ready for the wire (such as a capture) to every client."""
        for writer in list(self._clients):
            if not writer.is_closing():
                writer.write(wire)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"Asterisk Call Manager/11.0.0\r\n")
            while True:
                block = await reader.readuntil(b"\r\n\r\n")
                fields, variables = _parse(block.decode("utf-8", "replace"))
                if not await self._act(fields, variables, writer):
                    break
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _act(
        self, fields: dict[str, str], variables: dict[str, str], writer: asyncio.StreamWriter
    ) -> bool:
        name, action_id = fields.get("action", "").lower(), fields.get("actionid", "")

        def answer(response: str, message: str, *more: tuple[str, str]) -> None:
            _write(writer, [("Response", response), *_id(action_id), ("Message", message), *more])

        if name == "login":
            if (fields.get("username"), fields.get("secret")) != (self._username, self._secret):
                answer("Error", "Authentication failed")
                return False
            answer("Success", "Authentication accepted")
            self._clients.add(writer)
            booted = [("Event", "FullyBooted"), ("Status", "Fully Booted"), ("Uptime", str(self._uptime()))]
            _write(writer, booted)
            return True
        if name == "logoff":
            answer("Goodbye", "Thanks for all the fish.")
            return False
        if writer not in self._clients:
            answer("Error", "Permission denied")
            return True
        handler = self._actions().get(name)
        if handler is None:
            answer("Error", "Invalid/unknown command")
            return True
        await handler(fields, variables, action_id, answer, writer)
        return True

    def _uptime(self) -> int:
        return int(time.time() - self._started)

    def _actions(self) -> dict[str, Callable[..., Awaitable[None]]]:
        return {
            "ping": self._ping,
            "corestatus": self._core_status,
            "coresettings": self._core_settings,
            "coreshowchannels": lambda *a: self._list(
                a, "CoreShowChannels", self._backend.channel_rows(), "Channels will follow"
            ),
            "bridgelist": lambda *a: self._list(
                a, "BridgeList", self._backend.bridge_rows(), "Bridge listing will follow"
            ),
            "bridgeinfo": self._bridge_info,
            "queuestatus": lambda *a: self._list(
                a, "QueueStatus", self._backend.queue_rows(), "Queue status will follow"
            ),
            "devicestatelist": lambda *a: self._list(
                a, "DeviceStateList", self._backend.device_rows(), "Device State Changes will follow"
            ),
            "originate": self._originate,
            "hangup": self._hang_up,
            "queuepause": self._queue_pause,
        }

    async def _ping(self, _f: object, _v: object, _id: str, answer: Callable[..., None], _w: object) -> None:
        answer("Success", "", ("Ping", "Pong"), ("Timestamp", f"{time.time():.6f}"))

    async def _core_status(
        self, _f: object, _v: object, _id: str, answer: Callable[..., None], _w: object
    ) -> None:
        begun = time.localtime(self._started)
        answer(
            "Success",
            "",
            ("CoreStartupDate", time.strftime("%Y-%m-%d", begun)),
            ("CoreStartupTime", time.strftime("%H:%M:%S", begun)),
        )

    async def _core_settings(
        self, _f: object, _v: object, _id: str, answer: Callable[..., None], _w: object
    ) -> None:
        answer("Success", "", ("AMIversion", "11.0.0"), ("AsteriskVersion", VERSION), ("SystemName", "demo"))

    async def _list(
        self, context: tuple[object, ...], name: str, rows: Iterable[Headers], words: str
    ) -> None:
        _, _, action_id, _, writer = context
        assert isinstance(writer, asyncio.StreamWriter)
        identity = _id(str(action_id))
        _write(writer, [("Response", "Success"), *identity, ("EventList", "start"), ("Message", words)])
        count = 0
        for row in rows:
            _write(writer, [row[0], *identity, *row[1:]])
            count += 1
        _write(
            writer,
            [
                ("Event", f"{name}Complete"),
                *identity,
                ("EventList", "Complete"),
                ("ListItems", str(count)),
            ],
        )

    async def _bridge_info(
        self,
        fields: dict[str, str],
        variables: object,
        action_id: str,
        answer: Callable[..., None],
        writer: asyncio.StreamWriter,
    ) -> None:
        rows = [
            [("Event", "BridgeInfoChannel"), ("Uniqueid", uniqueid)]
            for uniqueid in self._backend.bridge_members(fields.get("bridgeuniqueid", ""))
        ]
        await self._list((fields, variables, action_id, answer, writer), "BridgeInfo", rows, "Bridge")

    async def _originate(
        self,
        fields: dict[str, str],
        variables: dict[str, str],
        _id: str,
        answer: Callable[..., None],
        _w: object,
    ) -> None:
        refused = await self._backend.originate(fields, variables)
        if refused:
            answer("Error", refused)
        else:
            answer("Success", "Originate successfully queued")

    async def _hang_up(
        self, fields: dict[str, str], _v: object, _id: str, answer: Callable[..., None], _w: object
    ) -> None:
        if self._backend.hang_up(fields.get("channel", "")):
            answer("Success", "Channel Hungup")
        else:
            answer("Error", "No such channel")

    async def _queue_pause(
        self, fields: dict[str, str], _v: object, _id: str, answer: Callable[..., None], _w: object
    ) -> None:
        paused = fields.get("paused", "").lower() in ("true", "1", "yes")
        if self._backend.queue_pause(fields.get("interface", ""), paused, fields.get("reason", "")):
            answer(
                "Success", "Interface paused successfully" if paused else "Interface unpaused successfully"
            )
        else:
            answer("Error", "Interface not found")


def _id(action_id: str) -> Headers:
    return [("ActionID", action_id)] if action_id else []


def _write(writer: asyncio.StreamWriter, headers: Headers) -> None:
    # As in Asterisk, no header value can start another header.
    lines = (f"{key}: {value}".replace("\r", " ").replace("\n", " ") for key, value in headers)
    if not writer.is_closing():
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())


def _parse(block: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return header fields by lower-case name, and the variables from all `Variable` headers."""
    fields: dict[str, str] = {}
    variables: dict[str, str] = {}
    for line in block.split("\r\n"):
        key, mark, value = line.partition(":")
        if not mark:
            continue
        name, value = key.strip().lower(), value.strip()
        fields[name] = value
        if name == "variable":
            for pair in value.split(","):
                variable, _, content = pair.partition("=")
                variables[variable.lstrip("_")] = content
    return fields, variables
