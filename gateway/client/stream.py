"""Follow the stream: reconnect and resume automatically, keep a view up to date, send commands."""

import asyncio
import random
from collections.abc import AsyncIterator, Collection
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from uuid import uuid4

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from domain.frames import AnyItem, Command, Delta, Heartbeat, Hello, Result, ServerFrame, Snapshot

MAX_FRAME = 64 << 20
_decode = msgspec.json.Decoder(ServerFrame).decode


class SignedOut(Exception):  # noqa: N818 - named for what happened
    """The session has ended or never existed: sign in again."""


class View:
    """What the stream shows now: `items[topic][key]` is the latest value. Pure."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.seq: int | None = None
        self.epoch = ""

    def apply(self, frame: ServerFrame) -> None:
        """Fold one frame in."""
        match frame:
            case Hello():
                self.epoch = frame.epoch
            case Snapshot():
                self.items = {}
                self._put(frame.items)
                self.seq = frame.seq
            case Delta():
                self._put(frame.changes)
                for gone in frame.removals:
                    self.items.get(gone.topic, {}).pop(gone.key, None)
                self.seq = frame.seq
            case Heartbeat():
                self.seq = frame.seq

    def of(self, topic: str) -> dict[str, Any]:
        """Return the items of one topic, by key."""
        return self.items.get(topic, {})

    def _put(self, items: list[AnyItem]) -> None:
        for item in items:
            topic = str(type(item).__struct_config__.tag)
            self.items.setdefault(topic, {})[item.key] = item.value


class StreamClient:
    """Use as `async with StreamClient(...) as stream: async for frame in stream: …`; keeps `view` current.

    A lost connection is re-established; what was missed comes as one delta, or as a snapshot.
    """

    def __init__(
        self,
        url: str,
        cookie: str,
        *,
        topics: Collection[str] = (),
        retry_max_s: float = 15.0,
        command_timeout_s: float = 15.0,
    ) -> None:
        """Set up the client. `cookie` is `Session.cookie`; `topics` limits the topics, all by default."""
        self._url = url
        self._cookie = cookie
        self._topics = topics
        self._retry_max_s = retry_max_s
        self._command_timeout_s = command_timeout_s
        self._connection: ClientConnection | None = None
        self._pending: dict[str, asyncio.Future[Result]] = {}
        self.view = View()
        self.connected = asyncio.Event()
        self.reconnects = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def __aiter__(self) -> AsyncIterator[ServerFrame]:
        """Yield every frame, after folding it into `view`.

        Raises:
            SignedOut: the session has ended.
            ValueError: the gateway refuses us for good (in its words).
        """
        attempt = 0
        while True:
            try:
                async with connect(
                    self._address(), additional_headers={"Cookie": self._cookie}, max_size=MAX_FRAME
                ) as connection:
                    self._connection = connection
                    async for data in connection:
                        frame = _decode(data)
                        self.view.apply(frame)
                        if isinstance(frame, Hello):
                            attempt = 0
                            self.connected.set()
                        elif isinstance(frame, Result):
                            self._answer(frame)
                        yield frame
            except InvalidStatus as error:
                if error.response.status_code in (401, 403):
                    raise SignedOut(
                        f"the stream refuses us ({error.response.status_code}): sign in again"
                    ) from None
            except (OSError, TimeoutError, InvalidHandshake):
                pass
            except ConnectionClosed:
                pass
            finally:
                closed, self._connection = self._connection, None
                self.connected.clear()
                self._lose()
            if closed is not None and closed.close_code == 4401:
                raise SignedOut(closed.close_reason or "signed out")
            if closed is not None and closed.close_code in (4400, 4429):
                raise ValueError(f"the gateway closed the stream: {closed.close_reason}")
            self.reconnects += 1
            await asyncio.sleep(random.uniform(0.1, 1.0) * min(self._retry_max_s, 0.5 * 2.0**attempt))  # noqa: S311
            attempt = min(attempt + 1, 10)

    def _address(self) -> str:
        query: dict[str, Any] = {}
        if self.view.seq is not None:
            query |= {"epoch": self.view.epoch, "since": self.view.seq}
        if self._topics:
            query["topics"] = ",".join(self._topics)
        return f"{self._url}?{urlencode(query)}" if query else self._url

    async def command(self, name: str, args: dict[str, Any] | None = None, *, command_id: str = "") -> Result:
        """Send a command and wait for the answer; something else must be reading the frames meanwhile.

        Raises:
            ConnectionError: the connection was lost before the answer; it is safe to retry with the same
                `command_id`, since it is carried out only once.
            TimeoutError: there was no answer in time; likewise.
        """
        command_id = command_id or str(uuid4())
        connection = self._connection
        if connection is None:
            raise ConnectionError("not connected; the command was not sent")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._pending[command_id] = future
        try:
            await connection.send(
                msgspec.json.encode(Command(id=command_id, name=name, args=args or {})), text=True
            )
            async with asyncio.timeout(self._command_timeout_s):
                return await future
        except ConnectionClosed:
            raise ConnectionError("the connection was lost before the answer") from None
        finally:
            self._pending.pop(command_id, None)

    def _answer(self, frame: Result) -> None:
        future = self._pending.get(frame.id)
        if future is not None and not future.done():
            future.set_result(frame)

    def _lose(self) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(ConnectionError("the connection was lost before the answer"))
