"""Orders that came back are found without reading all that was ever told.

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

RETURNED = sa.text("step = 'returned'")


def upgrade() -> None:
    op.create_index(
        "ix_order_statuses_returned",
        "order_statuses",
        ["at"],
        sqlite_where=RETURNED,
        postgresql_where=RETURNED,
    )


def downgrade() -> None:
    op.drop_index("ix_order_statuses_returned", "order_statuses")
