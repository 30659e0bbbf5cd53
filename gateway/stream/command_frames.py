"""Command frames of the stream, answered in their own time without holding up other frames."""

import asyncio
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from agents.accounts.identity import Identity
from domain.commands import Answered, refused
from domain.frames import Fault
from domain.refusals import refusal
from gateway.tasks import tell_failure

MAX_RUNNING = 8
"""Commands one connection may have running at a time."""


class CommandPort(Protocol):
    """Port for the desk's commands."""

    async def command(self, who: Identity, command_id: str, name: str, args: Any) -> Answered:
        """Carry out the command once and answer; the same id gets the first answer again. Never raises."""
        ...


class CommandFrames:
    """Takes `{"type": "command", "id", "name", "args"}`, sends `{"type": "result", …}`."""

    def __init__(self, port: CommandPort | None) -> None:
        self._port = port
        self._tasks: dict[asyncio.Task[None], ServerConnection] = {}

    def take(self, connection: ServerConnection, who: Identity, frame: dict[str, Any]) -> str | None:
        """Start one command; return what is wrong with the frame, if anything."""
        match frame:
            case {"id": str(command_id), "name": str(name)}:
                args = frame.get("args", {})
            case _:
                return "a command has id, name and args"
        if sum(one is connection for one in self._tasks.values()) >= MAX_RUNNING:
            return f"more than {MAX_RUNNING} commands at a time"
        task = asyncio.create_task(self._answer(connection, who, command_id, name, args))
        self._tasks[task] = connection
        task.add_done_callback(tell_failure)
        task.add_done_callback(self._tasks.pop)
        return None

    async def _answer(
        self, connection: ServerConnection, who: Identity, command_id: str, name: str, args: Any
    ) -> None:
        if self._port is None:
            echoed = ascii(command_id[:40])[1:-1]
            answer = refused(echoed, "unknown_command", refusal("commands_none"))
        else:
            answer = await self._port.command(who, command_id, name, args)
        frame: dict[str, Any] = {"type": "result", "id": answer.id, "ok": answer.ok}
        if answer.ok:
            frame["result"] = answer.result
        else:
            frame["error"] = Fault(answer.code, answer.reason, answer.params, answer.message)
        with suppress(ConnectionClosed):
            await connection.send(msgspec.json.encode(frame), text=True)
