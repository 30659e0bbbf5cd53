"""When a delivery was last tried.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("tried_at", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("deliveries", "tried_at")
