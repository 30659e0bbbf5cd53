"""Figures kept up: rebuilt from the journal at the start, folded live, told at most once a second."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import structlog

from agents.figures.day import DayFigures
from domain.facts import AnyFact, Recorder
from domain.lines import Line
from domain.queues import AgentStatus, QueueEntry

log = structlog.get_logger(__name__)

EVERY_S = 1.0
BACK_S = 36 * 3600.0
"""How far back the journal is read: every line's day, and what was going on when it began."""
KINDS = ("QueueEntryChanged", "AgentChanged")


class FactReader(Protocol):
    """Port: the journal, read."""

    def facts_since(self, at: float, kinds: Sequence[str]) -> AsyncIterator[AnyFact]:
        """The facts of those kinds since then (POSIX seconds), oldest first."""
        ...


class FiguresService:
    """The figures of everything. Feed `today.apply` with every fact."""

    def __init__(
        self,
        lines: Sequence[Line],
        timezone: str,
        facts: Recorder,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` is the one that PBX events are dated by."""
        self.today = DayFigures(lines, timezone)
        self._facts = facts
        self._clock = clock

    async def rebuild(self, journal: FactReader) -> None:
        """Fold what the journal holds of the day; before `today.apply` is fed with anything new."""
        now, began = self._clock(), time.monotonic()
        self.today.now = now
        facts = 0
        async for fact in journal.facts_since(now - BACK_S, KINDS):
            self.today.apply(fact)
            facts += 1
        self.today.resume(now)
        log.info("figures_rebuilt", facts=facts, took_s=round(time.monotonic() - began, 2))

    def left_of(self, pbx: str) -> tuple[list[AgentStatus], list[QueueEntry], list[QueueEntry]]:
        """What an earlier run knew last of that PBX: agents, open stays, and those being wrapped up."""
        agents = [status for status in self.today.statuses.values() if status.pbx == pbx]
        served = self.today.served
        return (
            agents,
            [entry for entry in self.today.open_entries.values() if entry.pbx == pbx],
            [served[one.id] for one in agents if one.wrap_up_until and one.id in served],
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.today.now = now = self._clock()
            self._facts.record(*self.today.take(now))
            await asyncio.sleep(EVERY_S)
