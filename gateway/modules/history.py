"""Calls and orders of the past, and the audit."""

from collections.abc import Iterable

from fastapi import APIRouter

from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.changes import ChangeRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.history import HistoryRepository
from gateway.storage.intake import CallsAndMatters
from gateway.storage.order_status import OrderStatusRepository
from gateway.web.access import Access
from gateway.web.auditing import note_into
from gateway.web.exports import Exporter
from gateway.web.routes import audit, calls, exports, feed, history
from workorders.forms import labels
from workorders.service import OrderService


class HistoryModule(Module):
    """Finds calls and orders, and exports them."""

    name = "history"
    needs = (Database, CallsAndMatters, OrderService, OrderStatusRepository, CommandRepository)

    async def open(self, runtime: Runtime) -> None:
        """All of it is read from the database."""
        self._history = HistoryRepository(runtime.get(Database))
        self._calls = runtime.get(CallsAndMatters)
        self._orders = runtime.get(OrderService)
        self._statuses = runtime.get(OrderStatusRepository)
        self._audit = runtime.get(CommandRepository)
        self._changes = ChangeRepository(runtime.get(Database))

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/calls`, `/history`, `/audit`, and changes for other systems below `/export`."""
        note = note_into(self._audit)
        return [
            calls.router(access, self._calls, self._orders.orders_of_call, self._statuses.timeline),
            history.router(access, self._history),
            audit.router(access, self._audit),
            feed.router(access, self._changes, list(labels()), note),
        ]

    def exports(self, exporter: Exporter) -> None:
        """Calls, orders, deliveries, audit."""
        exports.history(exporter, self._history)
