"""From structs to rows: the working copies of calls, utterances and orders, and the journal."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.calls import Call
from domain.facts import AnyFact, call_id_of
from domain.history import text_of
from domain.numbers import national, told
from domain.orders import Order, OrderState
from domain.queues import QueueEntry
from domain.ratings import survey_of
from domain.search import searchable
from gateway.storage.database import Database
from gateway.storage.tables import call_texts, order_texts

ORDER_TEXT_COLUMNS = ["order_id", "category", "town", "unit", "text"]
MAX_MATTER = 200


def upsert(database: Database, table: Table, keys: Sequence[str], changing: Sequence[str]) -> Any:
    """Build an INSERT that updates `changing` if the row with `keys` exists, for SQLite and PostgreSQL."""
    statement = database.insert(table)
    return statement.on_conflict_do_update(
        index_elements=list(keys), set_={name: statement.excluded[name] for name in changing}
    )


def call_row(call: Call) -> dict[str, Any]:
    """Return the working copy of a call, without its post-call state."""
    return {
        "id": call.id,
        "pbx": call.pbx,
        "line": call.line,
        "direction": call.direction.value,
        "state": call.state.value,
        "end_reason": call.end_reason.value if call.end_reason is not None else None,
        "agent": call.agent,
        "agents": f" {' '.join(agents)} " if (agents := call.agents) else "",
        "caller_number": (national(call.caller.number) or told(call.caller.number))[:64],
        "started_at": call.started_at,
        "ended_at": call.ended_at,
        "survey": survey_of(call.ivr).code,
        "data": msgspec.json.encode(call).decode(),
    }


def order_row(order: Order) -> dict[str, Any]:
    """Return the working copy of an order."""
    return {
        "id": order.id,
        "call_id": order.call_id,
        "number": order.number,
        "line": order.line,
        "state": order.state.value,
        "revision": order.revision,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "outcome": order.outcome_kind,
        "send_at": order.send_at if order.state is OrderState.DRAFT else None,
        "matter": order.matter[:MAX_MATTER] if order.matter else None,
        "data": msgspec.json.encode(order).decode(),
    }


def order_text_row(order: Order) -> dict[str, Any]:
    """Return the columns an order is searched by: some fields as they are, all in searchable form."""
    return {
        "order_id": order.id,
        "category": text_of(order, "category")[:100] or None,
        "town": text_of(order, "town")[:100] or None,
        "unit": text_of(order, "unit")[:200] or None,
        "text": searchable(
            text_of(order, name) for name, field in order.fields.items() if not isinstance(field.value, bool)
        ),
    }


def queue_entry_row(entry: QueueEntry) -> dict[str, Any]:
    """Return the working copy of a queue entry, its key first."""
    return {
        "pbx": entry.pbx,
        "uniqueid": entry.uniqueid,
        "queue": entry.queue,
        "entered_at": entry.entered_at,
        "call_id": entry.call_id,
        "data": msgspec.json.encode(entry).decode(),
    }


def queue_entry_columns() -> list[str]:
    """Return the columns `queue_entry_row` fills, the four of the key first."""
    return ["pbx", "uniqueid", "queue", "entered_at", "call_id", "data"]


def put_call_text(database: Database) -> Any:
    """Build an INSERT that appends to the call's searchable text."""
    statement = database.insert(call_texts)
    return statement.on_conflict_do_update(
        index_elements=["call_id"], set_={"text": call_texts.c.text + statement.excluded["text"]}
    )


def put_order_text(database: Database) -> Any:
    """Build an INSERT of `order_text_row` that updates an existing row."""
    return upsert(database, order_texts, ["order_id"], ORDER_TEXT_COLUMNS[1:])


class Prepared:
    """A statement compiled once: the driver gets plain rows, many at a time."""

    def __init__(self, database: Database, statement: Any, columns: Sequence[str]) -> None:
        compiled = statement.compile(dialect=database.engine.dialect, column_keys=list(columns))
        self._sql = str(compiled)
        self._order = list(compiled.positiontup or ())

    async def many(self, connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Execute it for each row."""
        order = self._order
        values = [tuple([row[name] for name in order]) for row in rows]
        await connection.exec_driver_sql(self._sql, values)


def call_text_rows(heard: dict[str, dict[str, Any]], texts: dict[str, str]) -> list[dict[str, Any]]:
    of_call: dict[str, list[str]] = {}
    for identity, row in heard.items():
        of_call.setdefault(row["call_id"], []).append(texts[identity])
    return [{"call_id": call_id, "text": searchable(said)} for call_id, said in of_call.items()]


def call_row_columns() -> list[str]:
    """Return the columns `call_row` fills, `id` first."""
    return [
        "id", "pbx", "line", "direction", "state", "end_reason", "agent", "agents", "caller_number",
        "started_at", "ended_at", "survey", "data",
    ]  # fmt: skip


def order_row_columns() -> list[str]:
    """Return the columns `order_row` fills, `id` first."""
    return ["id", "call_id", "line", "state", "revision", "created_at", "updated_at", "matter", "data"]


def journal_row(fact: AnyFact) -> dict[str, Any]:
    """Return a fact as a journal row."""
    return {
        "at": fact.at,
        "kind": type(fact).__name__,
        "call_id": call_id_of(fact),
        "data": msgspec.json.encode(fact).decode(),
    }
