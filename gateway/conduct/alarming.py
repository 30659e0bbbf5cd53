"""Threshold rules judged once a second on what the bus tells."""

import asyncio
import time
from collections.abc import Sequence

from gateway.bus import LocalBus
from gateway.calls.alarms import AlarmBook
from gateway.models.alarm import AlarmRule
from gateway.storage.journal import JournalWriter

EVERY_S = 1.0


class Alarming:
    """The alarms of everything, on one bus. After a restart, what is still wrong is raised anew."""

    def __init__(self, rules: Sequence[AlarmRule], journal: JournalWriter, bus: LocalBus) -> None:
        self.book = AlarmBook(rules)
        self._journal = journal
        self._bus = bus
        bus.listen(self.book.apply)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for fact in self.book.judge(time.time()):
                self._journal.put(fact)
                self._bus.publish(fact)
            await asyncio.sleep(EVERY_S)
