"""Asks work-order systems that cannot call what became of their orders, now and then and when somebody calls.

A system is asked for what has changed since it was last asked. What it then says of an order is told as if it
had told it by itself, if it is anything else than last time.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import aiohttp
import msgspec
import structlog

from domain.facts import OrderStatusTold
from domain.messages import Message
from domain.order_status import OrderStatus, Step
from domain.orders import Order
from workorders.delivery.mapping.compiled import Poll, base_scope
from workorders.delivery.mapping.errors import MappingError
from workorders.delivery.mapping.replies import Reply, refusal
from workorders.delivery.retry import verdict
from workorders.delivery.sending import USER_AGENT, Endpoint, exchange
from workorders.inbound.reading import NOWHERE, PLACES, StatusReader, StatusRefusedError, Told

log = structlog.get_logger(__name__)

AT_MOST_EVERY_S = 1.0
"""However many people call."""
FIRST_S = 30 * 86400.0
"""How far back a system is asked when it is asked for the first time."""
OVERLAP_S = 600.0
"""What changed so shortly before the newest change is asked for again: it may have been told out of order, or
of an order whose number was not known yet."""
MOST_PAGES = 1000
TELL_AGAIN_S = 600.0
"""The same trouble is logged so often."""


class PollStore(Protocol):
    """Port: who asks which system next, and what it said."""

    async def claim(self, endpoint: str, least_s: float) -> bool:
        """Whether the system is to be asked now by who claims it: it was not asked for `least_s` seconds."""
        ...

    async def changed_at(self, endpoint: str) -> float | None:
        """When the newest change that it told of happened, POSIX seconds; `None`: it was never asked."""
        ...

    async def answered(self, endpoint: str, changed_at: float) -> None:
        """Note when that was."""
        ...

    async def find_order(self, endpoint: str, order_id: str, number: str) -> Order | None:
        """The order of that id, else the one to which that endpoint gave that number."""
        ...

    async def keep_seen(self, told: OrderStatusTold) -> bool:
        """Keep it, with its fact in the journal, unless it says no more than what that system said last."""
        ...


@dataclass
class Polled:
    """One system that is asked."""

    endpoint: Endpoint
    poll: Poll
    reader: StatusReader
    every_s: float
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    failed: int = 0
    trouble: str = ""
    """Why it did not answer last time; empty: it did."""
    told_at: float = 0.0
    not_understood: set[str] = field(default_factory=set)


class PollError(Exception):
    """A system did not answer, or not in a way that is understood."""

    def __init__(self, why: Message | None) -> None:
        super().__init__(why.text if why is not None else "no answer")


def reader_of(poll: Poll, words: Mapping[str, Step], timezone: str) -> StatusReader:
    """Reads the orders in its replies; `words` are those of the configuration, beside the mapping's."""
    places = {name: poll.spec.places.get(name, NOWHERE) for name in PLACES}
    known = {**poll.spec.words, **words}
    return StatusReader({**places, "at": poll.spec.changed}, known, poll.spec.timezone or timezone)


