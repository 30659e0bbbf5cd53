"""When a delivery was last tried, and what it failed of as a code with parameters.

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
    op.add_column("deliveries", sa.Column("reason", sa.String(length=40), nullable=False, server_default=""))
    op.add_column("deliveries", sa.Column("params", sa.Text(), nullable=False, server_default="{}"))


def downgrade() -> None:
    for name in ("params", "reason", "tried_at"):
        op.drop_column("deliveries", name)
