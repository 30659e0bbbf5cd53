"""Work-order systems that are asked what became of their orders.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "status_polls",
        sa.Column("endpoint", sa.Text().with_variant(sa.String(64), "sqlite"), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("endpoint", name=op.f("pk_status_polls")),
    )


def downgrade() -> None:
    op.drop_table("status_polls")
