"""The demo PBX's side of FastAGI: connects as Asterisk does and executes the commands it gets."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

CONNECT_S = 2.0
PROMPT_S = 1.0


class AgiCaller:
    """A caller in the IVR: listens to each prompt for a moment, and presses the given key when asked."""

    def __init__(
        self, digit: str, variables: dict[str, str], on_set: Callable[[str, str], None], speed: float
    ):
        self._digit = digit
        self.variables = variables
        self._on_set = on_set
        self._speed = speed

    async def run(self, address: tuple[str, int], environment: dict[str, str]) -> bool:
        """Run one AGI session; return False if nobody answers, just as Asterisk's AGI application fails."""
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(*address)
        except (OSError, TimeoutError):
            return False
        try:
            lines = [f"agi_{name}: {value}" for name, value in environment.items()]
            writer.write(("\n".join(lines) + "\n\n").encode())
            await writer.drain()
            while line := await reader.readline():
                reply = await self._execute(line.decode("utf-8", "replace").strip())
                writer.write(f"{reply}\n".encode())
                await writer.drain()
        except (ConnectionError, ValueError) as error:
            log.warning("demo_agi_broken", error=str(error))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        return True

    async def _execute(self, line: str) -> str:
        words = _words(line)
        command = " ".join(words[:2]).upper()
        if command == "SET VARIABLE" and len(words) >= 4:
            self.variables[words[2]] = words[3]
            self._on_set(words[2], words[3])
            return "200 result=1"
        if command == "GET VARIABLE" and len(words) >= 3:
            value = self.variables.get(words[2])
            return "200 result=0" if value is None else f"200 result=1 ({value})"
        if command == "STREAM FILE":
            keys = words[3] if len(words) > 3 else ""
            return await self._prompt(self._digit if self._digit and self._digit in keys else "")
        if command in ("WAIT FOR", "GET DATA", "GET OPTION"):
            return await self._prompt(self._digit)
        if words and words[0].upper() in ("ANSWER", "VERBOSE", "NOOP", "EXEC", "HANGUP"):
            return "200 result=0"
        return "510 Invalid or unknown command"

    async def _prompt(self, key: str) -> str:
        await asyncio.sleep(PROMPT_S / self._speed)
        if not key:
            return "200 result=0 endpos=8000"
        self._digit = ""
        return f"200 result={ord(key)} endpos=8000"


def _words(line: str) -> list[str]:
    """Split an AGI command into words: quotes group, a backslash escapes the next character."""
    words: list[str] = []
    current, quoted, begun = "", False, False
    position = 0
    while position < len(line):
        character = line[position]
        if character == "\\" and position + 1 < len(line):
            position += 1
            current += line[position]
            begun = True
        elif character == '"':
            quoted, begun = not quoted, True
        elif character == " " and not quoted:
            if begun:
                words.append(current)
            current, begun = "", False
        else:
            current, begun = current + character, True
        position += 1
    return [*words, current] if begun else words
