"""The link to one PBX: kept up for as long as `run()` runs, resynchronised on every connection."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import structlog
from msgspec import Struct

from domain.pbx.errors import ActionRefused, ActionTimeout, ConnectionLost, LoginRefused, PbxError
from domain.pbx.events import AnyPbxEvent, FullyBooted, QueueMembersListed, Reload
from domain.pbx.snapshot import PbxSnapshot
from domain.text import line
from gateway import clock
from gateway.asterisk.event_clock import EventClock
from gateway.asterisk.manager import HardenedManager, backoff
from gateway.asterisk.normalise import WANTED, normalise
from gateway.asterisk.protocol import Headers, HeaderValue, Response
from gateway.asterisk.snapshot import Rows, queue_rows, take_snapshot
from gateway.settings import PbxSettings

log = structlog.get_logger(__name__)

LinkPhase = Literal["disconnected", "connecting", "refused", "synchronising", "up"]

REFUSED_RETRY_S = 30.0
"""A refused login is a configuration problem: frequent retries would only fill the PBX's security log."""
MOVED_TOLD_EVERY_S = 600.0
"""How often the log repeats that a PBX's clock is another."""

MEMBERS_EVERY_S = 300.0
"""How often the queues' members are listed, besides after a reload that the PBX reports."""
QUEUES_RELOADED = frozenset({"All", "app_queue", ""})


class LinkState(Struct, frozen=True, kw_only=True):
    """The state of a link. `reason` names the problem and its fix, if any; `at` is in POSIX seconds."""

    pbx: str
    phase: LinkPhase
    reason: str = ""
    at: float = 0.0


