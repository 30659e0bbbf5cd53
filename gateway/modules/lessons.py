"""What orders that came back teach about the unit."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

import structlog

from domain.facts import AnyFact, OrderChanged, OrderStatusTold
from domain.order_status import OrderStatus, Step
from domain.orders import Order, OrderState
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.order_status import OrderStatusRepository
from gateway.supervision import Job
from workorders.directories.reference import Reference
from workorders.drafting import LessonBook
from workorders.extraction.classifier import MODEL, load_classifier
from workorders.extraction.lessons import MAX_LESSONS, Lessons, lessons_of

log = structlog.get_logger(__name__)

KEPT_S = 3 * 365 * 86400.0
"""What came back longer ago teaches nothing: units are reorganised."""
SETTLE_S = 2.0
"""Several that come back together are learned from together."""


class LessonsModule(Module):
    """Keeps the lessons up to date with the database."""

    name = "lessons"
    needs = (OrderStatusRepository, Reference)

    async def open(self, runtime: Runtime) -> None:
        """Provide the `LessonBook`, which is empty at first."""
        self._statuses = runtime.get(OrderStatusRepository)
        self._reference = runtime.get(Reference)
        directory = runtime.settings.reference.classifier or MODEL
        self._classifier = await asyncio.to_thread(load_classifier, directory)
        self._news = asyncio.Event()
        self._came_back: set[str] = set()
        self._book = LessonBook()
        runtime.provide(self._book)

    def listeners(self) -> Iterable[Callable[[AnyFact], None]]:
        """An order comes back; or one that did goes to another unit, or leaves again."""
        return [self._on_fact]

    def _on_fact(self, fact: AnyFact) -> None:
        if isinstance(fact, OrderStatusTold):
            if fact.status.step is Step.RETURNED:
                self._came_back.add(fact.status.order_id)
            if fact.status.order_id in self._came_back:
                self._news.set()
        elif isinstance(fact, OrderChanged):
            left = fact.order.state in (OrderState.SUBMITTED, OrderState.DELIVERED)
            if left and fact.order.id in self._came_back:
                self._news.set()

    def jobs(self) -> Iterable[Job]:
        """Learning, at the start and whenever there is something new."""
        return [Job("lessons", self._run)]

    async def _run(self) -> None:
        while True:
            self._news.clear()
            await self.learn()
            await self._news.wait()
            await asyncio.sleep(SETTLE_S)

    async def learn(self) -> None:
        """Read what came back, and learn from it."""
        returned = await self._statuses.returned(time.time() - KEPT_S, MAX_LESSONS)
        self._came_back.update(order.id for order, _ in returned)
        self._book.current = await asyncio.to_thread(self._learned, returned)
        log.info("lessons_learned", orders=len(returned), lessons=len(self._book.current.lessons))

    def _learned(self, returned: Sequence[tuple[Order, Sequence[OrderStatus]]]) -> Lessons:
        return Lessons(lessons_of(returned, self._reference), self._classifier)
