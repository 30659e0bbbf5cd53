"""Why something was refused, as a code with parameters.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No batch: SQLite would build the table anew, without the triggers that keep it append-only.
    op.add_column("audit", sa.Column("reason", sa.String(length=40), nullable=False, server_default=""))
    op.add_column("audit", sa.Column("params", sa.Text(), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("audit", "params")
    op.drop_column("audit", "reason")