class PbxLink:
    """The link to one PBX.

    On every connection `on_snapshot` is called with the current state of the PBX before `on_event` gets the
    events received meanwhile and afterwards, one at a time and in order. Exceptions they raise are logged.
    """

    def __init__(
        self,
        settings: PbxSettings,
        on_event: Callable[[AnyPbxEvent], Awaitable[None]],
        on_state: Callable[[LinkState], Awaitable[None]],
        on_snapshot: Callable[[PbxSnapshot], Awaitable[None]],
        *,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        """`may_act`: asked before every action; without leave nothing is sent."""
        self._settings = settings
        self._may_act = may_act
        self._on_event = on_event
        self._on_state = on_state
        self._on_snapshot = on_snapshot
        self._manager: HardenedManager | None = None
        self._resync = False
        self._reloaded = asyncio.Event()
        """The queues may have other members now."""
        self._clock = EventClock(self._clock_moved)
        self._moved_told_at = -MOVED_TOLD_EVERY_S
        self.state = LinkState(pbx=settings.name, phase="disconnected", reason="not connected yet")

    # -- the life of the link -----------------------------------------------------------------------------
    @property
    def settings(self) -> PbxSettings:
        """The configuration of this PBX."""
        return self._settings

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        attempt = 0
        while True:
            try:
                await self._connect_and_serve()
                attempt = 0
                continue
            except (LoginRefused, ValueError) as error:
                delay = max(REFUSED_RETRY_S, self._settings.reconnect_max_s) * backoff(0, 1.0, 1.0)
                await self._say("refused", str(error))
                log.error(
                    "pbx_login_refused", pbx=self._settings.name, reason=str(error), retry_in_s=round(delay)
                )
            except (OSError, TimeoutError, ActionTimeout, ConnectionLost) as error:
                if self.state.phase == "up":
                    attempt = 0
                delay = backoff(attempt, self._settings.reconnect_max_s)
                attempt += 1
                reason = str(error) or f"no answer from {self._settings.host}:{self._settings.port}"
                await self._say("disconnected", reason)
                log.warning(
                    "pbx_link_lost", pbx=self._settings.name, reason=reason, retry_in_s=round(delay, 2)
                )
            finally:
                self._close()
            await asyncio.sleep(delay)

    def _close(self) -> None:
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    async def _connect_and_serve(self) -> None:
        settings = self._settings
        secret = await asyncio.to_thread(settings.read_secret)
        await self._say("connecting")
        manager = HardenedManager(
            on_headers=self._headers,
            wanted=WANTED,
            action_timeout=settings.action_timeout_s,
            host=settings.host,
            port=settings.port,
            username=settings.username,
            secret=secret,
            ssl=settings.tls,
            ping_interval=max(1, round(settings.ping_interval_s)),
        )
        self._manager = manager
        self._clock.begin()
        # Events arrive as soon as we are logged in; they are held back until the snapshot is delivered.
        manager.held = True
        await manager.open()
        await self._say("synchronising")
        await self._synchronise()
        manager.held = False
        await self._say("up")
        log.info("pbx_link_up", pbx=settings.name, host=settings.host, port=settings.port)
        members = asyncio.create_task(self._watch_members())
        try:
            await manager.serve()
        finally:
            members.cancel()

    async def _watch_members(self) -> None:
        """List the queues' members after a reload, and now and then: `queue reload` tells nobody."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reloaded.wait(), MEMBERS_EVERY_S)
            self._reloaded.clear()
            try:
                rows, at = await self._list("QueueStatus", {}), clock.now()
                queues = queue_rows(rows, self._settings.name, at)
                members = tuple(member for queue in queues for member in queue.members)
                await self._on_event(QueueMembersListed(at=at, pbx=self._settings.name, members=members))
            except PbxError as error:
                log.warning("queue_members_not_listed", pbx=self._settings.name, error=str(error))
            except Exception:
                log.exception("queue_members_not_handled", pbx=self._settings.name)

    async def _synchronise(self) -> None:
        snapshot = await take_snapshot(self._settings.name, self._list, self._single)
        try:
            await self._on_snapshot(snapshot)
        except Exception:
            log.exception("snapshot_not_handled", pbx=self._settings.name)

    async def _headers(self, headers: Headers) -> None:
        event = normalise(headers, self._settings.name, clock.now(), self._clock.at)
        if event is None:
            return
        if isinstance(event, FullyBooted):
            # The first one belongs to the login and is covered by the snapshot; a later one means a restart.
            if self._resync:
                asyncio.get_running_loop().call_soon(self._close)
            self._resync = True
            return
        if isinstance(event, Reload):
            if event.module in QUEUES_RELOADED:
                self._reloaded.set()
            return
        await self._on_event(event)

    def _clock_moved(self, offset: float) -> None:
        now = clock.now()
        if now - self._moved_told_at < MOVED_TOLD_EVERY_S:
            return
        self._moved_told_at = now
        log.warning(
            "pbx_clock_differs",
            pbx=self._settings.name,
            seconds=round(-offset, 1),
            note="its events are dated by our clock",
            fix="synchronise the PBX's clock and ours (NTP)",
        )

    async def _say(self, phase: LinkPhase, reason: str = "") -> None:
        if phase == "connecting":
            self._resync = False
        self.state = LinkState(pbx=self._settings.name, phase=phase, reason=line(reason), at=clock.now())
        try:
            await self._on_state(self.state)
        except Exception:
            log.exception("link_state_not_handled", pbx=self._settings.name)

    # -- commands -----------------------------------------------------------------------------------------
    async def action(
        self, name: str, headers: Mapping[str, HeaderValue] | None = None, *, timeout: float | None = None
    ) -> Response:
        """Send one action and wait for its answer.

        Raises:
            ActionRefused: the PBX refused; the message has its words.
            ActionTimeout: it did not answer in time.
            ConnectionLost: there is no connection, or it was lost.
            ValueError: a header cannot be sent.
        """
        answer = await self._single(name, headers or {}, timeout)
        if not answer.success:
            raise ActionRefused(f"{name}: {answer.message or 'refused'}")
        return answer

    async def list_action(self, name: str, headers: Mapping[str, HeaderValue] | None = None) -> Rows:
        """Send an action that answers with a list and return its rows. Raises like `action`."""
        return await self._list(name, headers or {})

    async def _single(
        self, name: str, headers: Mapping[str, HeaderValue], timeout: float | None = None
    ) -> Response:
        return await self._connected(name).send_action({"Action": name, **headers}, None, timeout)

    async def _list(self, name: str, headers: Mapping[str, HeaderValue]) -> Rows:
        answer = await self._connected(name).send_action({"Action": name, **headers}, True)
        if not answer.success:
            raise ActionRefused(f"{name}: {answer.message or 'refused'}")
        return list(answer.events)

    def _connected(self, name: str) -> HardenedManager:
        if self._manager is None:
            raise ConnectionLost(f"{name}: not connected to {self._settings.name}: {self.state.reason}")
        if not self._may_act():
            raise ConnectionLost(f"{name}: not sent, another gateway process may serve the PBX by now")
        return self._manager
