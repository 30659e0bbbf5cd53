"""Commands by id, and the audit log: implements `CommandStore` of `gateway.call_control.service`."""

import time

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from domain.audit import AuditEntry, Claim
from domain.commands import Answered
from gateway.storage.database import Database
from gateway.storage.tables import audit, commands


class CommandRepository:
    """Claims ids, keeps answers, writes and reads the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, command_id: str, username: str, digest: str) -> Claim | None:
        """Claim the id: return `None`, or who claimed it first, with the answer if there is one already."""
        row = {"id": command_id, "at": time.time(), "username": username, "digest": digest}
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(commands), [row])
        except IntegrityError:
            async with self._database.reading() as connection:
                found = (await connection.execute(select(commands).where(commands.c.id == command_id))).one()
            answer = None if found.answer is None else msgspec.json.decode(found.answer, type=Answered)
            return Claim(found.username, found.digest, answer)
        return None

    async def forget(self, before: float, at_once: int = 2000) -> int:
        """Delete commands requested before then, `at_once` per transaction; return how many."""
        old = select(commands.c.id).where(commands.c.at < before).limit(at_once)
        forgotten = 0
        while True:
            async with self._database.writing() as connection:
                result = await connection.execute(delete(commands).where(commands.c.id.in_(old)))
            forgotten += result.rowcount
            if result.rowcount < at_once:
                return forgotten

    async def finish(self, answer: Answered, entry: AuditEntry) -> None:
        """Store the answer and append to the audit log, in one transaction."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(commands)
                .where(commands.c.id == answer.id)
                .values(answer=msgspec.json.encode(answer).decode())
            )
            await connection.execute(insert(audit), [_row(entry)])

    async def note(self, entry: AuditEntry) -> None:
        """Append to the audit log only."""
        async with self._database.writing() as connection:
            await connection.execute(insert(audit), [_row(entry)])

    async def list_audit(
        self,
        *,
        username: str | None = None,
        since: float | None = None,
        until: float | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """Return entries, newest first; where given, `seq < before`, `since <= at < until`, `username`."""
        query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if username is not None:
            query = query.where(audit.c.username == username)
        if since is not None:
            query = query.where(audit.c.at >= since)
        if until is not None:
            query = query.where(audit.c.at < until)
        if before is not None:
            query = query.where(audit.c.seq < before)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [AuditEntry(**row) for row in rows]


def _row(entry: AuditEntry) -> dict[str, object]:
    row = msgspec.structs.asdict(entry)
    row.pop("seq")
    return row
