"""What became of each call, and drafts that are sent by themselves.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("outcome", sa.String(64)))
    op.add_column("orders", sa.Column("send_at", sa.Double()))
    # Before, a call had no other outcome than its order.
    op.execute("UPDATE orders SET outcome = 'order' WHERE state <> 'draft'")
    waiting = sa.text("send_at IS NOT NULL")
    op.create_index("ix_orders_send", "orders", ["send_at"], sqlite_where=waiting, postgresql_where=waiting)


def downgrade() -> None:
    op.drop_index("ix_orders_send", "orders")
    op.drop_column("orders", "send_at")
    op.drop_column("orders", "outcome")
