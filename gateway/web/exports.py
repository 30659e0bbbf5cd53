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
from fastapi import APIRouter, Depends, Request, Response
from msgspec import Struct
from starlette.responses import StreamingResponse

from agents.accounts.identity import Identity, Permission
from gateway.export import csv
from gateway.export.cells import AnyTable, Cell
from gateway.export.tables import TableContext
from gateway.export.words import CUT, Language
from gateway.export.xlsx import XlsxFile
from gateway.web.access import Access
from gateway.web.answers import Refused
from gateway.web.auditing import Note
from gateway.web.contract import answers

Form = Literal["csv", "xlsx"]
Batches = AsyncIterator[Sequence[Any]]
AT_ONCE = 4
PIECE = 256 * 1024
LIMIT = {"X-Row-Limit": "the most rows that it holds"}
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
log = structlog.get_logger(__name__)


class ExportRequest(Struct, frozen=True):
    """What every export is asked with; `filters` as they were sent, for the audit."""

    name: str
    form: Form
    who: Identity
    lang: Language
    filters: dict[str, str]


class Exporter:
    """Makes the answers, a few at a time. Modules add their tables by `add`."""

    def __init__(
        self,
        access: Access,
        note: Note,
        context: Callable[[Language], TableContext],
        *,
        timezone: str = "Asia/Shanghai",
        rows: int = 500_000,
    ) -> None:
        """`context(language)`: what all tables share, as it is now; `rows`: the most an export holds."""
        self.access = access
        self._note = note
        self._house = context
        self._timezone = ZoneInfo(timezone)
        self._most = rows
        self._running = 0
        self.router = APIRouter(prefix="/api/v1/export", tags=["export"])

        def asked(
            request: Request,
            form: Form,
            who: Annotated[Identity, Depends(access.signed_in)],
            lang: Language = "zh",
        ) -> ExportRequest:
            name = Path(request.url.path).stem
            return ExportRequest(name, form, who, lang, dict(request.query_params))

        self.asked: Any = Depends(asked)
        """The dependency that gives an endpoint its `ExportRequest`."""

    def add(self, name: str, summary: str, endpoint: Callable[..., Any]) -> None:
        """Serve `/export/<name>.csv` and `.xlsx` by `endpoint`, which ends with `answer`."""
        answers(media=("text/csv", XLSX_TYPE), refuses={429: ("exports_running",)}, headers=LIMIT)(endpoint)
        self.router.add_api_route(
            f"/{name}.{{form}}", endpoint, response_class=StreamingResponse, summary=summary
        )

    async def answer(
        self, of: ExportRequest, made: Callable[[TableContext], AnyTable], batches: Batches
    ) -> Response:
        """The file; the audit is written before the first row is read."""
        self.access.need(of.who, Permission.EXPORT)
        if self._running >= AT_ONCE:
            raise Refused(429, "exports_running", count=AT_ONCE)
        context = self._house(of.lang)
        table = made(context)
        await self._note(of.who, f"export.{of.name}", {"format": of.form, "filters": of.filters})
        now = datetime.fromtimestamp(time.time(), self._timezone)
        headers = {
            "Content-Disposition": f'attachment; filename="{of.name}-{now:%Y%m%d-%H%M%S}.{of.form}"',
            "X-Row-Limit": str(self._most),
        }
        if of.form == "csv":
            lines = self._csv(table, context, batches)
            return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
        file, size = await self._xlsx(table, context, batches)
        headers["Content-Length"] = str(size)
        return StreamingResponse(_pieces(file), media_type=XLSX_TYPE, headers=headers)

    async def _rows(
        self, table: AnyTable, context: TableContext, batches: Batches
    ) -> AsyncIterator[list[list[Cell]]]:
        """Rows in batches up to the limit; where it cuts, a last row says so."""
        left = self._most
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
                    limit = self._most
                    yield [[context.words(CUT).format(count=limit)]]
                    break
        finally:
            self._running -= 1
            took = round(time.monotonic() - began, 2)
            log.info("exported", table=table.name, rows=rows, took_s=took)

    async def _csv(self, table: AnyTable, context: TableContext, batches: Batches) -> AsyncIterator[bytes]:
        yield csv.BOM.encode() + csv.lines([table.headers])
        async with aclosing(self._rows(table, context, batches)) as found_rows:  # type: ignore[type-var]
            async for rows in found_rows:
                yield await asyncio.to_thread(csv.lines, rows)

    async def _xlsx(self, table: AnyTable, context: TableContext, batches: Batches) -> tuple[IO[bytes], int]:
        """The whole file, unlinked already: whatever happens, nothing is left lying about."""
        out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever sends it
        with tempfile.TemporaryDirectory(prefix="hotline-export-") as scratch:
            book = XlsxFile(out, table, Path(scratch))
            async with aclosing(self._rows(table, context, batches)) as found_rows:  # type: ignore[type-var]
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


async def once(rows: Sequence[Any]) -> Batches:
    """The rows as one batch."""
    yield rows
