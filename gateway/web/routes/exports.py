"""The tables that can be exported, each with the filters of its page."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, Any, Protocol

from fastapi import Depends, Query, Response

from agents.accounts.identity import Account, Permission
from domain.audit import AuditEntry
from domain.deliveries import DeliveryView
from domain.history import AuditFilter, CallFilter, CallSummary, DeliveryFilter, OrderFilter, OrderOfCall
from domain.visibility.policy import WHOLE, Visibility
from domain.visibility.redact import redact
from gateway.export import deployment as deployment_tables
from gateway.export import tables
from gateway.export.tables import AgentNow
from gateway.web.exports import Exporter, ExportRequest, once
from gateway.web.history_query import AuditQuery, CallQuery, DeliveryQuery, OrderQuery, searched
from gateway.web.routes.administration import Deployment


class Everything(Protocol):
    """Port: all rows of a table in batches, newest first, as `visibility` allows."""

    def every_call(
        self, wanted: CallFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[Sequence[CallSummary]]: ...

    def every_order(
        self, wanted: OrderFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[Sequence[OrderOfCall]]: ...

    def every_delivery(
        self, wanted: DeliveryFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[Sequence[DeliveryView]]: ...

    def every_entry(
        self, wanted: AuditFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[Sequence[AuditEntry]]: ...


Values = Callable[[str], Sequence[tuple[str, Any]]]
"""What the screens show of a topic now: (key, value)."""


def history(exporter: Exporter, store: Everything) -> None:
    """Calls, orders, deliveries and the audit."""
    access, asked = exporter.access, exporter.asked

    async def calls(query: Annotated[CallQuery, Depends()], of: ExportRequest = asked) -> Response:
        """The filters of `/history/calls`; newest first, at most `X-Row-Limit` rows."""
        visibility = access.visibility(of.who)
        wanted = searched(query.filter(), visibility, spoken=True)
        return await exporter.answer(of, tables.calls, store.every_call(wanted, visibility=visibility))

    async def orders(query: Annotated[OrderQuery, Depends()], of: ExportRequest = asked) -> Response:
        """The filters of `/history/orders`; newest first."""
        visibility = access.visibility(of.who)
        wanted = searched(query.filter(), visibility)
        return await exporter.answer(of, tables.orders, store.every_order(wanted, visibility=visibility))

    async def deliveries(query: Annotated[DeliveryQuery, Depends()], of: ExportRequest = asked) -> Response:
        """By the instant at which they were made, and by state; newest first."""
        access.need(of.who, Permission.SEE_DELIVERIES)
        batches = store.every_delivery(query.filter, visibility=access.visibility(of.who))
        return await exporter.answer(of, tables.deliveries, batches)

    async def audit(query: Annotated[AuditQuery, Depends()], of: ExportRequest = asked) -> Response:
        """By time and person; newest first."""
        access.need(of.who, Permission.SEE_AUDIT)
        batches = store.every_entry(query.filter, visibility=access.visibility(of.who))
        return await exporter.answer(of, tables.audit, batches)

    exporter.add("calls", "Calls and their orders", calls)
    exporter.add("orders", "Orders with all their fields", orders)
    exporter.add("deliveries", "The outbox", deliveries)
    exporter.add("audit", "The audit", audit)


def live(exporter: Exporter, values: Values) -> None:
    """Agents and queues as they are now."""

    async def agents(of: ExportRequest = exporter.asked) -> Response:
        """All agents: state and figures since midnight."""
        figures = dict(values("figures"))
        rows = [AgentNow(one, figures.get(f"agent/{key}")) for key, one in values("agents")]
        rows.sort(key=lambda row: row.agent.id)
        return await exporter.answer(of, tables.agents, once(rows))

    async def queues(of: ExportRequest = exporter.asked) -> Response:
        """All queues: the day since midnight and its intervals."""
        rows = [one for key, one in values("figures") if not key.startswith("agent/")]
        rows.sort(key=lambda one: (one.pbx, one.queue, -1 if one.interval is None else one.interval))
        return await exporter.answer(of, tables.queues, once(rows))

    exporter.add("agents", "Agents now, and their day", agents)
    exporter.add("queues", "Queues' figures", queues)


def accounts(exporter: Exporter, list_accounts: Callable[[], Awaitable[Sequence[Account]]]) -> None:
    """Who may sign in."""

    async def rows(of: ExportRequest = exporter.asked) -> Response:
        """All accounts, by name."""
        exporter.access.need(of.who, Permission.MANAGE_ACCOUNTS)
        rows = [
            deployment_tables.AccountRow(one.username, one.role.value, one.agent_id, one.disabled)
            for one in await list_accounts()
        ]
        return await exporter.answer(of, deployment_tables.accounts, once(rows))

    exporter.add("accounts", "Who may sign in", rows)


def deployment(exporter: Exporter, port: Deployment) -> None:
    """Places that orders are about, and work-order systems."""
    access = exporter.access

    async def places(
        of: ExportRequest = exporter.asked, hours: Annotated[float, Query(gt=0, le=24 * 92)] = 24.0
    ) -> Response:
        """Orders of the last hours by town and village, the most frequent first."""
        access.need(of.who, Permission.SEE_ALL)
        access.need(of.who, Permission.EXPORT)
        rows = await port.places(time.time() - hours * 3600)
        return await exporter.answer(of, deployment_tables.places, once(rows))

    async def endpoints(of: ExportRequest = exporter.asked) -> Response:
        """All of them, and how deliveries fare."""
        access.need(of.who, Permission.SEE_DEPLOYMENT)
        now = await port.overview()
        rows = [redact(one, access.visibility(of.who)) for one in now.endpoints]
        return await exporter.answer(of, deployment_tables.endpoints, once(rows))

    exporter.add("places", "Where orders are about", places)
    exporter.add("endpoints", "Work-order systems", endpoints)
