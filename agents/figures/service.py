"""Figures kept up: rebuilt from the journal at the start, folded live, told at most once a second."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from agents.figures.day import DayFigures
from domain.lines import Line
from domain.queues import AgentStatus, QueueEntry
from gateway.facts.bus import LocalBus
from gateway.storage.calls import CallRepository

log = structlog.get_logger(__name__)

EVERY_S = 1.0
BACK_S = 36 * 3600.0
"""How far back the journal is read: every line's day, and what was going on when it began."""
KINDS = ("QueueEntryChanged", "AgentChanged")


class FiguresService:
    """The figures of everything, on one bus."""

    def __init__(self, lines: Sequence[Line], timezone: str, bus: LocalBus) -> None:
        self.book = DayFigures(lines, timezone)
        self._bus = bus

    async def rebuild(self, calls: CallRepository) -> None:
        """Fold what the journal holds of the day; before anything new happens."""
        now = time.time()
        facts = 0
        async for fact in calls.facts_since(now - BACK_S, KINDS):
            self.book.apply(fact)
            facts += 1
        self.book.resume(now)
        self._bus.listen(self.book.apply)
        log.info("figures_rebuilt", facts=facts, took_s=round(time.time() - now, 2))

    def left_of(self, pbx: str) -> tuple[list[AgentStatus], list[QueueEntry], list[QueueEntry]]:
        """What an earlier run knew last of that PBX: agents, open stays, and those being wrapped up."""
        agents = [status for status in self.book.statuses.values() if status.pbx == pbx]
        served = self.book.served
        return (
            agents,
            [entry for entry in self.book.open_entries.values() if entry.pbx == pbx],
            [served[one.id] for one in agents if one.wrap_up_until and one.id in served],
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for fact in self.book.take(time.time()):
                self._bus.publish(fact)
            await asyncio.sleep(EVERY_S)
