"""Figures kept up: taken over from the journal at the start, folded live, told at most once a second."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from agents.figures.checkpoints import SETTLING_S, CheckpointStore, Journal, JournalFigures, Mark
from agents.figures.day import DayFigures
from domain.facts import Recorder
from domain.lines import Line
from domain.queues import AgentStatus, QueueEntry

log = structlog.get_logger(__name__)

EVERY_S = 1.0
CHECKPOINT_EVERY_S = 60.0
LAST_CHECKPOINT_S = 2.0


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
        self._lines, self._timezone = lines, timezone
        self._facts = facts
        self._clock = clock
        self._stored: JournalFigures | None = None

    async def rebuild(self, journal: Journal, store: CheckpointStore) -> None:
        """Take over what the journal holds of the day, most of it by a checkpoint. Before anything new."""
        now, began = self._clock(), time.monotonic()
        self._stored = JournalFigures(self._lines, self._timezone, journal, store)
        await self._stored.begin(now)
        self.today = await self._stored.figures(now)
        self.today.resume(now)
        took = round(time.monotonic() - began, 2)
        log.info("figures_rebuilt", by_checkpoint=self._stored.restored, took_s=took)

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

    async def store_once(self, mark: Mark | None = None) -> None:
        """Store a checkpoint of what the journal says up to the mark, or to that of the last time."""
        if self._stored is not None:
            await self._stored.advance(self._clock(), mark)

    async def store(self) -> None:
        """Store checkpoints, until cancelled."""
        while True:
            await self.store_once()
            await asyncio.sleep(CHECKPOINT_EVERY_S)

    async def store_last(self) -> None:
        """Store one at the end, if the database takes it at once."""

        async def stored(figures: JournalFigures) -> None:
            await self._facts.flush()
            mark = await figures.mark()
            await asyncio.sleep(SETTLING_S)
            await self.store_once(mark)

        if self._stored is None:
            return
        task = asyncio.create_task(stored(self._stored), name="last checkpoint")
        await asyncio.wait([task], timeout=LAST_CHECKPOINT_S)
        if not task.done():
            task.cancel()
        elif (error := task.exception()) is not None:
            log.warning("checkpoint_not_stored", error=f"{type(error).__name__}: {error}"[:300])
