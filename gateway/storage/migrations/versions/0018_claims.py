"""How often a delivery was taken up: what was taken up before may have arrived.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("claims", sa.Integer(), nullable=False, server_default="0"))
    # What is being sent, or was, may have arrived.
    op.execute("UPDATE deliveries SET claims = 1 WHERE attempts > 0 OR leased_until > 0")


def downgrade() -> None:
    op.drop_column("deliveries", "claims")
