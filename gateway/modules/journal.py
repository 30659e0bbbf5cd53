"""Keeps the journal small."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog
from prometheus_client.core import CounterMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError

from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.database import Database
from gateway.storage.packer import DAY_S, JournalPacker
from gateway.supervision import Job

log = structlog.get_logger(__name__)

PACK_EVERY_S, PRUNE_EVERY_S = 60.0, 3600.0


class JournalModule(Module):
    """Packs the facts of calls that are over, and prunes what is older than is kept."""

    name = "journal"
    needs = (Database,)

    async def open(self, runtime: Runtime) -> None:
        """Nothing is provided: who reads the journal sees no difference."""
        self._packer = JournalPacker(runtime.get(Database))
        self._keep_days = runtime.settings.journal.keep_days

    def jobs(self) -> Iterable[Job]:
        """Packing once a minute, pruning once an hour, both in small pieces."""
        jobs = [Job("journal packing", lambda: self._regularly(self._pack, PACK_EVERY_S))]
        if self._keep_days:
            jobs.append(Job("journal pruning", lambda: self._regularly(self._prune, PRUNE_EVERY_S)))
        return jobs

    async def _regularly(self, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            try:
                await work()
            except (SQLAlchemyError, OSError) as error:
                # Whatever is not done now is done later.
                log.warning("journal_upkeep_failed", error=f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(every_s)

    async def _pack(self) -> None:
        await self._packer.pack_old()

    async def _prune(self) -> None:
        if pruned := await self._packer.prune(time.time() - self._keep_days * DAY_S):
            log.info("journal_pruned", facts=pruned, older_than_days=self._keep_days)

    def metrics(self) -> Iterable[Metric]:
        """How far it has come."""
        yield CounterMetricFamily("hotline_journal_packed", "Facts packed", value=self._packer.packed)
