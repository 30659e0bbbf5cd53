"""A call may have several orders, numbered from 1; those that are there keep their ids.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite reads a row from its beginning: there the new column must stand before the long `data`.
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("orders", recreate="always" if sqlite else "never") as table:
        table.add_column(
            sa.Column("number", sa.Integer(), server_default="1", nullable=False),
            insert_after="call_id" if sqlite else None,
        )
        table.drop_constraint("uq_orders_call_id", type_="unique")
        table.create_index("uq_orders_call_number", ["call_id", "number"], unique=True)


def downgrade() -> None:
    op.execute("DELETE FROM deliveries WHERE order_id IN (SELECT id FROM orders WHERE number > 1)")
    op.execute("DELETE FROM order_statuses WHERE order_id IN (SELECT id FROM orders WHERE number > 1)")
    op.execute("DELETE FROM orders WHERE number > 1")
    with op.batch_alter_table("orders") as table:
        table.drop_index("uq_orders_call_number")
        table.drop_column("number")
        table.create_unique_constraint("uq_orders_call_id", ["call_id"])
