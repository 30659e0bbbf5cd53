"""The database, and the door for facts."""

import time
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from domain.facts import AnyFact, FactRejected
from gateway.factories import open_database
from gateway.facts.bus import LocalBus
from gateway.facts.recorder import FactRecorder
from gateway.health import Check, ReadinessCheck
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.calls import CallRepository
from gateway.storage.checkpoints import CheckpointRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.journal import STALE_S, JournalWriter
from gateway.storage.journal_reader import JournalReader
from gateway.storage.orders import OrderRepository
from gateway.storage.outbox import SqlOutbox

SPOOL = "facts.spool"


class StorageModule(Module):
    """Opens the database and provides its repositories, the bus and the recorder of facts."""

    name = "storage"

    async def open(self, runtime: Runtime) -> None:
        """Upgrade an embedded database; a shared one is upgraded by its operator."""
        self._database = database = open_database(runtime.settings)
        runtime.on_stop(database.close)
        if database.sqlite:
            await database.upgrade()
        await database.require_newest()
        self._bus = LocalBus()
        spool = runtime.settings.data_dir / SPOOL
        self._journal = await runtime.enter(JournalWriter(database, spool, self._on_rejected))
        runtime.provide(database, self._bus, self._journal, FactRecorder(self._journal, self._bus))
        ids = self._journal.ids
        runtime.provide(CallRepository(database), OrderRepository(database, ids), SqlOutbox(database, ids))
        runtime.provide(CommandRepository(database), JournalReader(database), CheckpointRepository(database))

    def _on_rejected(self, fact: AnyFact, why: str) -> None:
        rejected = FactRejected(at=time.time(), rejected=type(fact).__name__, error=why[:200])
        self._bus.publish(rejected)

    def checks(self) -> Iterable[ReadinessCheck]:
        """The schema is the newest, and what is recorded is committed."""
        return [self._database_check, self._journal_check]

    async def _database_check(self) -> Check:
        try:
            await self._database.require_newest()
        except Exception as error:
            return Check("database", False, str(error))
        return Check("database", True)

    async def _journal_check(self) -> Check:
        journal = self._journal
        waiting = f"{journal.backlog} facts wait in memory"
        if journal.trouble:
            return Check("journal", False, f"{waiting}: the database takes nothing ({journal.trouble})")
        if journal.stale_s > STALE_S:
            return Check(
                "journal", False, f"{waiting}: the database has not answered for {journal.stale_s:.0f} s"
            )
        return Check("journal", True)

    def metrics(self) -> Iterable[Metric]:
        """The journal's progress."""
        journal = self._journal
        yield CounterMetricFamily("hotline_journal_facts", "Facts committed", value=journal.written)
        yield GaugeMetricFamily("hotline_journal_backlog", "Facts not committed yet", value=journal.backlog)
        yield CounterMetricFamily("hotline_journal_rejected", "Facts set aside", value=journal.rejected)
