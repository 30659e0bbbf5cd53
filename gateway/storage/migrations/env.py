"""Alembic's entry: runs on the connection that `gateway.storage.database` hands over."""

from alembic import context

import gateway.storage.figure_tables  # noqa: F401 - the rest of the tables
from gateway.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
