"""A small AMI server of the tests: real TCP, scripted bytes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

Reply = Callable[[dict[str, str], asyncio.StreamWriter], Awaitable[None]]


def message(**headers: str) -> bytes:
    """One AMI message."""
    return "".join(f"{key}: {value}\r\n" for key, value in headers.items()).encode() + b"\r\n"


class ScriptedAmi:
    """Accepts logins with the secret `right`; every other action goes to `reply`, if there is one."""

    def __init__(self, reply: Reply | None = None, *, port: int = 0) -> None:
        self._reply = reply
        self._wanted = port
        self.port = 0
        self.actions: list[dict[str, str]] = []
        self.raw = b""
        self.writers: list[asyncio.StreamWriter] = []
        self.connected = asyncio.Event()
        self.logged_in = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._wanted)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self.writers:
            writer.close()
        await asyncio.sleep(0)

    async def send(self, data: bytes) -> None:
        """To the newest client."""
        self.writers[-1].write(data)
        await self.writers[-1].drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.connected.set()
        try:
            writer.write(b"Asterisk Call Manager/11.0.0\r\n")
            while True:
                block = await reader.readuntil(b"\r\n\r\n")
                self.raw += block
                fields = dict(line.split(": ", 1) for line in block.decode().split("\r\n") if ": " in line)
                self.actions.append(fields)
                await self._answer(fields, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
        name, identity = fields.get("Action"), fields.get("ActionID", "")
        if name == "Login":
            if fields.get("Secret") == "right":
                writer.write(
                    message(Response="Success", ActionID=identity, Message="Authentication accepted")
                )
                self.logged_in.set()
            else:
                writer.write(message(Response="Error", ActionID=identity, Message="Authentication failed"))
        elif name == "Ping":
            writer.write(message(Response="Success", ActionID=identity, Ping="Pong"))
        elif self._reply is not None:
            await self._reply(fields, writer)
