"""From when until when each PBX was watched; an index of the calls that lack something.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pbx_watch",
        sa.Column("pbx", sa.Text().with_variant(sa.String(64), "sqlite"), nullable=False),
        sa.Column("watched_from", sa.Double(), nullable=False),
        sa.Column("watched_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("pbx", name=op.f("pk_pbx_watch")),
    )
    lacking = sa.text("finish_error IS NOT NULL")
    op.create_index(
        "ix_calls_lacking", "calls", ["started_at"], sqlite_where=lacking, postgresql_where=lacking
    )


def downgrade() -> None:
    op.drop_index("ix_calls_lacking", "calls")
    op.drop_table("pbx_watch")
