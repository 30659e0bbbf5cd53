"""Calls, their utterances and recordings, and the processing left to do after hang-up."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, func, select, update

from asr.spans import merged
from domain.calls import Call, Side
from domain.facts import AnyFact
from domain.recordings import Span, StoredRecording
from domain.transcripts import Utterance
from domain.unfinished import UnfinishedCall
from gateway.storage.database import Database
from gateway.storage.journal_reader import JournalReader
from gateway.storage.rows import upsert
from gateway.storage.tables import calls, heard, recordings, utterances

SHOWN = ("id", "pbx", "line", "agent", "started_at", "finish", "finish_error")
"""What is shown of a call that lacks something."""


class CallRepository:
    """Reads calls; writes only what the journal does not (spans heard, recordings, post-call state)."""

    def __init__(self, database: Database, holder: str = "") -> None:
        """`holder`: who claims the work after calls."""
        self._database = database
        self._holder = holder
        self.now: ColumnElement[float] = database.now
        """The clock of claims, POSIX seconds: the database's."""
        self._journal = JournalReader(database)

    async def get_call(self, call_id: str) -> Call | None:
        """Return the call with that id."""
        rows = await self._database.rows(select(calls.c.data).where(calls.c.id == call_id))
        return next((msgspec.json.decode(row.data, type=Call) for row in rows), None)

    async def list_calls(
        self, *, agent: str | None = None, before: float | None = None, limit: int = 50
    ) -> Sequence[Call]:
        """Return calls, newest first by `started_at`, optionally only those before `before` or of `agent`."""
        query = select(calls.c.data).order_by(calls.c.started_at.desc(), calls.c.id).limit(limit)
        if agent is not None:
            query = query.where(calls.c.agent == agent)
        if before is not None:
            query = query.where(calls.c.started_at < before)
        async with self._database.reading() as connection:
            return [msgspec.json.decode(data, type=Call) for data in await connection.scalars(query)]

    async def open_calls(self, pbx: str) -> list[Call]:
        """Return the calls of that PBX which have not ended as far as the database knows."""
        query = select(calls.c.data).where(calls.c.pbx == pbx, calls.c.ended_at.is_(None))
        async with self._database.reading() as connection:
            return [msgspec.json.decode(data, type=Call) for data in await connection.scalars(query)]

    async def calls_since(self, pbx: str, at: float) -> list[Call]:
        """Return the calls of that PBX that began since then (POSIX seconds)."""
        query = select(calls.c.data).where(calls.c.started_at >= at, calls.c.pbx == pbx)
        async with self._database.reading() as connection:
            return [msgspec.json.decode(data, type=Call) for data in await connection.scalars(query)]

    async def last_end(self, pbx: str) -> float | None:
        """Return when the latest call of that PBX ended; `None`: none ever did."""
        query = select(func.max(calls.c.ended_at)).where(calls.c.pbx == pbx)
        async with self._database.reading() as connection:
            at: float | None = await connection.scalar(query)
        return at

    async def list_utterances(self, call_id: str) -> Sequence[Utterance]:
        """Return the final utterances in order of their start."""
        query = (
            select(utterances.c.data)
            .where(utterances.c.call_id == call_id)
            .order_by(utterances.c.start, utterances.c.side)
        )
        return [msgspec.json.decode(row.data, type=Utterance) for row in await self._database.rows(query)]

    async def facts_of(self, call_id: str) -> list[AnyFact]:
        """Return the facts of one call, oldest first."""
        return await self._journal.of_call(call_id)

    # -- what was heard live ---------------------------------------------------------------------
    async def add_heard(self, call_id: str, side: Side, spans: Sequence[Span]) -> None:
        """Add spans of call time that have been transcribed for one side, or in which nothing was said."""
        mine = (heard.c.call_id == call_id) & (heard.c.side == side.value)
        row = {"call_id": call_id, "side": side.value, "spans": "[]"}
        async with self._database.writing() as connection:
            # Two legs of one side may add at the same moment: the row exists, then it is locked.
            await connection.execute(self._database.insert(heard).on_conflict_do_nothing(), [row])
            before = await connection.scalar(select(heard.c.spans).where(mine).with_for_update())
            known = msgspec.json.decode(before or "[]", type=list[Span])
            after = msgspec.json.encode(merged([*known, *spans])).decode()
            await connection.execute(update(heard).where(mine).values(spans=after))

    async def get_heard(self, call_id: str, side: Side) -> list[Span]:
        """The spans of call time already transcribed: those added, and each stored utterance's own.

        An utterance is thereby its own proof that its stretch was heard, in the very transaction that stores
        it: no crash can part the two.
        """
        query = select(heard.c.spans).where(heard.c.call_id == call_id, heard.c.side == side.value)
        said = select(utterances.c.data).where(
            utterances.c.call_id == call_id, utterances.c.side == side.value
        )
        async with self._database.reading() as connection:
            spans = msgspec.json.decode(await connection.scalar(query) or "[]", type=list[Span])
            for data in await connection.scalars(said):
                one = msgspec.json.decode(data, type=Utterance)
                spans.append((one.start, one.end))
        return merged(spans)

    # -- post-call processing --------------------------------------------------------------------------------
    async def unfinished(self) -> list[Call]:
        """Return ended calls still waiting for their recording, transcript and order, oldest first.

        Those that another process has claimed are not among them.
        """
        query = (
            select(calls.c.data)
            .where(calls.c.finish == "pending", self._claimable())
            .order_by(calls.c.ended_at)
        )
        async with self._database.reading() as connection:
            return [msgspec.json.decode(data, type=Call) for data in await connection.scalars(query)]

    async def claim_finish(self, call_id: str, lease_s: float) -> bool:
        """Claim the work after the call for that long, or longer; `False`: it is another's, or done."""
        async with self._database.writing() as connection:
            done = await connection.execute(
                update(calls)
                .where(calls.c.id == call_id, calls.c.finish == "pending", self._claimable())
                .values(claimed_by=self._holder, claimed_until=self.now + lease_s)
            )
            return done.rowcount == 1

    async def release_finish(self, holders: Sequence[str] | None = None) -> None:
        """End the claims of these holders, or all of them: who took them is gone."""
        taken = calls.c.claimed_until > 0
        if holders is not None:
            taken &= calls.c.claimed_by.in_(holders)
        async with self._database.writing() as connection:
            await connection.execute(
                update(calls).where(calls.c.finish == "pending", taken).values(claimed_until=0.0)
            )

    def _claimable(self) -> ColumnElement[bool]:
        return (calls.c.claimed_until <= self.now) | (calls.c.claimed_by == self._holder)

    async def set_finished(self, call_id: str, problem: str | None = None) -> None:
        """Nothing is left to do; `problem` says what could not be had."""
        await self._set_finish(call_id, "done", problem)

    async def set_trouble(self, call_id: str, trouble: str) -> None:
        """Note why the work failed; it stays open."""
        await self._set_finish(call_id, "pending", trouble)

    async def retry_finish(self, call_id: str | None = None) -> list[str]:
        """Open the work on the calls that lack something, or on one of them; return their ids."""
        which = (calls.c.finish == "failed") | (
            (calls.c.finish == "done") & calls.c.finish_error.is_not(None)
        )
        if call_id is not None:
            which &= calls.c.id == call_id
        async with self._database.writing() as connection:
            done = await connection.execute(
                update(calls).where(which).values(finish="pending").returning(calls.c.id)
            )
            return list(done.scalars())

    async def lacking(self, limit: int) -> list[UnfinishedCall]:
        """Return the calls that lack something, newest first."""
        query = (
            select(*(calls.c[name] for name in SHOWN))
            .where(calls.c.finish_error.is_not(None))
            .order_by(calls.c.started_at.desc(), calls.c.id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            UnfinishedCall(
                id=row.id,
                pbx=row.pbx,
                line=row.line,
                agent=row.agent,
                started_at=row.started_at,
                waits=row.finish == "pending",
                trouble=row.finish_error or "",
            )
            for row in rows
        ]

    async def _set_finish(self, call_id: str, state: str, error: str | None) -> None:
        async with self._database.writing() as connection:
            await connection.execute(
                update(calls).where(calls.c.id == call_id).values(finish=state, finish_error=error)
            )

    async def finish_state(self, call_id: str) -> tuple[str, str | None]:
        """Return (`""`, `pending`, `done` or `failed`; what went wrong)."""
        query = select(calls.c.finish, calls.c.finish_error).where(calls.c.id == call_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return ("", None) if row is None else (row.finish, row.finish_error)

    # -- recordings --------------------------------------------------------------------------------
    async def add_recording(self, recording: StoredRecording) -> None:
        """Store a recording that was taken over; an existing one with the same id is replaced."""
        row = msgspec.structs.asdict(recording)
        statement = upsert(self._database, recordings, ["id"], [name for name in row if name != "id"])
        async with self._database.writing() as connection:
            await connection.execute(statement, [row])

    async def get_recording(self, recording_id: str) -> StoredRecording | None:
        """Return the recording with that id."""
        query = select(recordings).where(recordings.c.id == recording_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else StoredRecording(**row)

    async def recording_at(self, path: str) -> StoredRecording | None:
        """Return the recording whose file in the archive that is."""
        query = select(recordings).where(recordings.c.path == path)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else StoredRecording(**row)

    async def list_recordings(self, call_id: str) -> list[StoredRecording]:
        """Return the recordings of a call, by offset."""
        query = select(recordings).where(recordings.c.call_id == call_id).order_by(recordings.c.offset)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [StoredRecording(**row) for row in rows]
