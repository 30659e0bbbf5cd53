"""A journal with facts in it."""

from collections.abc import Iterable

from domain.facts import AnyFact
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter


async def stored(database: Database, facts: Iterable[AnyFact]) -> None:
    """Record the facts, as a gateway does."""
    async with JournalWriter(database) as writer:
        for fact in facts:
            writer.put(fact)
        await writer.flush()
