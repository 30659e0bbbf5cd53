"""What the history of calls and orders is searched by.

Revision ID: 0005
Revises: 0004
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from domain.search import searchable

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

AT_ONCE = 1000

Record = dict[str, Any]


def upgrade() -> None:
    # SQLite reads a row from its beginning: there the new columns must stand before the long `data`.
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("calls", recreate="always" if sqlite else "never") as table:
        for column, before in (
            (sa.Column("direction", sa.String(length=16), server_default="inbound", nullable=False), "line"),
            (sa.Column("end_reason", sa.String(length=32)), "state"),
            (sa.Column("agents", sa.Text(), server_default="", nullable=False), "agent"),
        ):
            table.add_column(column, insert_after=before if sqlite else None)
        table.drop_index("ix_calls_started_at")
        table.create_index("ix_calls_started", ["started_at", "id"])
    op.drop_index("ix_orders_created_at", table_name="orders")
    op.create_index("ix_orders_created", "orders", ["created_at", "id"])
    op.create_index("ix_deliveries_created", "deliveries", ["created_at", "id"])
    op.create_table(
        "call_texts",
        sa.Column("call_id", sa.String(length=160), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_call_texts")),
    )
    op.create_table(
        "order_texts",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("category", sa.String(length=100)),
        sa.Column("town", sa.String(length=100)),
        sa.Column("unit", sa.String(length=200)),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_texts")),
    )
    _fill_calls(op.get_bind())
    _fill_orders(op.get_bind())


def _fill_calls(connection: sa.Connection) -> None:
    columns = ("id", "data", "direction", "end_reason", "agents")
    calls = sa.table("calls", *(sa.column(name) for name in columns))
    said = sa.table("utterances", *(sa.column(name) for name in ("id", "call_id", "data")))
    call_texts = sa.table("call_texts", sa.column("call_id"), sa.column("text"))
    change = (
        sa.update(calls)
        .where(calls.c.id == sa.bindparam("of"))
        .values({name: sa.bindparam(f"new_{name}") for name in columns[2:]})
    )
    for rows in _batches(connection, calls):
        connection.execute(change, [{"of": row["id"], **_call_columns(row["data"])} for row in rows])
        texts: dict[str, list[str]] = {}
        query = (
            sa.select(said.c.call_id, said.c.data)
            .where(said.c.call_id.in_([row["id"] for row in rows]))
            .order_by(said.c.call_id, said.c.id)
        )
        for call_id, data in connection.execute(query):
            texts.setdefault(call_id, []).append(json.loads(data)["text"])
        if texts:
            connection.execute(
                sa.insert(call_texts),
                [{"call_id": call, "text": searchable(parts)} for call, parts in texts.items()],
            )


def _fill_orders(connection: sa.Connection) -> None:
    orders = sa.table("orders", sa.column("id"), sa.column("data"))
    names = ("order_id", "category", "town", "unit", "text")
    order_texts = sa.table("order_texts", *(sa.column(name) for name in names))
    for rows in _batches(connection, orders):
        connection.execute(
            sa.insert(order_texts), [{"order_id": row["id"], **_order_columns(row["data"])} for row in rows]
        )


def _batches(connection: sa.Connection, table: sa.TableClause) -> Iterator[list[Record]]:
    """All rows by id, `data` decoded, some at a time."""
    after = ""
    while True:
        query = sa.select(table.c.id, table.c.data).where(table.c.id > after)
        found = connection.execute(query.order_by(table.c.id).limit(AT_ONCE))
        rows = [{"id": row_id, "data": json.loads(data)} for row_id, data in found]
        if not rows:
            return
        yield rows
        after = rows[-1]["id"]


def _call_columns(call: Record) -> Record:
    talked = [talk["agent"] for talk in call.get("talks", ()) if talk.get("agent")]
    agents = dict.fromkeys([*talked, *([call["agent"]] if call.get("agent") else [])])
    return {
        "new_direction": call.get("direction", "inbound"),
        "new_end_reason": call.get("end_reason"),
        "new_agents": f" {' '.join(agents)} " if agents else "",
    }


def _order_columns(order: Record) -> Record:
    values = {name: field["value"] for name, field in order.get("fields", {}).items()}
    fields = {name: _text(value) for name, value in values.items() if not isinstance(value, bool)}
    most = {"category": 100, "town": 100, "unit": 200}
    return {
        **{name: fields.get(name, "")[:size] or None for name, size in most.items()},
        "text": searchable(fields.values()),
    }


def _text(value: Any) -> str:
    return "、".join(str(one) for one in value) if isinstance(value, list) else str(value)


def downgrade() -> None:
    op.drop_table("order_texts")
    op.drop_table("call_texts")
    op.drop_index("ix_deliveries_created", table_name="deliveries")
    op.drop_index("ix_orders_created", table_name="orders")
    op.create_index("ix_orders_created_at", "orders", ["created_at"])
    with op.batch_alter_table("calls") as table:
        table.drop_index("ix_calls_started")
        table.create_index("ix_calls_started_at", ["started_at"])
        for name in ("direction", "end_reason", "agents"):
            table.drop_column(name)