class StatusPolling:
    """Asks every system for as long as `run()` runs. They do not wait for each other."""

    def __init__(
        self,
        systems: Sequence[Polled],
        store: PollStore,
        publish: Callable[[OrderStatusTold], None],
        *,
        clock: Callable[[], float] = time.time,
        may_ask: Callable[[], bool] = lambda: True,
    ) -> None:
        """`publish` is told what is new; without leave (`may_ask`) nobody is asked."""
        self.systems = systems
        self._store = store
        self._publish = publish
        self._clock = clock
        self._may_ask = may_ask

    def hurry(self) -> None:
        """Ask now: somebody calls, and may be told."""
        for system in self.systems:
            system.hurry.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        if not self.systems:
            return
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            asyncio.TaskGroup() as group,
        ):
            for system in self.systems:
                group.create_task(self._follow(session, system), name=f"ask {system.endpoint.id}")

    async def _follow(self, session: aiohttp.ClientSession, system: Polled) -> None:
        while True:
            hurried = system.hurry.is_set()
            system.hurry.clear()
            try:
                await self.ask(session, system, AT_MOST_EVERY_S if hurried else system.every_s * 0.9)
            except PollError as error:
                self._note_trouble(system, str(error))
            except Exception:
                # The store is away for a moment: it is asked again.
                log.exception("order_status_poll_failed", endpoint=system.endpoint.id)
            await asyncio.sleep(AT_MOST_EVERY_S)
            # Not wait_for: Python 3.11's loses a cancellation that comes together with the wake.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, system.every_s - AT_MOST_EVERY_S)):
                    await system.hurry.wait()

    async def ask(self, session: aiohttp.ClientSession, system: Polled, least_s: float) -> int:
        """Ask one system, unless it was asked within `least_s`; how many orders had news.

        Raises:
            PollError: it did not answer, or not as the mapping says.
        """
        endpoint = system.endpoint
        if not self._may_ask() or not await self._store.claim(endpoint.id, least_s):
            return 0
        system.asked += 1
        before = await self._store.changed_at(endpoint.id)
        since = (before if before is not None else self._clock() - FIRST_S) - OVERLAP_S
        newest, news = before, 0
        for page in range(1, MOST_PAGES + 1):
            items = await self._page(session, system, since, page)
            for item in items:
                if (told := self._read(system, item)) is None:
                    continue
                assert told.at is not None
                newest = told.at if newest is None else max(newest, told.at)
                news += await self._keep(system, told)
            if not system.poll.spec.page_size or len(items) < system.poll.spec.page_size:
                break
        if newest is not None:
            # A time to come would hide what changes until then.
            await self._store.answered(endpoint.id, min(newest, self._clock()))
        if system.trouble:
            log.info("order_status_poll_works_again", endpoint=endpoint.id)
        system.trouble = ""
        return news

    async def _page(
        self, session: aiohttp.ClientSession, system: Polled, since: float, page: int
    ) -> list[Any]:
        endpoint = system.endpoint
        scope = base_scope(endpoint.url) | {
            "vars": endpoint.mapping.spec.vars,
            "secrets": endpoint.secrets,
            "since": datetime.fromtimestamp(max(0.0, since), UTC).isoformat(),
            "page": page,
        }
        try:
            sending = system.poll.sending(scope)
            headers = {"user-agent": USER_AGENT} | sending.headers
            reply = await exchange(session, endpoint, sending, headers, self._clock())
            if not isinstance(reply, Reply):
                raise PollError(reply.failure)
            if verdict(reply.status) != "delivered":
                raise PollError(refusal(reply, "poll"))
            return system.poll.items(reply.document)
        except MappingError as error:
            raise PollError(error.message) from None

    def _read(self, system: Polled, item: Any) -> Told | None:
        """What an item says; `None`: it cannot be understood, which is logged once."""
        try:
            told = system.reader.read(item)
            if told.at is None:
                raise StatusRefusedError("status_time", place="changed", value="")
        except StatusRefusedError as error:
            if str(error) not in system.not_understood and len(system.not_understood) < 100:
                system.not_understood.add(str(error))
                log.warning("order_status_not_understood", endpoint=system.endpoint.id, error=str(error))
            return None
        return told

    async def _keep(self, system: Polled, told: Told) -> bool:
        order = await self._store.find_order(system.endpoint.id, told.order, told.number)
        if order is None:
            return False  # the system has other work as well
        status = self._status(system.endpoint.id, order, told)
        fact = OrderStatusTold(at=status.received_at, call_id=order.call_id, line=order.line, status=status)
        if not await self._store.keep_seen(fact):
            return False
        self._publish(fact)
        log.info("order_status", order=order.id, endpoint=system.endpoint.id, step=status.step.value)
        return True

    def _status(self, endpoint: str, order: Order, told: Told) -> OrderStatus:
        assert told.at is not None
        said = hashlib.sha256(msgspec.json.encode((order.id, told))).hexdigest()[:32]
        return OrderStatus(
            id=f"{endpoint}/seen-{said}",
            order_id=order.id,
            endpoint=endpoint,
            step=told.step,
            at=told.at,
            received_at=self._clock(),
            unit=told.unit,
            person=told.person,
            deadline=told.deadline,
            text=told.text,
            word=told.word,
            satisfied=told.satisfied,
            resolved=told.resolved,
        )

    def _note_trouble(self, system: Polled, why: str) -> None:
        system.failed += 1
        now = self._clock()
        if why != system.trouble or not 0 <= now - system.told_at < TELL_AGAIN_S:
            log.warning("order_status_poll_failed", endpoint=system.endpoint.id, error=why[:300])
            system.told_at = now
        system.trouble = why
