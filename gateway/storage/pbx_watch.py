"""Until when each PBX was watched: what happened there since is to be recovered."""

from sqlalchemy import select

from gateway.storage.database import Database
from gateway.storage.rows import upsert
from gateway.storage.tables import pbx_watch


class PbxWatchRepository:
    """From when and until when, POSIX seconds, for each PBX."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def watched(self, pbx: str) -> tuple[float, float] | None:
        """(first, last); `None`: it has never been watched."""
        query = select(pbx_watch.c.watched_from, pbx_watch.c.watched_until).where(pbx_watch.c.pbx == pbx)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else (row.watched_from, row.watched_until)

    async def note(self, pbx: str, until: float, first: float | None = None) -> None:
        """It is watched until then, and whatever was missed before is recovered.

        `first`: from when on, where it is noted for the first time; default: only now.
        """
        statement = upsert(self._database, pbx_watch, ["pbx"], ["watched_until"])
        row = {"pbx": pbx, "watched_from": until if first is None else first, "watched_until": until}
        async with self._database.writing() as connection:
            await connection.execute(statement, [row])
