"""AMI connections on top of panoramisk's manager, with ordered events, bounded buffers and timeouts."""

import asyncio
import inspect
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import structlog
from panoramisk import Manager
from panoramisk.message import Message

from domain.pbx.errors import ActionTimeout, ConnectionLost, LoginRefused
from gateway.asterisk.protocol import HardenedProtocol, Headers, HeaderValue, Response

log = structlog.get_logger(__name__)

HIGH_WATER = 5000
LOW_WATER = 1000
HARD_LIMIT = 200_000


def backoff(attempt: int, limit: float, base: float = 0.5) -> float:
    """Return the seconds to wait before retry `attempt` (from 0): exponential, jittered, up to `limit`."""
    return random.uniform(0.1, 1.0) * min(limit, base * 2.0 ** min(attempt, 30))  # noqa: S311 - not a secret


class HardenedManager(Manager):  # type: ignore[misc]
    """A manager without automatic reconnects: `open` and `serve` one connection, then the caller decides.

    Events go through one bounded queue and are handled one by one, in order: first by `on_headers`, then by
    callbacks added with `register_event`. Their exceptions are logged and counted in `handler_errors`.
    """

    def __init__(
        self,
        *,
        on_headers: Callable[[Headers], Awaitable[None]] | None = None,
        wanted: frozenset[str] | None = None,
        action_timeout: float = 10.0,
        **config: Any,
    ) -> None:
        super().__init__(**config)
        self.callbacks.clear()  # stock panoramisk re-sends unanswered actions on FullyBooted; we never do
        self.patterns.clear()
        self.on_headers = on_headers
        self.wanted = None if wanted is None else frozenset(name.encode() for name in wanted)
        self.action_timeout = action_timeout
        self.events: deque[Headers] = deque()
        self.wake = asyncio.Event()
        self.lost = asyncio.Event()
        self.lost_reason = ""
        self.handler_errors = self.undecodable = self.dropped = 0
        self.held = False

    # -- from the protocol

    def protocol_made(self, protocol: HardenedProtocol) -> None:
        self.protocol = protocol

    def protocol_lost(self, protocol: HardenedProtocol, exc: Exception | None) -> None:
        if protocol is self.protocol:
            self.lost_reason = self.lost_reason or (str(exc) if exc else "closed by the PBX")
            self.lost.set()

    def feed(self, headers: Headers) -> None:
        self.events.append(headers)
        self.wake.set()
        count = len(self.events)
        if count > HARD_LIMIT:
            self.lost_reason = f"more than {HARD_LIMIT} events unread; starting afresh from a snapshot"
            self.protocol.close()
        elif count >= HIGH_WATER and not self.held:
            self.protocol.pause()

    # -- actions

    def send_action(
        self,
        action: Mapping[str, HeaderValue],
        as_list: bool | None = None,
        timeout: float | None = None,
        **kwargs: str,
    ) -> asyncio.Future[Response]:
        """Send an action, see `HardenedProtocol.send`. Raises ConnectionLost if there is no connection."""
        if self.protocol is None:
            raise ConnectionLost(f"{action.get('Action', '')}: not connected")
        future: asyncio.Future[Response] = self.protocol.send({**action, **kwargs}, as_list, timeout)
        return future

    # -- one connection

    async def open(self) -> None:
        """Connect and log in.

        Raises:
            OSError: the connection failed.
            ConnectionLost, ActionTimeout: it was lost or went silent during the login.
            LoginRefused: the PBX rejected the user or the secret.
        """
        self.close()
        self.events.clear()
        self.lost.clear()
        self.lost_reason = ""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self.action_timeout):
            await loop.create_connection(
                lambda: HardenedProtocol(self),
                self.config["host"],
                self.config["port"],
                ssl=self.config["ssl"] or None,
            )
        if "username" not in self.config:
            return
        answer = await self.send_action(
            {
                "Action": "Login",
                "Username": self.config["username"],
                "Secret": self.config["secret"],
                "Events": self.config["events"],
            }
        )
        if not answer.success:
            raise LoginRefused(
                f"AMI login refused for user {self.config['username']!r} ({answer.message}): check the user, "
                "secret and permit lines in the PBX's manager.conf against the gateway's settings"
            )
        self.authenticated = True

    async def serve(self) -> None:
        """Deliver events and ping until the connection is lost.

        Raises:
            ConnectionLost: always, in the end; the message says why.
        """
        consumer = asyncio.create_task(self._consume())
        pinger = asyncio.create_task(self._keep_alive())
        for task in (consumer, pinger):
            task.add_done_callback(self._ended)
        try:
            await self.lost.wait()
            raise ConnectionLost(self.lost_reason)
        finally:
            for task in (consumer, pinger):
                task.cancel()
            await asyncio.gather(consumer, pinger, return_exceptions=True)
            self.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Without either of its tasks a connection is deaf: it is given up, the next one resynchronised."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("ami_task_failed", exc_info=error)
            self.lost_reason = f"internal error ({type(error).__name__}); starting afresh from a snapshot"
            self.lost.set()

    async def _consume(self) -> None:
        events = self.events
        while True:
            if not events:
                self.wake.clear()
                await self.wake.wait()
            headers = events.popleft()
            await self.dispatch(headers)
            if len(events) <= LOW_WATER:
                self.protocol.resume()

    async def dispatch(self, event: Headers) -> None:
        """Pass one event to each handler in turn."""
        name = event.get("Event", "")
        calls: list[Callable[[], Any]] = []
        on_headers = self.on_headers
        if on_headers is not None:
            calls.append(lambda: on_headers(event))
        for pattern, regexp in self.patterns:
            if regexp.match(name):
                message = Message(event)
                message.manager = self
                calls.extend(partial(c, self, message) for c in self.callbacks[pattern])
        for call in calls:
            try:
                result = call()
                if inspect.isawaitable(result):
                    await result
            except Exception:
                self.handler_errors += 1
                log.exception("event handler failed", ami_event=name, handler_errors=self.handler_errors)

    async def _keep_alive(self) -> None:
        interval = float(self.config["ping_interval"])
        while True:
            before = self.protocol.received
            await asyncio.sleep(interval)
            if self.protocol.paused or self.protocol.received != before:
                continue
            try:
                await self.send_action({"Action": "Ping"})
            except (ActionTimeout, ConnectionLost) as error:
                self.lost_reason = f"the PBX fell silent ({error})"
                self.protocol.close()
                self.lost.set()
                return

    def close(self) -> None:
        self.authenticated = False
        if self.protocol is not None:
            self.protocol.close()
