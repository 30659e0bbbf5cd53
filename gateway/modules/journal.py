"""Keeps the journal small."""

import asyncio
from collections.abc import Iterable

import structlog
from prometheus_client.core import CounterMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError

from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.database import Database
from gateway.storage.packer import JournalPacker
from gateway.supervision import Job

log = structlog.get_logger(__name__)

EVERY_S = 60.0


class JournalModule(Module):
    """Packs the facts of calls that are over."""

    name = "journal"
    needs = (Database,)

    async def open(self, runtime: Runtime) -> None:
        """Nothing is provided: who reads the journal sees no difference."""
        self._packer = JournalPacker(runtime.get(Database))

    def jobs(self) -> Iterable[Job]:
        """Once a minute, in small pieces."""
        return [Job("journal upkeep", self._keep_up)]

    async def _keep_up(self) -> None:
        while True:
            try:
                await self._packer.pack_old()
            except (SQLAlchemyError, OSError) as error:
                # Whatever is not done now is done later.
                log.warning("journal_not_packed", error=f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(EVERY_S)

    def metrics(self) -> Iterable[Metric]:
        """How far it has come."""
        yield CounterMetricFamily("hotline_journal_packed", "Facts packed", value=self._packer.packed)
