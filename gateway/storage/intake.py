"""Matters that are no calls, in SQL; and calls as orders see them, matters among them."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import select

from domain.calls import Call
from domain.intake import PREFIX, Matter, call_of, words_of
from domain.numbers import national, told
from domain.recordings import StoredRecording
from domain.transcripts import Utterance
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.tables import intakes


class IntakeRepository:
    """The table `intakes`: implements `workorders.intake.MatterStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, matter: Matter, digest: str) -> tuple[Literal["new", "known", "reused"], Matter]:
        """Keep the matter, once for each id; what is kept under it. `reused`: another one is."""
        row = {
            "id": matter.id,
            "digest": digest,
            "call_id": matter.call_id,
            "caller_number": (national(matter.number) or told(matter.number))[:64],
            "at": matter.at,
            "data": msgspec.json.encode(matter).decode(),
        }
        async with self._database.writing() as connection:
            put = self._database.insert(intakes).values(row).on_conflict_do_nothing()
            if (await connection.execute(put)).rowcount == 1:
                return "new", matter
            held = (await connection.execute(select(intakes).where(intakes.c.id == matter.id))).one()
        kept = msgspec.json.decode(held.data, type=Matter)
        return ("known" if held.digest == digest else "reused"), kept

    async def get_matter(self, matter_id: str) -> Matter | None:
        """Return the matter of that id."""
        rows = await self._database.rows(select(intakes.c.data).where(intakes.c.id == matter_id))
        return next((msgspec.json.decode(row.data, type=Matter) for row in rows), None)


class CallsAndMatters:
    """Calls by id, matters told as calls among them: implements `workorders.ports.CallReader`."""

    def __init__(self, calls: CallRepository, matters: IntakeRepository) -> None:
        self._calls = calls
        self._matters = matters

    async def get_call(self, call_id: str) -> Call | None:
        """Return the call, or the matter as one."""
        if not call_id.startswith(PREFIX):
            return await self._calls.get_call(call_id)
        matter = await self._matters.get_matter(call_id.removeprefix(PREFIX))
        return None if matter is None else call_of(matter)

    async def list_utterances(self, call_id: str) -> Sequence[Utterance]:
        """Return what was said, or written."""
        if not call_id.startswith(PREFIX):
            return await self._calls.list_utterances(call_id)
        matter = await self._matters.get_matter(call_id.removeprefix(PREFIX))
        return [] if matter is None else words_of(matter)

    async def list_recordings(self, call_id: str) -> Sequence[StoredRecording]:
        """Return its recordings; a matter has none."""
        return [] if call_id.startswith(PREFIX) else await self._calls.list_recordings(call_id)

    async def list_calls(
        self, *, agent: str | None = None, before: float | None = None, limit: int = 50
    ) -> Sequence[Call]:
        """Return calls, newest first: see `CallRepository.list_calls`."""
        return await self._calls.list_calls(agent=agent, before=before, limit=limit)
