"""What is typed into the fields of an order but is not, or not yet, valid: a reloaded page shows it again."""

import time
from collections.abc import Mapping

from sqlalchemy import delete, select

from gateway.storage.database import Database
from gateway.storage.rows import upsert
from gateway.storage.tables import order_drafts


class UnsavedInputRepository:
    """Texts by order and field."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_unsaved(self, order_id: str) -> dict[str, str]:
        """Field name → text as typed."""
        query = (
            select(order_drafts.c.field, order_drafts.c.text)
            .where(order_drafts.c.order_id == order_id)
            .order_by(order_drafts.c.field)
        )
        async with self._database.reading() as connection:
            return {row.field: row.text for row in await connection.execute(query)}

    async def keep_unsaved(self, order_id: str, texts: Mapping[str, str | None], *, by: str) -> None:
        """Keep these texts, together; `None` deletes that field's. The last write wins."""
        now = time.time()
        kept = [
            {"order_id": order_id, "field": field, "text": text, "username": by, "at": now}
            for field, text in texts.items()
            if text is not None
        ]
        gone = [field for field, text in texts.items() if text is None]
        async with self._database.writing() as connection:
            if gone:
                await connection.execute(
                    delete(order_drafts).where(
                        order_drafts.c.order_id == order_id, order_drafts.c.field.in_(gone)
                    )
                )
            if kept:
                statement = upsert(
                    self._database, order_drafts, ["order_id", "field"], ["text", "username", "at"]
                )
                await connection.execute(statement, kept)
