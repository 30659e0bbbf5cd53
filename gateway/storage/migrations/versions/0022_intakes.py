"""Matters that are no calls.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "intakes",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("call_id", sa.String(160), nullable=False),
        sa.Column("caller_number", sa.Text().with_variant(sa.String(64), "sqlite"), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intakes")),
        sa.UniqueConstraint("call_id", name=op.f("uq_intakes_call_id")),
    )
    op.create_index(op.f("ix_intakes_caller_number"), "intakes", ["caller_number"])


def downgrade() -> None:
    op.drop_table("intakes")
