"""Facts have ids; those that cannot be stored are set aside; names from outside may be of any length.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WIDENED = {
    "journal": {"call_id": 160},
    "calls": {"id": 160, "pbx": 64, "line": 64, "agent": 64, "caller_number": 64},
    "utterances": {"id": 200, "call_id": 160},
    "call_texts": {"call_id": 160},
    "heard": {"call_id": 160},
    "orders": {"call_id": 160, "line": 64},
    "recordings": {"id": 200, "call_id": 160},
}
"""Table → column → its length so far. SQLite minds no lengths: there they stay."""


def upgrade() -> None:
    op.add_column("journal", sa.Column("id", sa.BigInteger(), nullable=True))
    op.create_index("uq_journal_id", "journal", ["id"], unique=True)
    op.create_table(
        "rejected_facts",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected_facts")),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table, columns in WIDENED.items():
            for column in columns:
                op.alter_column(table, column, type_=sa.Text())


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, columns in WIDENED.items():
            for column, length in columns.items():
                op.alter_column(
                    table, column, type_=sa.String(length), postgresql_using=f"left({column}, {length})"
                )
    op.drop_table("rejected_facts")
    op.drop_index("uq_journal_id", "journal")
    op.drop_column("journal", "id")
