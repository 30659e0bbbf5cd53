"""FastAGI server: Asterisk connects, sends its environment, then answers our commands one by one.

Builds on panoramisk's `Application` and `Request` but replaces their connection handler and reply parser:
the handler spins on an early end of file and has no limits, the parser mistakes text for results, and
commands are sent unescaped.
Protocol: https://docs.asterisk.org/Configuration/Interfaces/Asterisk-Gateway-Interface-AGI/
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Self

import structlog
from msgspec import Struct
from panoramisk.fast_agi import Application, Request

from domain.numbers import told, told_name
from domain.text import line

log = structlog.get_logger(__name__)

DIGITS = "0123456789*#"
MAX_LINE = 8192
MAX_ENVIRONMENT_LINES = 200
MAX_RESULT = 100
"""Characters of a result: keys pressed, or a number."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}\Z")
_REPLY = re.compile(r"200 result=(-?[0-9*#A-Da-d]*)(?: (.*))?\Z")
_FINAL_520 = "520 "


class AgiError(Exception):
    """A command failed; the message says which and why."""


class AgiHangupError(AgiError):
    """The caller has hung up, or Asterisk has closed the connection."""


class AgiTimeoutError(AgiError):
    """Asterisk did not answer in time."""


class AgiReply(Struct, frozen=True):
    """A reply `200 result=<result> <data>`."""

    result: str
    data: str = ""


class AgiEnvironment(Struct, frozen=True):
    """What Asterisk sends about the channel. All of it is untrusted input."""

    values: dict[str, str]

    def _get(self, name: str) -> str:
        value = self.values.get(f"agi_{name}", "")
        return "" if value == "unknown" else value

    @property
    def network_script(self) -> str:
        return self._get("network_script").strip("/")

    @property
    def uniqueid(self) -> str:
        return self._get("uniqueid")

    @property
    def channel(self) -> str:
        return self._get("channel")

    @property
    def callerid(self) -> str:
        return told(self._get("callerid"))

    @property
    def calleridname(self) -> str:
        return told_name(self._get("calleridname"))

    @property
    def extension(self) -> str:
        return self._get("extension")

    @property
    def context(self) -> str:
        return self._get("context")

    @property
    def dnid(self) -> str:
        return self._get("dnid")

    @property
    def arguments(self) -> tuple[str, ...]:
        """`agi_arg_1`, `agi_arg_2` … up to the first missing one."""
        found: list[str] = []
        while (value := self.values.get(f"agi_arg_{len(found) + 1}")) is not None:
            found.append(value)
        return tuple(found)


def quote(argument: str) -> str:
    """Quote one argument of a command line; control characters become spaces.

    AGI cannot escape a line break: one inside an argument would start a second command.
    """
    plain = _CONTROL.sub(" ", argument).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def parse_environment(lines: list[str]) -> AgiEnvironment:
    """Parse the `agi_name: value` lines; others are ignored."""
    pairs = (line.partition(":") for line in lines)
    return AgiEnvironment(
        {line(k.strip()): line(v.strip()) for k, sep, v in pairs if sep and k.startswith("agi_")}
    )


def parse_reply(said: str) -> AgiReply:
    """Parse one final reply line.

    Raises:
        AgiHangupError: status 511, the channel is dead.
        AgiError: any other status than 200.
    """
    if match := _REPLY.match(said):
        return AgiReply(match[1][:MAX_RESULT], line(match[2] or "", MAX_LINE))
    if said.startswith("511"):
        raise AgiHangupError("the channel is dead")
    raise AgiError(f"Asterisk refused the command: {line(said, 200)}")


