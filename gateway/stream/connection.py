"""A websocket connection that says by itself when it takes no more, and when it can take more again."""

import asyncio
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State


def nobody(ready: bool) -> None:
    """Stands for a client that is not there."""


class StreamConnection(ServerConnection):
    """Made with `write_limit=0`, so that it is told as soon as the kernel takes no more."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.heard_at = asyncio.get_running_loop().time()
        """When anything last came from the client, in the event loop's time."""
        self.on_ready: Callable[[bool], None] = nobody
        """Called with whether more can be sent: the connection is open, and nothing is left in our memory."""

    @property
    def ready(self) -> bool:
        """Whether more can be sent."""
        return self.protocol.state is State.OPEN and not self.paused

    def data_received(self, data: bytes) -> None:
        """Note that the client is there, or that it has closed."""
        self.heard_at = self.loop.time()
        super().data_received(data)
        if self.protocol.state is not State.OPEN:
            self.on_ready(False)

    def eof_received(self) -> None:
        """The client has gone."""
        self.on_ready(False)
        super().eof_received()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; nothing else is sent from now on."""
        self.on_ready(False)
        await super().close(code, reason)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is no more."""
        self.on_ready(False)
        super().connection_lost(error)

    def pause_writing(self) -> None:
        """The kernel takes no more."""
        super().pause_writing()
        self.on_ready(False)

    def resume_writing(self) -> None:
        """The kernel has taken everything."""
        super().resume_writing()
        self.on_ready(self.ready)
