"""The database, and the door for facts."""

import asyncio
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
from gateway.storage.intake import CallsAndMatters, IntakeRepository
from gateway.storage.journal import STALE_S, JournalWriter
from gateway.storage.journal_reader import JournalReader
from gateway.storage.leases import session_of
from gateway.storage.order_status import OrderStatusRepository
from gateway.storage.orders import OrderRepository
from gateway.storage.outbox import SqlOutbox
from gateway.storage.pbx_watch import PbxWatchRepository
from gateway.storage.spool import spool_of_terms
from gateway.supervision import Supervisor

SPOOL = "facts.spool"
TRY_S = 1.0
FIX = "see who holds a lock on it, and whether its disk is full"


class StorageModule(Module):
    """Opens the database and provides its repositories, the bus and the recorder of facts."""

    name = "storage"

    def __init__(self) -> None:
        self._trying: asyncio.Task[None] | None = None

    async def open(self, runtime: Runtime) -> None:
        """Upgrade an embedded database; a shared one is upgraded by its operator."""
        holder = runtime.holder
        self._database = database = open_database(runtime.settings, session=session_of(holder))
        runtime.on_stop(database.close)
        if database.sqlite:
            await database.upgrade()
        await database.require_newest()
        self._ownership = runtime.ownership
        spool = runtime.settings.data_dir / SPOOL
        if self._ownership is not None:
            database.fence = self._ownership.fence
            spool = spool_of_terms(spool, self._ownership.grant.terms)
        self._bus = LocalBus()
        self._journal = await runtime.enter(JournalWriter(database, spool, self._on_rejected))
        if (supervisor := runtime.find(Supervisor)) is not None:
            supervisor.watch(self._journal.task)
        runtime.provide(database, self._bus, self._journal, FactRecorder(self._journal, self._bus))
        ids = self._journal.ids
        calls = CallRepository(database, holder)
        matters = IntakeRepository(database)
        runtime.provide(calls, matters, CallsAndMatters(calls, matters), OrderRepository(database, ids))
        runtime.provide(SqlOutbox(database, ids, holder), CommandRepository(database))
        runtime.provide(OrderStatusRepository(database, ids))
        runtime.provide(PbxWatchRepository(database), JournalReader(database), CheckpointRepository(database))

    def _on_rejected(self, fact: AnyFact, why: str) -> None:
        rejected = FactRejected(at=time.time(), rejected=type(fact).__name__, error=why[:200])
        self._bus.publish(rejected)

    def checks(self) -> Iterable[ReadinessCheck]:
        """The schema is the newest, what is recorded is committed, and nobody else serves."""
        return [self._database_check, self._journal_check, *([self._lease_check] if self._ownership else [])]

    async def _lease_check(self) -> Check:
        held = self._ownership is not None and self._ownership.holds
        return Check("lease", held, "" if held else "another gateway process may serve by now")

    async def _database_check(self) -> Check:
        try:
            await self._database.require_newest()
        except Exception as error:
            return Check("database", False, str(error))
        writes = self._database.writes
        if writes.trouble:
            await self._try_again()
        if writes.trouble:
            return Check("database", False, f"the last write failed ({writes.trouble}): {FIX}")
        if writes.waiting_s > STALE_S:
            return Check("database", False, f"a write has waited for {writes.waiting_s:.0f} s: {FIX}")
        return Check("database", True)

    async def _try_again(self) -> None:
        """See whether the database takes writes again; of several that ask, one tries."""
        if self._trying is None or self._trying.done():
            self._trying = asyncio.create_task(self._database.try_to_write(), name="try to write")
            # What it fails of is in `writes.trouble`.
            self._trying.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait({self._trying}, timeout=TRY_S)

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
