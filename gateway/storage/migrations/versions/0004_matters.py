"""What an order is about, to find earlier ones of the same place and matter.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("matter", sa.String(length=200), nullable=True))
    op.create_index(op.f("ix_orders_matter"), "orders", ["matter"])


def downgrade() -> None:
    op.drop_index(op.f("ix_orders_matter"), table_name="orders")
    op.drop_column("orders", "matter")
