"""The old facts of the journal are packed; folded state has checkpoints.

Revision ID: 0012
Revises: 0010
"""

import msgspec
import sqlalchemy as sa
from alembic import op

from gateway.storage.packs import unpack

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

journal = sa.table("journal", *(sa.column(name) for name in ("seq", "id", "at", "kind", "call_id", "data")))
packs = sa.table("journal_packs", *(sa.column(name) for name in ("first_seq", "call_id", "form", "data")))


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
        sa.Column("call_id", _outside(160), nullable=True),
        sa.Column("facts", sa.Integer(), nullable=False),
        sa.Column("packed_at", sa.Double(), nullable=False),
        sa.Column("form", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first_seq", name=op.f("pk_journal_packs")),
    )
    op.create_index("ix_journal_packs_last_seq", "journal_packs", ["last_seq"])
    op.create_index("ix_journal_packs_last_at", "journal_packs", ["last_at"])
    op.create_index("ix_journal_packs_call", "journal_packs", ["call_id", "last_at"])
    of_calls = sa.text("call_id IS NOT NULL")
    op.create_index(
        "ix_journal_packs_of_calls",
        "journal_packs",
        ["last_at"],
        sqlite_where=of_calls,
        postgresql_where=of_calls,
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
        connection.execute(
            sa.insert(journal),
            [
                {
                    "seq": packed.seq,
                    "id": packed.id,
                    "at": packed.fact["at"],
                    "kind": packed.fact["kind"],
                    "call_id": one.call_id,
                    "data": msgspec.json.encode(packed.fact).decode(),
                }
                for packed in unpack(one.data, one.form)
            ],
        )
        done = one.first_seq
