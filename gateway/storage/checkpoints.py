"""State folded from the journal, stored: implements `agents.figures.checkpoints.CheckpointStore`."""

from sqlalchemy import delete, select

from agents.figures.checkpoints import Checkpoint
from gateway.storage.database import Database
from gateway.storage.tables import checkpoints

UNUSED_S = 7 * 86_400.0


class CheckpointRepository:
    """One checkpoint for each name and what it is made of: the one furthest on in the journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, name: str, made_of: str) -> Checkpoint | None:
        """The newest one that was made of the same."""
        c = checkpoints.c
        query = select(c.seq, c.at, c.data).where(c.name == name, c.made_of == made_of)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Checkpoint(row.seq, row.at, row.data)

    async def save(self, name: str, made_of: str, checkpoint: Checkpoint) -> None:
        """Store it, unless there is a newer one; others that nobody has stored for a week are dropped."""
        c = checkpoints.c
        values = {"seq": checkpoint.seq, "at": checkpoint.at, "data": checkpoint.data}
        statement = self._database.insert(checkpoints).values(name=name, made_of=made_of, **values)
        statement = statement.on_conflict_do_update(
            index_elements=[c.name, c.made_of], set_=values, where=c.seq < checkpoint.seq
        )
        unused = (c.name == name) & (c.made_of != made_of) & (c.at < checkpoint.at - UNUSED_S)
        async with self._database.writing() as connection:
            await connection.execute(statement)
            await connection.execute(delete(checkpoints).where(unused))
