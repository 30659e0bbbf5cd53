"""Threshold rules judged once a second on what the bus tells."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from agents.alarms.rules import AlarmRules
from domain.alarms import AlarmRule
from domain.orders import UnsubmittedOrder
from gateway.facts.bus import LocalBus
from gateway.storage.journal import JournalWriter

EVERY_S = 1.0


class AlarmService:
    """The alarms of everything, on one bus. After a restart, what is still wrong is raised anew."""

    def __init__(
        self,
        rules: Sequence[AlarmRule],
        journal: JournalWriter,
        bus: LocalBus,
        unsubmitted_orders: Callable[[], Awaitable[Sequence[UnsubmittedOrder]]],
    ) -> None:
        """`unsubmitted_orders()`: those that earlier runs left."""
        self._open_drafts = unsubmitted_orders
        self.book = AlarmRules(rules)
        self._journal = journal
        self._bus = bus
        bus.listen(self.book.apply)

    async def run(self) -> None:
        """Until cancelled."""
        self.book.drafts.recall(await self._open_drafts())
        while True:
            now = time.time()
            for fact in self.book.judge(now):
                self._journal.put(fact)
                self._bus.publish(fact)
            # How it goes on is for the visibility only; the journal has when it began and ended.
            for fact in self.book.moved(now):
                self._bus.publish(fact)
            await asyncio.sleep(EVERY_S)
