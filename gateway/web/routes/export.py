"""Exports: any table as CSV or XLSX, with the filters of the page it is on. Every export is in the audit."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from msgspec import Struct
from starlette.responses import StreamingResponse

from agents.accounts.service import Identity, Permission
from domain.visibility.redact import redact
from gateway.export import csv, deployment, tables
from gateway.export.cells import AnyTable, Cell
from gateway.export.tables import AgentNow, House
from gateway.export.words import CUT, Language, Words
from gateway.export.xlsx import XlsxFile
from gateway.web.access import Access
from gateway.web.answers import Refused, found
from gateway.web.auditing import note
from gateway.web.history_query import AuditQuery, CallQuery, DeliveryQuery, OrderQuery, searched
from gateway.web.services import WebServices

Form = Literal["csv", "xlsx"]
Batches = AsyncIterator[Sequence[Any]]
AT_ONCE = 4
PIECE = 256 * 1024
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
log = structlog.get_logger(__name__)


def router(services: WebServices, access: Access) -> APIRouter:
    """`/export`."""
    routes = APIRouter(prefix="/api/v1/export", tags=["export"])
    export = _Exports(services, access)

    def asked(
        request: Request,
        form: Form,
        who: Annotated[Identity, Depends(access.signed_in)],
        lang: Language = "zh",
    ) -> _Asked:
        return _Asked(Path(request.url.path).stem, form, who, lang, dict(request.query_params))

    is_asked = Depends(asked)

    def described(form: str) -> dict[str, Any]:
        return {"response_class": StreamingResponse, "summary": form}

    @routes.get("/calls.{form}", **described("Calls and their orders"))
    async def calls(query: Annotated[CallQuery, Depends()], of: _Asked = is_asked) -> Response:
        """The filters of `/history/calls`; newest first, at most `X-Row-Limit` rows."""
        batches = found(services.history, "history").every_call(
            searched(query.filter(), access.visibility(of.who), spoken=True),
            visibility=access.visibility(of.who),
        )
        return await export.answer(of, tables.calls, batches)

    @routes.get("/orders.{form}", **described("Orders with all their fields"))
    async def orders(query: Annotated[OrderQuery, Depends()], of: _Asked = is_asked) -> Response:
        """The filters of `/history/orders`; newest first."""
        batches = found(services.history, "history").every_order(
            searched(query.filter(), access.visibility(of.who)), visibility=access.visibility(of.who)
        )
        return await export.answer(of, tables.orders, batches)

    @routes.get("/deliveries.{form}", **described("The outbox"))
    async def deliveries(query: Annotated[DeliveryQuery, Depends()], of: _Asked = is_asked) -> Response:
        """By the instant at which they were made, and by state; newest first."""
        access.need(of.who, Permission.SEE_DELIVERIES)
        batches = found(services.history, "history").every_delivery(
            query.filter, visibility=access.visibility(of.who)
        )
        return await export.answer(of, tables.deliveries, batches)

    @routes.get("/audit.{form}", **described("The audit"))
    async def audit(query: Annotated[AuditQuery, Depends()], of: _Asked = is_asked) -> Response:
        """By time and person; newest first."""
        access.need(of.who, Permission.SEE_AUDIT)
        batches = found(services.history, "history").every_entry(
            query.filter, visibility=access.visibility(of.who)
        )
        return await export.answer(of, tables.audit, batches)

    @routes.get("/agents.{form}", **described("Agents now, and their day"))
    async def agents(of: _Asked = is_asked) -> Response:
        """All agents: state and figures since midnight."""
        figures = dict(services.live.values("figures"))
        rows = [AgentNow(one, figures.get(f"agent/{key}")) for key, one in services.live.values("agents")]
        rows.sort(key=lambda row: row.agent.id)
        return await export.answer(of, tables.agents, _once(rows))

    @routes.get("/queues.{form}", **described("Queues' figures"))
    async def queues(of: _Asked = is_asked) -> Response:
        """All queues: the day since midnight and its intervals."""
        found_figures = services.live.values("figures")
        rows = [one for key, one in found_figures if not key.startswith("agent/")]
        rows.sort(key=lambda one: (one.pbx, one.queue, -1 if one.interval is None else one.interval))
        return await export.answer(of, tables.queues, _once(rows))

    @routes.get("/places.{form}", **described("Where orders are about"))
    async def places(
        of: _Asked = is_asked, hours: Annotated[float, Query(gt=0, le=24 * 92)] = 24.0
    ) -> Response:
        """Orders of the last hours by town and village, the most frequent first."""
        access.need(of.who, Permission.SEE_ALL)
        access.need(of.who, Permission.EXPORT)
        rows = await found(services.administration, "administration").places(time.time() - hours * 3600)
        return await export.answer(of, deployment.places, _once(rows))

    @routes.get("/accounts.{form}", **described("Who may sign in"))
    async def accounts(of: _Asked = is_asked) -> Response:
        """All accounts, by name."""
        access.need(of.who, Permission.MANAGE_ACCOUNTS)
        rows = [
            deployment.AccountRow(one.username, one.role.value, one.agent_id, one.disabled)
            for one in await services.accounts.list_accounts()
        ]
        return await export.answer(of, deployment.accounts, _once(rows))

    @routes.get("/endpoints.{form}", **described("Work-order systems"))
    async def endpoints(of: _Asked = is_asked) -> Response:
        """All of them, and how deliveries fare."""
        access.need(of.who, Permission.SEE_DEPLOYMENT)
        now = await found(services.administration, "administration").overview()
        rows = [redact(one, access.visibility(of.who)) for one in now.endpoints]
        return await export.answer(of, deployment.endpoints, _once(rows))

    return routes


class _Asked(Struct, frozen=True):
    """What every export is asked with; `filters` as they were sent, for the audit."""

    name: str
    form: Form
    who: Identity
    lang: Language
    filters: dict[str, str]


class _Exports:
    """Makes the answers; a few at a time."""

    def __init__(self, services: WebServices, access: Access) -> None:
        self._services = services
        self._access = access
        self._running = 0

    def _house(self, lang: Language) -> House:
        """The house as it is now."""
        agents = {key: one.name for key, one in self._services.live.values("agents")}
        services = self._services
        return House(services.lines, services.timezone, services.field_labels, agents, Words(lang))

    async def answer(self, of: _Asked, made: Callable[[House], AnyTable], batches: Batches) -> Response:
        """The file; the audit is written before the first row is read."""
        self._access.need(of.who, Permission.EXPORT)
        if self._running >= AT_ONCE:
            raise Refused(429, "exports_running", count=AT_ONCE)
        house = self._house(of.lang)
        table = made(house)
        await note(self._services, of.who, f"export.{of.name}", {"format": of.form, "filters": of.filters})
        now = datetime.fromtimestamp(time.time(), ZoneInfo(self._services.timezone))
        headers = {
            "Content-Disposition": f'attachment; filename="{of.name}-{now:%Y%m%d-%H%M%S}.{of.form}"',
            "X-Row-Limit": str(self._services.export_rows),
        }
        if of.form == "csv":
            lines = self._csv(table, house, batches)
            return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
        file, size = await self._xlsx(table, house, batches)
        headers["Content-Length"] = str(size)
        return StreamingResponse(_pieces(file), media_type=XLSX_TYPE, headers=headers)

    async def _rows(self, table: AnyTable, house: House, batches: Batches) -> AsyncIterator[list[list[Cell]]]:
        """Rows in batches up to the limit; where it cuts, a last row says so."""
        left = self._services.export_rows
        began, rows = time.monotonic(), 0
        self._running += 1
        try:
            async for batch in batches:
                kept = batch[:left]
                if kept:
                    # Off the event loop: some hundred rows of forty cells take milliseconds.
                    yield await asyncio.to_thread(table.rows, kept)
                    rows += len(kept)
                    left -= len(kept)
                if len(kept) < len(batch):
                    limit = self._services.export_rows
                    yield [[house.words(CUT).format(count=limit)]]
                    break
        finally:
            self._running -= 1
            took = round(time.monotonic() - began, 2)
            log.info("exported", table=table.name, rows=rows, took_s=took)

    async def _csv(self, table: AnyTable, house: House, batches: Batches) -> AsyncIterator[bytes]:
        yield csv.BOM.encode() + csv.lines([table.headers])
        async with aclosing(self._rows(table, house, batches)) as found_rows:  # type: ignore[type-var]
            async for rows in found_rows:
                yield await asyncio.to_thread(csv.lines, rows)

    async def _xlsx(self, table: AnyTable, house: House, batches: Batches) -> tuple[IO[bytes], int]:
        """The whole file, unlinked already: whatever happens, nothing is left lying about."""
        out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever sends it
        with tempfile.TemporaryDirectory(prefix="hotline-export-") as scratch:
            book = XlsxFile(out, table, Path(scratch))
            async with aclosing(self._rows(table, house, batches)) as found_rows:  # type: ignore[type-var]
                async for rows in found_rows:
                    await asyncio.to_thread(book.add, rows)
            await asyncio.to_thread(book.close)
        size = out.seek(0, 2)
        out.seek(0)
        return out, size


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


async def _once(rows: Sequence[Any]) -> Batches:
    yield rows
