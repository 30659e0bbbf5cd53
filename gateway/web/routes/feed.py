"""Changes of orders, calls and statuses for other systems: what is new since they asked last."""

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Depends, Query, Response

from agents.accounts.identity import Permission, Principal, Scope, SystemIdentity
from domain.history import OrderOfCall
from domain.visibility.redact import redact
from gateway.export.records import (
    CallRecord,
    OrderRecord,
    Record,
    StatusRecord,
    csv_lines,
    json_lines,
    record_of,
)
from gateway.storage.changes import Changed, Kind
from gateway.web import examples
from gateway.web.access import Access
from gateway.web.answers import Refused
from gateway.web.auditing import Note
from gateway.web.contract import answers
from gateway.web.patience import within

MAX_SEQ = 2**63 - 1
TYPES = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8"}
HEADERS = {
    "X-Next-Cursor": "`cursor` of the next request; keep it until what came with it is stored",
    "X-More": "`true`: there may be more at once; `false`: ask again later, with the same cursor",
}
RECORDS: Mapping[Kind, type[Record]] = {"orders": OrderRecord, "calls": CallRecord, "statuses": StatusRecord}
ORDER_RECORD = record_of(OrderOfCall(examples.ORDER, None, examples.STATUS))
CALL_RECORD, STATUS_RECORD = record_of(examples.CALL), record_of(examples.STATUS)
REFUSES = {422: ("export_cursor",)}
Cursor = Annotated[
    str | None,
    Query(max_length=64, description="`X-Next-Cursor` of the answer before; none: from the beginning"),
]
PageSize = Annotated[int, Query(ge=1, le=1000, description="the most records of an answer")]
Form = Annotated[
    Literal["jsonl", "csv"], Query(alias="format", description="JSON Lines, or CSV with a header")
]


class Changes(Protocol):
    """Port: what has changed (`gateway.storage.changes.ChangeRepository`)."""

    async def since(
        self, kind: Kind, after: int, limit: int, lines: Collection[str] = ()
    ) -> tuple[list[Changed], bool]: ...


def router(access: Access, changes: Changes, field_names: Sequence[str], note: Note) -> APIRouter:
    """`/export/orders`, `/export/calls` and `/export/statuses`."""
    routes = APIRouter(prefix="/api/v1/export")
    reader = Depends(access.asking(Scope.EXPORT_READ))

    async def told(kind: Kind, who: Principal, cursor: str | None, form: str, limit: int) -> Response:
        if not isinstance(who, SystemIdentity):
            access.need(who, Permission.EXPORT)
        after = number_of(kind, cursor)
        lines = who.lines if isinstance(who, SystemIdentity) else ()
        found, more = await within(changes.since(kind, after, limit, lines))
        following = cursor_of(kind, found[-1].seq if found else after)
        if found:
            args: dict[str, Any] = {"rows": len(found), "format": form, "cursor": following}
            await note(who, f"export.feed.{kind}", args)
        visibility = access.visibility(who)
        records = [record_of(redact(one.value, visibility)) for one in found]
        body = json_lines(records) if form == "jsonl" else csv_lines(RECORDS[kind], records, field_names)
        headers = {"X-Next-Cursor": following, "X-More": "true" if more else "false"}
        return Response(body, media_type=TYPES[form], headers=headers)

    @routes.get("/orders")
    @answers(media=("application/jsonl", "text/csv"), lines=ORDER_RECORD, headers=HEADERS, refuses=REFUSES)
    async def orders(
        who: Principal = reader, cursor: Cursor = None, form: Form = "jsonl", limit: PageSize = 500
    ) -> Response:
        """Orders that have left, each time that one of them changes, the oldest change first."""
        return await told("orders", who, cursor, form, limit)

    @routes.get("/calls")
    @answers(media=("application/jsonl", "text/csv"), lines=CALL_RECORD, headers=HEADERS, refuses=REFUSES)
    async def calls(
        who: Principal = reader, cursor: Cursor = None, form: Form = "jsonl", limit: PageSize = 500
    ) -> Response:
        """Calls that have ended."""
        return await told("calls", who, cursor, form, limit)

    @routes.get("/statuses")
    @answers(media=("application/jsonl", "text/csv"), lines=STATUS_RECORD, headers=HEADERS, refuses=REFUSES)
    async def statuses(
        who: Principal = reader, cursor: Cursor = None, form: Form = "jsonl", limit: PageSize = 500
    ) -> Response:
        """What work-order systems told of orders."""
        return await told("statuses", who, cursor, form, limit)

    return routes


def cursor_of(kind: Kind, seq: int) -> str:
    """A place among the changes of that kind, as clients hold it."""
    return base64.urlsafe_b64encode(f"{kind}:{seq}".encode()).decode().rstrip("=")


def number_of(kind: Kind, cursor: str | None) -> int:
    """The place a client names.

    Raises:
        Refused: 422, it is none of ours, or of another kind.
    """
    if not cursor:
        return 0
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        of, _, number = text.partition(":")
        seq = int(number) if number.isdecimal() else -1
    except (ValueError, binascii.Error):
        raise Refused(422, "export_cursor") from None
    if of != kind or not 0 <= seq <= MAX_SEQ or cursor_of(kind, seq) != cursor:
        raise Refused(422, "export_cursor")
    return seq
