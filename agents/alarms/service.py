"""Judges the threshold rules once a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from agents.alarms.rules import AlarmRules
from domain.alarms import AlarmRule
from domain.facts import Recorder
from domain.order_status import OrderDeadline
from domain.orders import UnsubmittedOrder

EVERY_S = 1.0


class AlarmService:
    """The alarms of everything. Feed `rules.apply` with every fact.

    After a restart, what is still wrong is raised again.
    """

    def __init__(
        self,
        rules: Sequence[AlarmRule],
        facts: Recorder,
        unsubmitted_orders: Callable[[], Awaitable[Sequence[UnsubmittedOrder]]],
        open_deadlines: Callable[[], Awaitable[Sequence[OrderDeadline]]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`unsubmitted_orders()`, `open_deadlines()`: those that earlier runs left.

        `clock`: the one that facts are dated by.
        """
        self._clock = clock
        self._unsubmitted_orders = unsubmitted_orders
        self._open_deadlines = open_deadlines
        self.rules = AlarmRules(rules)
        self._facts = facts

    async def run(self) -> None:
        """Until cancelled."""
        self.rules.unsubmitted.recall(await self._unsubmitted_orders())
        self.rules.deadlines.recall(await self._open_deadlines())
        while True:
            now = self._clock()
            self._facts.record(*self.rules.judge(now))
            self._facts.record(*self.rules.moved(now))
            await asyncio.sleep(EVERY_S)
