"""What has changed, in the order in which other systems are told (`gateway.storage.changes`).

Triggers note every change, whoever writes it. A change has no number until somebody asks for it: numbers that
writers draw become visible in another order than they were drawn in.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

WATCHED = {
    # table: (kind, which rows are told, what of a row is told)
    "orders": ("orders", "NEW.state <> 'draft'", ("data", "status")),
    "calls": ("calls", "NEW.ended_at IS NOT NULL", ("data",)),
    "order_statuses": ("statuses", "1 = 1", ("data",)),
}
BEFORE = {
    "orders": ("state <> 'draft'", "updated_at"),
    "calls": ("ended_at IS NOT NULL", "ended_at"),
    "order_statuses": ("1 = 1", "received_at"),
}
NOTE = """
INSERT INTO changes (kind, id, changed_at) VALUES ('{kind}', NEW.id, {now})
ON CONFLICT (kind, id) DO UPDATE SET seq = NULL, changed_at = excluded.changed_at
"""
NOW_SQLITE = "(julianday('now') - 2440587.5) * 86400.0"
NOW_POSTGRESQL = "extract(epoch FROM clock_timestamp())"


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("id", sa.Text().with_variant(sa.String(300), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_changes")),
    )
    op.create_table(
        "change_numbers",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_change_numbers")),
    )
    for table, (kind, _, _) in WATCHED.items():
        told, order = BEFORE[table]
        numbered = f"row_number() OVER (ORDER BY {order}, id)"
        op.execute(
            "INSERT INTO changes (kind, id, seq, changed_at)"  # noqa: S608 - names of ours
            f" SELECT '{kind}', id, {numbered}, {order} FROM {table} WHERE {told}"
        )
        op.execute(
            "INSERT INTO change_numbers (name, last)"  # noqa: S608
            f" SELECT '{kind}', coalesce(max(seq), 0) FROM changes WHERE kind = '{kind}'"
        )
    op.create_index("ix_changes_seq", "changes", ["kind", "seq"])
    unnumbered = sa.text("seq IS NULL")
    op.create_index(
        "ix_changes_new", "changes", ["kind", "changed_at"],
        sqlite_where=unnumbered, postgresql_where=unnumbered,
    )  # fmt: skip
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table in WATCHED:
        (_watch_sqlite if sqlite else _watch_postgresql)(table)


def _watch_sqlite(table: str) -> None:
    kind, told, parts = WATCHED[table]
    differs = " OR ".join(f"OLD.{part} IS NOT NEW.{part}" for part in parts)
    note = NOTE.format(kind=kind, now=NOW_SQLITE)
    op.execute(f"CREATE TRIGGER {table}_added AFTER INSERT ON {table} WHEN {told} BEGIN {note}; END")
    when = f"{told} AND ({differs})"
    op.execute(f"CREATE TRIGGER {table}_changed AFTER UPDATE ON {table} WHEN {when} BEGIN {note}; END")


def _watch_postgresql(table: str) -> None:
    kind, told, parts = WATCHED[table]
    differs = " OR ".join(f"OLD.{part} IS DISTINCT FROM NEW.{part}" for part in parts)
    note = NOTE.format(kind=kind, now=NOW_POSTGRESQL)
    op.execute(
        f"CREATE FUNCTION note_{table}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {note}; RETURN NULL; END $$"
    )
    for name, event, when in (
        ("added", "INSERT", told),
        ("changed", "UPDATE", f"{told} AND ({differs})"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_{name} AFTER {event} ON {table} FOR EACH ROW WHEN ({when})"
            f" EXECUTE FUNCTION note_{table}()"
        )


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table in WATCHED:
        for name in ("added", "changed"):
            op.execute(f"DROP TRIGGER {table}_{name}" + ("" if sqlite else f" ON {table}"))
        if not sqlite:
            op.execute(f"DROP FUNCTION note_{table}()")
    op.drop_table("change_numbers")
    op.drop_table("changes")
