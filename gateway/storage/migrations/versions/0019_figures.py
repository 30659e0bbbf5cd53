"""Figures that last: queue entries as they stand, what is counted of all, and reports sent by schedule.

Revision ID: 0019
Revises: 0018
"""

from collections.abc import Iterator

import msgspec
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

from gateway.storage.packs import documents, facts

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

DIMENSIONS = ("agent", "unit", "place", "category", "source")
COUNTS = (
    "offered", "due", "answered", "answered_in_time", "abandoned", "short_abandoned", "lost", "waited_ms",
    "calls", "talks", "talk_ms", "numbered", "repeated",
    "concluded", "direct", "handed", "closed", "deadlines", "closed_in_time", "returned",
    "rated", "satisfied",
)  # fmt: skip
KEY = ("pbx", "uniqueid", "queue", "entered_at")
AT_ONCE = 500

WATCHED = (
    # table, columns, conditions where a row is new and where one changes, kind, subject
    ("calls", ("data",), "NEW.ended_at IS NOT NULL", "NEW.ended_at IS NOT NULL", "call", "NEW.id"),
    # Drafts change with every utterance, and count for nothing.
    (
        "orders",
        ("data", "state"),
        "NEW.state <> 'draft'",
        "NEW.state <> 'draft' OR OLD.state <> 'draft'",
        "order",
        "NEW.id",
    ),
    ("order_statuses", ("data",), "TRUE", "TRUE", "order", "NEW.order_id"),
    ("queue_entries", ("data",), "TRUE", "TRUE", "entry", "NEW.call_id"),
)

packs = sa.table(
    "journal_packs", sa.column("first_seq"), sa.column("calls"), sa.column("form"), sa.column("data")
)
journal = sa.table("journal", sa.column("seq"), sa.column("kind"), sa.column("data"))
entries = sa.table(
    "queue_entries", *(sa.column(name) for name in (*KEY, "call_id", "data")), sa.column("seq")
)


def _outside(length: int) -> sa.Text:
    return sa.Text().with_variant(sa.String(length), "sqlite")


def upgrade() -> None:
    _create_tables()
    op.create_index("ix_calls_caller", "calls", ["caller_number", "started_at"])
    op.drop_index("ix_calls_caller_number", "calls")
    _fill_entries()
    for watched in WATCHED:
        _watch(*watched)
    # An entry may become another call's, where two calls were one.
    _trigger(
        "queue_entries", "moved", "UPDATE OF call_id", "NEW.call_id <> OLD.call_id", "entry", "OLD.call_id"
    )
    # Rules that none has: everything is counted when the gateway starts.
    state = sa.table("figure_state", *(sa.column(name) for name in ("name", "made_of")))
    op.bulk_insert(state, [{"name": "counting", "made_of": ""}])


def downgrade() -> None:
    _untrigger("queue_entries", "moved")
    for table, *_ in WATCHED:
        _untrigger(table, "new")
        _untrigger(table, "changed")
    op.create_index("ix_calls_caller_number", "calls", ["caller_number"])
    op.drop_index("ix_calls_caller", "calls")
    for table in (
        "report_runs",
        "figure_state",
        "figures",
        "figure_items",
        "figure_changes",
        "queue_entries",
    ):
        op.drop_table(table)


