"""Leases: which process serves which PBX; work that outlives a moment is claimed with a lease of its own.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False, server_default=""),
        sa.Column("address", sa.Text(), nullable=False, server_default=""),
        sa.Column("term", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("taken_at", sa.Double(), nullable=False, server_default="0"),
        sa.Column("expires_at", sa.Double(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.add_column("deliveries", sa.Column("leased_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("deliveries", sa.Column("revision", sa.Integer(), nullable=False, server_default="1"))
    # A key is ORDER.REVISION, and an order's id is 36 characters long.
    op.execute(
        "UPDATE deliveries SET revision = CAST(substr(key, 38) AS INTEGER)"
        " WHERE length(key) > 37 AND substr(key, 37, 1) = '.'"
    )
    op.create_index("ix_deliveries_order", "deliveries", ["order_id", "endpoint", "revision"])
    op.add_column("calls", sa.Column("claimed_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("calls", sa.Column("claimed_until", sa.Double(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("calls", "claimed_until")
    op.drop_column("calls", "claimed_by")
    op.drop_index("ix_deliveries_order", "deliveries")
    op.drop_column("deliveries", "revision")
    op.drop_column("deliveries", "leased_by")
    op.drop_table("leases")
