"""The old facts of the journal are packed; folded state has checkpoints.

Revision ID: 0012
Revises: 0010
"""

import msgspec
import sqlalchemy as sa
from alembic import op

from gateway.storage.pack_document import PackedFact
from gateway.storage.packs import documents, facts

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

journal = sa.table("journal", *(sa.column(name) for name in ("seq", "id", "at", "kind", "call_id", "data")))
packs = sa.table("journal_packs", *(sa.column(name) for name in ("first_seq", "calls", "form", "data")))


class _Told(msgspec.Struct):
    """What stands in columns."""

    at: float = 0.0
    kind: str = ""


def _outside(length: int) -> sa.Text:
    return sa.Text().with_variant(sa.String(length), "sqlite")


def upgrade() -> None:
    op.create_index("ix_journal_call", "journal", ["call_id", "at"])
    op.drop_index("ix_journal_call_id", "journal")
    op.create_table(
        "journal_packs",
        sa.Column("first_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("calls", sa.Text(), nullable=True),
        sa.Column("facts", sa.Integer(), nullable=False),
        sa.Column("packed_at", sa.Double(), nullable=False),
        sa.Column("form", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first_seq", name=op.f("pk_journal_packs")),
    )
    op.create_index("ix_journal_packs_last_seq", "journal_packs", ["last_seq"])
    op.create_index("ix_journal_packs_last_at", "journal_packs", ["last_at"])
    for name, which in (("of_calls", "calls IS NOT NULL"), ("of_none", "calls IS NULL")):
        op.create_index(
            f"ix_journal_packs_{name}",
            "journal_packs",
            ["last_at"],
            sqlite_where=sa.text(which),
            postgresql_where=sa.text(which),
        )
    op.create_table(
        "journal_pack_calls",
        sa.Column("call_id", _outside(160), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("call_id", "first_seq", name=op.f("pk_journal_pack_calls")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "checkpoints",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("made_of", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", "made_of", name=op.f("pk_checkpoints")),
    )


def downgrade() -> None:
    _unpack_all()
    op.drop_table("checkpoints")
    op.drop_table("journal_pack_calls")
    op.drop_table("journal_packs")
    op.create_index("ix_journal_call_id", "journal", ["call_id"])
    op.drop_index("ix_journal_call", "journal")


def _unpack_all() -> None:
    """Every fact back into the journal, a pack at a time."""
    connection, done = op.get_bind(), -1
    while True:
        one = connection.execute(
            sa.select(packs).where(packs.c.first_seq > done).order_by(packs.c.first_seq).limit(1)
        ).one_or_none()
        if one is None:
            return
        calls = [None] if one.calls is None else msgspec.json.decode(one.calls)
        for call_id, document in zip(calls, documents(one.data, one.form), strict=True):
            connection.execute(sa.insert(journal), [_row(call_id, packed) for packed in facts(document)])
        done = one.first_seq


def _row(call_id: str | None, packed: PackedFact) -> dict[str, object]:
    text = packed.fact if isinstance(packed.fact, str) else msgspec.json.encode(packed.fact).decode()
    try:
        told = msgspec.json.decode(text, type=_Told)
    except msgspec.MsgspecError:
        told = _Told()  # it could not be read before it was packed either
    own = {"at": told.at, "kind": told.kind, "call_id": call_id, "data": text}
    return {"seq": packed.seq, "id": packed.id, **own}
