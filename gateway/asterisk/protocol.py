"""AMI framing and the table of pending actions, on top of panoramisk's protocol.

Stock panoramisk decodes each TCP chunk separately, writes header values unchecked, guesses when an answer is
complete and keeps unanswered actions forever; all of that is replaced here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog
from panoramisk.ami_protocol import AMIProtocol

from domain.pbx.errors import ActionTimeout, ConnectionLost
from domain.text import line
from gateway.asterisk.normalise import TELLING_APPS

log = structlog.get_logger(__name__)

Headers = dict[str, str]
"""Header names as Asterisk writes them; repeated headers are joined by newlines."""
HeaderValue = str | Sequence[str]

MAX_MESSAGE = 1 << 20
MAX_HEADERS = 2000
MAX_LIST = 200_000
_END = b"\r\n\r\n"
_VAR_SET = b"Event: VarSet\r"
_STEP = b"Event: Newexten\r"
_WANTED_STEPS = tuple(b"\r\napplication: " + name.encode() for name in TELLING_APPS)
_WANTED_VARIABLES = (b"\r\nVariable: HOTLINE_", b"\r\nVariable: QUEUESTATUS\r")
"""Variables worth parsing: two out of five events are VarSet. A test keeps this in step with `normalise`."""
_GREETING = b"Asterisk Call Manager/"


@dataclass
class Response:
    """An answer: the headers of its first message and, for list actions, the events of the list."""

    headers: Headers
    events: list[Headers] = field(default_factory=list)

    @property
    def success(self) -> bool:
        return self.headers.get("Response") in ("Success", "Follows", "Goodbye", "Pong")

    @property
    def message(self) -> str:
        return line(self.headers.get("Message", ""))


@dataclass
class Pending:
    name: str
    as_list: bool
    future: asyncio.Future[Response]
    timer: asyncio.TimerHandle | None = None
    response: Response | None = None


def render_action(headers: Mapping[str, HeaderValue]) -> bytes:
    """Serialise an action.

    Raises:
        ValueError: a name or value contains CR, LF or NUL, or a name contains a colon or is empty; it could
            inject headers.
    """
    lines = []
    for name, value in headers.items():
        for item in (value,) if isinstance(value, str) else value:
            if any(mark in text for text in (name, item) for mark in "\r\n\0") or ":" in name or not name:
                raise ValueError(
                    f"AMI header {name!r} holds a line break or NUL (or its name a colon); "
                    "remove it before sending"
                )
            lines.append(f"{name}: {item}\r\n")
    return ("".join(lines) + "\r\n").encode("utf-8", "replace")


def parse_headers(text: str) -> Headers:
    """Parse one message's lines; lines without a colon are dropped."""
    headers: Headers = {}
    for one in text.split("\r\n"):
        name, mark, value = one.partition(":")
        if not mark:
            continue
        value = value[1:] if value[:1] == " " else value
        if name in headers:
            headers[name] += "\n" + value
        else:
            headers[name] = value
    return headers


def _step_tells(piece: bytes) -> bool:
    """Whether a step in the dialplan (in lower case) tells something about a call."""
    return b"blacklist" in piece or any(one in piece for one in _WANTED_STEPS)


