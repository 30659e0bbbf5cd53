"""What administrators see of the deployment, and the doctor."""

from collections.abc import Iterable

from fastapi import APIRouter

from gateway.administration import Administration
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.leases import LeaseRepository
from gateway.storage.orders import OrderRepository
from gateway.storage.outbox import SqlOutbox
from gateway.telephony import Telephony
from gateway.web.access import Access
from gateway.web.auditing import note_into
from gateway.web.exports import Exporter
from gateway.web.routes import administration, exports


class AdministrationModule(Module):
    """The deployment, the doctor's findings, and where orders are about."""

    name = "administration"
    needs = (Telephony, SqlOutbox, OrderRepository, CommandRepository)

    async def open(self, runtime: Runtime) -> None:
        """Look at what the other modules run."""
        telephony = runtime.get(Telephony)
        self._administration = Administration(
            runtime.settings,
            telephony.pbxs,
            telephony.links,
            runtime.get(SqlOutbox),
            runtime.get(OrderRepository),
            None if runtime.ownership is None else LeaseRepository(runtime.get(Database)),
        )
        self._audit = runtime.get(CommandRepository)

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/admin/overview`, `/admin/doctor`, `/figures/places`."""
        return [administration.router(access, self._administration, note_into(self._audit))]

    def exports(self, exporter: Exporter) -> None:
        """Places and work-order systems."""
        exports.deployment(exporter, self._administration)