def _variable(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is no variable name: use letters, digits and _")
    return name


class AgiSession(Request):  # type: ignore[misc]  # panoramisk is untyped
    """One caller in the IVR.

    Every command raises `AgiHangupError` once the caller is gone, `AgiTimeoutError` if Asterisk does not
    reply within `timeout_s` beyond the command's own duration, and `AgiError` if it refuses.
    """

    def __init__(
        self,
        app: Application,
        environment: AgiEnvironment,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        timeout_s: float,
    ) -> None:
        super().__init__(app, environment.values, reader, writer)
        self.environment = environment
        self.timeout_s = timeout_s
        self._replies: asyncio.Queue[str | None] = asyncio.Queue(maxsize=16)
        self._turn = asyncio.Lock()
        self.hung_up = False

    async def pump(self) -> None:
        """Read replies until the caller hangs up; runs concurrently with the handler."""
        usage = False
        try:
            while raw := await self.reader.readline():
                told = raw.decode("utf-8", "replace").rstrip("\r\n")
                if told == "HANGUP":
                    return
                if usage:
                    usage = not told.startswith(_FINAL_520)
                    if usage:
                        continue
                elif told.startswith("520-"):
                    usage = True
                    continue
                elif told.startswith("100 "):
                    continue
                self._replies.put_nowait(told)
        except (OSError, ValueError, asyncio.QueueFull) as error:
            log.warning("agi.protocol", uniqueid=self.environment.uniqueid, error=str(error))
        finally:
            self.hung_up = True
            with contextlib.suppress(asyncio.QueueFull):
                self._replies.put_nowait(None)

    async def send_command(self, command: str, wait_s: float = 0.0) -> AgiReply:
        """Send one raw command line and return its reply. Arguments must have been passed through `quote`."""
        if _CONTROL.search(command):
            raise ValueError("a command is one line without control characters")
        async with self._turn:
            if self.hung_up:
                raise AgiHangupError("the caller has hung up")
            try:
                async with asyncio.timeout(wait_s + self.timeout_s):
                    self.writer.write(command.encode("utf-8", "replace") + b"\n")
                    await self.writer.drain()
                    reply = await self._replies.get()
            except TimeoutError:
                # A late reply would be taken for the next command's, so the session ends here.
                self.writer.close()
                self.hung_up = True
                raise AgiTimeoutError(f"no reply to {command.split(' ', 1)[0]}") from None
            except OSError as error:
                raise AgiHangupError(f"connection lost: {error}") from error
            if reply is None:
                self.hung_up = True
                raise AgiHangupError("the caller has hung up")
            return parse_reply(reply)

    async def _checked(self, command: str, wait_s: float = 0.0) -> AgiReply:
        reply = await self.send_command(command, wait_s)
        if reply.result == "-1":
            raise AgiError(f"{command.split(' ', 1)[0]} failed on the PBX")
        return reply

    async def answer(self) -> None:
        await self._checked("ANSWER", 10.0)

    async def hangup(self) -> None:
        await self._checked("HANGUP")

    async def verbose(self, message: str, level: int = 1) -> None:
        await self.send_command(f"VERBOSE {quote(message)} {level}")

    async def set_variable(self, name: str, value: str) -> None:
        await self._checked(f"SET VARIABLE {_variable(name)} {quote(value)}")

    async def get_variable(self, name: str) -> str | None:
        """Return the channel variable's value; `None` if it is not set."""
        return _value(await self.send_command(f"GET VARIABLE {_variable(name)}"))

    async def get_full_variable(self, expression: str) -> str | None:
        """Evaluate a dialplan expression such as `${CALLERID(num)}`."""
        return _value(await self.send_command(f"GET FULL VARIABLE {quote(expression)}"))

    async def stream_file(self, name: str, escape: str = "", max_s: float = 120.0) -> str:
        """Play a prompt and return the digit in `escape` that interrupted it, else ""."""
        return _digit(await self._checked(f"STREAM FILE {quote(name)} {quote(escape)}", max_s))

    async def wait_for_digit(self, timeout_s: float) -> str:
        """Wait for one digit; return "" after `timeout_s` seconds."""
        return _digit(await self._checked(f"WAIT FOR DIGIT {int(timeout_s * 1000)}", timeout_s))

    async def get_option(self, name: str, escape: str = DIGITS, timeout_s: float = 5.0) -> str:
        """Play a prompt and return one digit, pressed during it or up to `timeout_s` after it, else ""."""
        command = f"GET OPTION {quote(name)} {quote(escape)} {int(timeout_s * 1000)}"
        return _digit(await self._checked(command, 120.0 + timeout_s))

    async def get_data(self, name: str, timeout_s: float = 5.0, max_digits: int = 20) -> str:
        """Play an interruptible prompt and return up to `max_digits` digits, ended by # or a timeout."""
        command = f"GET DATA {quote(name)} {int(timeout_s * 1000)} {max_digits}"
        reply = await self._checked(command, 120.0 + timeout_s * (max_digits + 1))
        return reply.result[:max_digits]

    async def exec(self, application: str, *arguments: str) -> str:
        """Run a dialplan application and return its result; an unknown application raises `AgiError`."""
        options = quote(",".join(arguments))
        reply = await self.send_command(f"EXEC {_variable(application)} {options}", 3600.0)
        if reply.result == "-2":
            raise AgiError(f"the PBX has no application {application}")
        return reply.result


def _value(reply: AgiReply) -> str | None:
    if reply.result != "1":
        return None
    return reply.data[1:-1] if reply.data.startswith("(") and reply.data.endswith(")") else reply.data


def _digit(reply: AgiReply) -> str:
    code = int(reply.result) if reply.result.isdecimal() and len(reply.result) <= 3 else 0
    return chr(code) if 0 < code < 128 and chr(code) in DIGITS else ""


Handler = Callable[[AgiSession], Awaitable[None]]


class FastAgiServer(Application):  # type: ignore[misc]  # panoramisk is untyped
    """A FastAGI server: `async with FastAgiServer(host, port, handler) as server:`.

    `server.port` is the bound port. `handler` runs as a task of its own for each session and is cancelled as
    soon as the caller hangs up. `route` is the script name in `agi://HOST:PORT/<route>`; `also` are the
    handlers of other scripts, by name. What is none of them is refused.
    """

    def __init__(
        self,
        host: str,
        port: int,
        handler: Handler,
        *,
        route: str = "hotline",
        also: Mapping[str, Handler] = MappingProxyType({}),
        max_sessions: int = 500,
        environment_timeout_s: float = 5.0,
        command_timeout_s: float = 10.0,
    ) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.host = host
        self.port = port
        self._handlers = {route: handler, **also}
        self._max_sessions = max_sessions
        self._environment_timeout_s = environment_timeout_s
        self._command_timeout_s = command_timeout_s
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self._callers: set[str] = set()

    @property
    def sessions(self) -> int:
        """The number of callers in the IVR now."""
        return len(self._sessions)

    def serves(self, uniqueid: str) -> bool:
        """Whether the channel with that unique id is in the IVR now."""
        return uniqueid in self._callers

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, self.port, limit=MAX_LINE)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        sessions = list(self._sessions)
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._sessions) >= self._max_sessions:
            # Asterisk continues in the dialplan at once: the caller reaches the queue without a greeting.
            log.warning("agi.full", sessions=len(self._sessions))
            writer.close()
            return
        task = asyncio.create_task(self.handler(reader, writer))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def handler(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection from its environment to its end. Errors are logged, never raised."""
        try:
            async with asyncio.timeout(self._environment_timeout_s):
                environment = await _read_environment(reader)
            handle = self._handlers.get(environment.network_script)
            if handle is None:
                log.warning("agi.unknown_script", script=environment.network_script[:80])
                return
            session = AgiSession(self, environment, reader, writer, self._command_timeout_s)
            await self._run(session, handle)
        except (TimeoutError, ValueError, OSError) as error:
            log.warning("agi.refused", error=str(error) or "no complete environment in time")
        except Exception:
            # Nobody waits for this task: it tells of its failure itself.
            log.exception("agi.failed")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _run(self, session: AgiSession, handle: Handler) -> None:
        uniqueid = session.environment.uniqueid
        self._callers.add(uniqueid)
        pump = asyncio.create_task(session.pump())
        work = asyncio.ensure_future(handle(session))
        try:
            await asyncio.wait({pump, work}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pump, work):
                task.cancel()
            results = await asyncio.gather(pump, work, return_exceptions=True)
            self._callers.discard(uniqueid)
        if isinstance(results[0], Exception):
            log.error("agi.failed", uniqueid=uniqueid, exc_info=results[0])
        error = results[1]
        if isinstance(error, AgiHangupError):
            log.info("agi.hangup", uniqueid=uniqueid)
        elif isinstance(error, Exception):
            log.error("agi.failed", uniqueid=uniqueid, exc_info=error)


async def _read_environment(reader: asyncio.StreamReader) -> AgiEnvironment:
    lines: list[str] = []
    while raw := await reader.readline():
        one = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not one:
            return parse_environment(lines)
        if len(lines) >= MAX_ENVIRONMENT_LINES:
            raise ValueError("the environment has too many lines; is this Asterisk?")
        lines.append(one)
    raise ValueError("the connection ended inside the environment")
