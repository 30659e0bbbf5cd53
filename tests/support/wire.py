"""A way of our own between two parts that talk over TCP: it can be cut."""

import asyncio
from types import TracebackType
from typing import Self


class Wire:
    """A TCP way to `port` that can be cut: refused and reset, or silent as a pulled cable is."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open = asyncio.Event()
        self._open.set()
        self._refuses = False
        self._cut_after: int | None = None
        self.is_cut = asyncio.Event()
        """Set while it is cut."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()

    def cut(self, *, silent: bool, after: int | None = None) -> None:
        """Cut it now, or once so many more bytes have gone there."""
        if after is not None:
            self._cut_after = after
            return
        self._open.clear()
        self.is_cut.set()
        self._refuses = not silent
        if not silent:
            for writer in self._writers:
                writer.transport.abort()

    def fix(self) -> None:
        self._refuses = False
        self._open.set()
        self.is_cut.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self._refuses:
            writer.transport.abort()
            return
        if (task := asyncio.current_task()) is not None:
            self._tasks.add(task)
        await self._open.wait()
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers.add(back)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._relay(source, sink))
            self._tasks.add(task)

    async def _relay(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
                if self._cut_after is not None:
                    self._cut_after -= len(data)
                    if self._cut_after <= 0:
                        self._cut_after = None
                        self.cut(silent=True)
        except ConnectionError:
            pass
        finally:
            sink.transport.abort()
