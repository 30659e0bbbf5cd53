"""What work-order systems told of orders.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "order_statuses",
        sa.Column("id", sa.Text().with_variant(sa.String(300), "sqlite"), nullable=False),
        sa.Column("order_id", sa.String(36), nullable=False),
        sa.Column("step", sa.String(20), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_statuses_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_statuses")),
    )
    op.create_index("ix_order_statuses_order", "order_statuses", ["order_id", "at"])
    for name, kind in (
        ("step", sa.String(20)),
        ("step_at", sa.Double()),
        ("status", sa.Text()),
        ("deadline", sa.Double()),
    ):
        op.add_column("orders", sa.Column(name, kind))
    until = sa.text("deadline IS NOT NULL")
    op.create_index("ix_orders_deadline", "orders", ["deadline"], sqlite_where=until, postgresql_where=until)
    numbered = sa.text("external_id IS NOT NULL")
    op.create_index(
        "ix_deliveries_number",
        "deliveries",
        ["endpoint", "external_id"],
        sqlite_where=numbered,
        postgresql_where=numbered,
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_number", "deliveries")
    op.drop_index("ix_orders_deadline", "orders")
    for name in ("deadline", "status", "step_at", "step"):
        op.drop_column("orders", name)
    op.drop_table("order_statuses")
