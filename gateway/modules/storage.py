"""The database, and the door for facts."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gateway.factories import open_database
from gateway.facts.bus import LocalBus
from gateway.facts.recorder import FactRecorder
from gateway.health import Check, ReadinessCheck
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.calls import CallRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.journal import JournalWriter
from gateway.storage.orders import OrderRepository, SqlOutbox


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
        bus = LocalBus()
        self._journal = await runtime.enter(JournalWriter(database))
        runtime.provide(database, bus, self._journal, FactRecorder(self._journal, bus))
        runtime.provide(CallRepository(database), OrderRepository(database), SqlOutbox(database))
        runtime.provide(CommandRepository(database))

    def checks(self) -> Iterable[ReadinessCheck]:
        """The schema is the newest, and can be read."""
        return [self._check]

    async def _check(self) -> Check:
        try:
            await self._database.require_newest()
        except Exception as error:
            return Check("database", False, str(error))
        return Check("database", True)

    def metrics(self) -> Iterable[Metric]:
        """The journal's progress."""
        journal = self._journal
        yield CounterMetricFamily("hotline_journal_facts", "Facts committed", value=journal.written)
        yield GaugeMetricFamily("hotline_journal_backlog", "Facts not committed yet", value=journal.backlog)