def _create_tables() -> None:
    op.create_table(
        "queue_entries",
        sa.Column("pbx", _outside(64), nullable=False),
        sa.Column("uniqueid", _outside(160), nullable=False),
        sa.Column("queue", _outside(160), nullable=False),
        sa.Column("entered_at", sa.Double(), nullable=False),
        sa.Column("call_id", _outside(160), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*KEY, name=op.f("pk_queue_entries")),
    )
    op.create_index("ix_queue_entries_entered", "queue_entries", ["entered_at"])
    op.create_index("ix_queue_entries_call_id", "queue_entries", ["call_id"])
    op.create_table(
        "figure_changes",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_figure_changes")),
    )
    op.create_table(
        "figure_items",
        sa.Column("subject", _outside(200), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("line", _outside(64), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in DIMENSIONS),
        sa.Column("recount_at", sa.Double(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False, server_default="0") for name in COUNTS),
        sa.PrimaryKeyConstraint("subject", "kind", "part", name=op.f("pk_figure_items")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_figure_items_at", "figure_items", ["at"])
    told = sa.text("recount_at IS NOT NULL")
    op.create_index(
        "ix_figure_items_recount", "figure_items", ["recount_at"], sqlite_where=told, postgresql_where=told
    )
    op.create_table(
        "figures",
        sa.Column("dimension", sa.String(10), nullable=False),
        sa.Column("grain", sa.String(8), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", _outside(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0") for name in COUNTS),
        sa.PrimaryKeyConstraint("dimension", "grain", "start", "line", "value", name=op.f("pk_figures")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_figures_value", "figures", ["dimension", "value", "grain", "start"])
    op.create_table(
        "figure_state",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("made_of", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_figure_state")),
    )
    op.create_table(
        "report_runs",
        sa.Column("report", sa.String(64), nullable=False),
        sa.Column("due_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("claimed_until", sa.Double(), nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.Double(), nullable=False, server_default="0"),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("report", "due_at", name=op.f("pk_report_runs")),
    )


# -- what changes is noted ---------------------------------------------------------------------------
def _watch(
    table: str, columns: tuple[str, ...], if_new: str, if_changed: str, kind: str, subject: str
) -> None:
    _trigger(table, "new", "INSERT", if_new, kind, subject)
    _trigger(table, "changed", f"UPDATE OF {', '.join(columns)}", if_changed, kind, subject)


def _trigger(table: str, name: str, event: str, condition: str, kind: str, subject: str) -> None:
    own = f"figures_{table}_{name}"
    note = f"INSERT INTO figure_changes (kind, subject) VALUES ('{kind}', {subject});"  # noqa: S608 - see above
    action = f"BEGIN {note} END"
    if op.get_bind().dialect.name != "sqlite":
        op.execute(
            f"CREATE FUNCTION {own}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {note} RETURN NULL; END $$"
        )
        action = f"EXECUTE FUNCTION {own}()"
    op.execute(f"CREATE TRIGGER {own} AFTER {event} ON {table} FOR EACH ROW WHEN ({condition}) {action}")


def _untrigger(table: str, name: str) -> None:
    own = f"figures_{table}_{name}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {own}")
        return
    op.execute(f"DROP TRIGGER {own} ON {table}")
    op.execute(f"DROP FUNCTION {own}()")


# -- queue entries, out of the journal ---------------------------------------------------------------
class _Entry(msgspec.Struct):
    pbx: str
    uniqueid: str
    queue: str
    entered_at: float
    call_id: str


class _Told(msgspec.Struct):
    kind: str
    entry: msgspec.Raw = msgspec.Raw(b"null")


def _fill_entries() -> None:
    """The newest state of each entry: packs lie among rows, and overlap."""
    op.add_column("queue_entries", sa.Column("seq", sa.BigInteger(), nullable=True))
    connection = op.get_bind()
    for found in (_packed(connection), _rows(connection)):
        batch: dict[tuple[object, ...], dict[str, object]] = {}
        for seq, data in found:
            row = _row(seq, data)
            if row is None:
                continue
            key = tuple(row[name] for name in KEY)
            if key not in batch or seq > int(str(batch[key]["seq"])):
                batch[key] = row
            if len(batch) >= AT_ONCE:
                _put(connection, batch)
        _put(connection, batch)
    with op.batch_alter_table("queue_entries") as changed:
        changed.drop_column("seq")


def _put(connection: sa.Connection, batch: dict[tuple[object, ...], dict[str, object]]) -> None:
    if not batch:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    put = dialect.insert(entries)
    newer = {name: put.excluded[name] for name in ("call_id", "data", "seq")}
    connection.execute(
        put.on_conflict_do_update(
            index_elements=list(KEY), set_=newer, where=put.excluded.seq > entries.c.seq
        ),
        list(batch.values()),
    )
    batch.clear()


def _packed(connection: sa.Connection) -> Iterator[tuple[int, bytes]]:
    done = -1
    while True:
        query = sa.select(packs).where(packs.c.first_seq > done, packs.c.calls.is_(None))
        one = connection.execute(query.order_by(packs.c.first_seq).limit(1)).one_or_none()
        if one is None:
            return
        done = one.first_seq
        for document in documents(one.data, one.form):
            for packed in facts(document):
                fact = packed.fact
                if isinstance(fact, dict) and fact.get("kind") == "QueueEntryChanged":
                    yield packed.seq, msgspec.json.encode(fact)


def _rows(connection: sa.Connection) -> Iterator[tuple[int, bytes]]:
    done = -1
    while True:
        query = sa.select(journal).where(journal.c.seq > done, journal.c.kind == "QueueEntryChanged")
        some = connection.execute(query.order_by(journal.c.seq).limit(AT_ONCE)).all()
        if not some:
            return
        for one in some:
            yield one.seq, one.data.encode()
        done = some[-1].seq


def _row(seq: int, data: bytes) -> dict[str, object] | None:
    try:
        told = msgspec.json.decode(data, type=_Told)
        entry = msgspec.json.decode(told.entry, type=_Entry)
    except msgspec.MsgspecError:
        return None  # it could not be read before either
    return {**msgspec.structs.asdict(entry), "data": bytes(told.entry).decode(), "seq": seq}
