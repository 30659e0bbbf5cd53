"""Whether citizens say that their matter was resolved: counted beside whether they were content.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

COUNTS = ("asked", "resolved")


def upgrade() -> None:
    for name in COUNTS:
        op.add_column("figure_items", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
        op.add_column("figures", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in COUNTS:
        op.drop_column("figures", name)
        op.drop_column("figure_items", name)