class HardenedProtocol(AMIProtocol):  # type: ignore[misc]
    """The protocol of one connection. `owner`, a HardenedManager, receives the events and the disconnect."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.buffer = bytearray()
        self.skipping = False
        self.responses: dict[str, Pending] = {}
        self.received = 0
        self.paused = False
        self.closed = False
        self.version: str | None = None
        self.transport: Any = None
        self.factory = owner

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.owner.protocol_made(self)

    # -- sending

    def send(
        self, data: Mapping[str, HeaderValue], as_list: bool | None = False, timeout: float | None = None
    ) -> asyncio.Future[Response]:
        """Send one action. The future resolves to a Response, or fails with ActionTimeout or ConnectionLost.

        Raises:
            ValueError: see `render_action`.
        """
        name = str(data.get("Action", ""))
        action_id = uuid4().hex
        wire = render_action({**{k: v for k, v in data.items() if k != "ActionID"}, "ActionID": action_id})
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Response] = loop.create_future()
        if self.closed:
            future.set_exception(ConnectionLost(f"{name}: not connected"))
            return future
        pending = Pending(name, bool(as_list), future)
        self.responses[action_id] = pending
        seconds = self.owner.action_timeout if timeout is None else timeout
        pending.timer = loop.call_later(seconds, self._expire, action_id, seconds)
        future.add_done_callback(lambda _: self._forget(action_id))
        self.resume()  # while reading is paused, the answer could not arrive
        self.transport.write(wire)
        return future

    def _expire(self, action_id: str, seconds: float) -> None:
        pending = self.responses.get(action_id)
        if pending is not None and not pending.future.done():
            pending.future.set_exception(ActionTimeout(f"{pending.name}: no answer within {seconds:g} s"))

    def _forget(self, action_id: str) -> None:
        pending = self.responses.pop(action_id, None)
        if pending is not None and pending.timer is not None:
            pending.timer.cancel()

    # -- receiving

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer
        self.received += len(data)
        scan = max(0, len(buffer) - 3)
        buffer += data
        if self.version is None and not self._greet():
            return
        last = buffer.rfind(_END, min(scan, len(buffer)))
        if last >= 0:
            pieces = bytes(buffer[:last]).split(_END)
            del buffer[: last + 4]
            if self.skipping:
                self.skipping = False
                pieces.pop(0)
            for piece in pieces:
                self._message(piece)
        if len(buffer) > MAX_MESSAGE:
            if not self.skipping:
                self._dropped("too long")
            self.skipping = True
            del buffer[:-3]

    def _greet(self) -> bool:
        """Consume the greeting line; False while it is incomplete."""
        buffer = self.buffer
        if not buffer.startswith(_GREETING):
            if len(buffer) < len(_GREETING) and _GREETING.startswith(bytes(buffer)):
                return False
            self.version = ""
            return True
        end = buffer.find(b"\r\n")
        if end < 0:
            if len(buffer) > 256:
                self.version = ""
                return True
            return False
        self.version = bytes(buffer[len(_GREETING) : end]).decode("ascii", "replace").strip()
        del buffer[: end + 2]
        return True

    def _dropped(self, why: str) -> None:
        self.owner.dropped += 1
        log.warning("AMI message dropped; the next one is read as usual", why=why, dropped=self.owner.dropped)

    def _message(self, piece: bytes) -> None:
        if piece.startswith(b"Event: ") and not (self.responses and b"\r\nActionID: " in piece):
            wanted = self.owner.wanted
            if (
                wanted is not None
                and piece[7 : piece.find(b"\r\n") if b"\r\n" in piece else None] not in wanted
            ):
                return
            if (
                wanted is not None
                and piece.startswith(_VAR_SET)
                and not any(m in piece for m in _WANTED_VARIABLES)
            ):
                return
            if wanted is not None and piece.startswith(_STEP) and not _step_tells(piece.lower()):
                return
        if len(piece) > MAX_MESSAGE:
            self._dropped("too long")
            return
        if piece.count(b"\r\n") > MAX_HEADERS:
            self._dropped("too many headers")
            return
        try:
            text = piece.decode()
        except UnicodeDecodeError:
            self.owner.undecodable += 1
            text = piece.decode("utf-8", "replace")
        headers = parse_headers(text.strip("\r\n"))
        pending = self.responses.get(headers.get("ActionID", "")) if self.responses else None
        if pending is not None and self._answer(pending, headers):
            return
        if "Event" in headers:
            self.owner.feed(headers)

    def _answer(self, pending: Pending, headers: Headers) -> bool:
        """Pass a message to its pending action; False if it is an ordinary event."""
        future = pending.future
        if future.done():
            return "Response" in headers
        if "Response" in headers:
            pending.response = Response(headers)
            if not pending.as_list or not pending.response.success:
                future.set_result(pending.response)
            return True
        if not pending.as_list or pending.response is None:
            return False
        end = headers.get("EventList", "").lower()
        if end in ("complete", "cancelled"):
            pending.response.headers.update({k: v for k, v in headers.items() if k != "Event"})
            future.set_result(pending.response)
        elif len(pending.response.events) >= MAX_LIST:
            future.set_exception(
                ConnectionLost(f"{pending.name}: list of more than {MAX_LIST} rows given up")
            )
        else:
            pending.response.events.append(headers)
        return True

    # -- flow and end

    def pause(self) -> None:
        if not self.paused and not self.closed and not self.responses:
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.paused and not self.closed:
            self.paused = False
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.close()
        self.owner.protocol_lost(self, exc)

    def close(self) -> None:
        """Close the connection; every pending action fails with ConnectionLost."""
        if self.closed:
            return
        self.closed = True
        for pending in list(self.responses.values()):
            if not pending.future.done():
                pending.future.set_exception(
                    ConnectionLost(f"{pending.name}: connection lost before the answer; it is not sent again")
                )
                pending.future.exception()  # mark as retrieved: nobody may be waiting any more
        self.transport.close()
