"""Makes the journal small: packs what is old, a dozen calls at a time, and prunes packs that are very old."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from msgspec import Struct, field
from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, select

from gateway.storage.database import Database
from gateway.storage.pack_document import PackedFact
from gateway.storage.packs import FORM, PackError, document, documents, facts, pack
from gateway.storage.tables import journal, journal_pack_calls, journal_packs

log = structlog.get_logger(__name__)

QUIET_S = 900.0
"""A call of which nothing was heard for so long is packed."""
STALE_S = 2 * 3600.0
"""What has waited for so long is packed though its call goes on."""
MOST_FACTS = 1000
"""Of one call, or about no call, in one pack."""
FACTS_A_PACK = 2000
"""Of calls: so many make a pack, unless they have waited for a day."""
FEWEST_FACTS = 200
"""The same of facts about no call."""
DAY_S = 86_400.0
PAGE = 2000
PRUNE_AT_ONCE = 20
NO_TIME = 946_684_800.0
"""Before 2000: the clock of a PBX that never knew the time."""
EVER = -1e18
_Rows = Sequence[Row[tuple[int, int | None, float, str]]]


class _Batch(Struct):
    """Calls that go into one pack."""

    calls: list[str | None] = field(default_factory=list)
    facts: int = 0
    first_at: float = float("inf")
    last_at: float = float("-inf")

    def add(self, call_id: str, ats: Sequence[float]) -> None:
        self.calls.append(call_id)
        self.facts += len(ats)
        self.first_at, self.last_at = min(self.first_at, *ats), max(self.last_at, *ats)

    def takes(self, ats: Sequence[float]) -> bool:
        """Whether a call with facts of those times belongs to it: a pack is pruned when all of it is old."""
        return max(self.last_at, *ats) - min(self.first_at, *ats) < DAY_S or not self.calls


class JournalPacker:
    """Several may work on one database: whoever comes second finds nothing to do."""

    def __init__(self, database: Database, pause_share: float = 4.0) -> None:
        """`pause_share`: rests so many times as long as it works."""
        self._database = database
        self._pause_share = pause_share
        self.packed = 0
        """Facts since the start."""

    async def pack_old(self, now: float | None = None) -> int:
        """Pack all that is old enough; how many facts."""
        now = time.time() if now is None else now
        before = self.packed
        await self._pack_calls(now)
        while await self._pack_others(now):
            pass
        return self.packed - before

    async def prune(self, before: float) -> int:
        """Delete the packs of calls all of whose facts are older than that (POSIX seconds); how many facts.

        What is about no call stays: entries of queues and agents' states are what figures are counted from.
        """
        pruned = 0
        while True:
            async with self._database.writing() as connection:
                rows = (await connection.execute(to_prune(before))).all()
                if rows:
                    seqs = [row.first_seq for row in rows]
                    for row in rows:
                        own = journal_pack_calls.c.call_id.in_(msgspec.json.decode(row.calls))
                        gone = delete(journal_pack_calls).where(own)
                        await connection.execute(gone.where(journal_pack_calls.c.first_seq == row.first_seq))
                    which = journal_packs.c.first_seq.in_(seqs)
                    await connection.execute(delete(journal_packs).where(which))
            if not rows:
                return pruned
            pruned += sum(row.facts for row in rows)
            await asyncio.sleep(0.05)

    # -- facts of calls ----------------------------------------------------------------------------------
    async def _pack_calls(self, now: float) -> None:
        """Walk over what is old, oldest first."""
        at, seq, batch = EVER, -1, _Batch()
        while True:
            async with self._database.reading() as connection:
                rows = (await connection.execute(old_page(now - QUIET_S, at, seq))).all()
            if not rows:
                break
            at, seq = rows[-1].at, rows[-1].seq
            for call_id in dict.fromkeys(row.call_id for row in rows):
                if call_id is None or call_id in batch.calls:
                    continue
                ats = await self._old_of_call(call_id, now)
                if not ats:
                    continue
                if min(ats) < NO_TIME or max(ats) > now:
                    # Its age is not known: nobody else's pack is to be kept longer for it.
                    await self._replace([call_id], now)
                    continue
                if not batch.takes(ats):
                    await self._replace(batch.calls, now)
                    batch = _Batch()
                batch.add(call_id, ats)
                if batch.facts >= FACTS_A_PACK:
                    await self._replace(batch.calls, now)
                    batch = _Batch()
        if batch.calls and batch.first_at < now - DAY_S:
            await self._replace(batch.calls, now)

    async def _old_of_call(self, call_id: str, now: float) -> list[float]:
        """The times of its facts that are to be packed; none while it goes on."""
        async with self._database.reading() as connection:
            ats = list(await connection.scalars(to_pack(journal.c.call_id == call_id, only=journal.c.at)))
        quiet = ats and max(ats) < now - QUIET_S
        stale = ats and min(ats) < now - STALE_S
        return ats if quiet or stale else []

    # -- facts about no call -----------------------------------------------------------------------------
    async def _pack_others(self, now: float) -> bool:
        which = (journal.c.call_id.is_(None), journal.c.at < now - QUIET_S)
        async with self._database.reading() as connection:
            ats = list(await connection.scalars(to_pack(*which, only=journal.c.at)))
        if not ats or (len(ats) < FEWEST_FACTS and min(ats) > now - DAY_S):
            return False
        await self._replace([None], now)
        return True

    # -- rows to packs -----------------------------------------------------------------------------------
    async def _replace(self, calls: Sequence[str | None], now: float) -> None:
        """Put a pack in the place of the calls' rows: in one transaction, or not at all."""
        began = time.monotonic()
        packing = _Packing(now)
        for call_id in calls:
            # One after the other: unpacked, a call takes a megabyte.
            rows = await self._rows_of(call_id, now)
            if rows:
                await asyncio.to_thread(packing.add, call_id, rows)
        if packing.seqs and await self._exchange(packing.seqs, await asyncio.to_thread(packing.row)):
            self.packed += len(packing.seqs)
        await asyncio.sleep((time.monotonic() - began) * self._pause_share)

    async def _rows_of(self, call_id: str | None, now: float) -> _Rows:
        which = [journal.c.call_id == call_id]
        if call_id is None:
            which = [journal.c.call_id.is_(None), journal.c.at < now - QUIET_S]
        async with self._database.reading() as connection:
            return sorted((await connection.execute(to_pack(*which))).all(), key=lambda row: row.seq)

    async def _exchange(self, seqs: Sequence[int], made: dict[str, Any] | None) -> bool:
        if made is None:
            return False
        calls = msgspec.json.decode(made["calls"] or "[]")
        try:
            async with self._database.writing() as connection:
                for start in range(0, len(seqs), PAGE):
                    gone = delete(journal).where(journal.c.seq.in_(seqs[start : start + PAGE]))
                    done = await connection.execute(gone)
                    if done.rowcount != len(seqs[start : start + PAGE]):
                        raise _TakenError
                await connection.execute(insert(journal_packs), [made])
                if calls:
                    where = [{"call_id": one, "first_seq": made["first_seq"]} for one in calls]
                    await connection.execute(insert(journal_pack_calls), where)
        except _TakenError:
            return False
        return True


def old_page(before: float, at: float, seq: int) -> Select[Any]:
    """Which calls have facts older than that: the next page in the order of (at, seq)."""
    c = journal.c
    behind = (c.at >= at) & ((c.at > at) | (c.seq > seq))
    return select(c.at, c.seq, c.call_id).where(c.at < before, behind).order_by(c.at, c.seq).limit(PAGE)


def to_pack(*which: ColumnElement[bool], only: ColumnElement[Any] | None = None) -> Select[Any]:
    """The oldest of the rows. Never the newest of the journal: SQLite would give its place again."""
    c = journal.c
    newest = select(func.max(c.seq)).scalar_subquery()
    rows = select(*([c.seq, c.id, c.at, c.data] if only is None else [only]))
    return rows.where(*which, c.seq < newest).order_by(c.at, c.seq).limit(MOST_FACTS)


def to_prune(before: float) -> Select[Any]:
    """Some packs of calls that are older than that."""
    c = journal_packs.c
    # A time that is none tells no age: such facts are kept as long as others since they were packed.
    old = (c.last_at < before) & ((c.last_at > NO_TIME) | (c.packed_at < before))
    return select(c.first_seq, c.calls, c.facts).where(c.calls.is_not(None), old).limit(PRUNE_AT_ONCE)


class _TakenError(Exception):
    """Somebody else has packed the rows."""


class _Packing:
    """A pack that is being made."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._documents: list[bytes] = []
        self._ats: list[float] = []
        self.calls: list[str | None] = []
        self.seqs: list[int] = []

    def add(self, call_id: str | None, rows: _Rows) -> None:
        """Take the rows of one more call."""
        self._documents.append(_document(call_id, rows))
        self.calls.append(call_id)
        self.seqs += [row.seq for row in rows]
        self._ats += [row.at for row in rows]

    def row(self) -> dict[str, Any] | None:
        """The pack's own row; none where it could not be read again: what it was made of stays."""
        data = pack(self._documents)
        if documents(data) != self._documents:
            log.error("journal_pack_unfit", first_seq=min(self.seqs), calls=len(self.calls))
            return None
        return {
            "first_seq": min(self.seqs),
            "last_seq": max(self.seqs),
            "first_at": min(self._ats),
            "last_at": max(self._ats),
            "calls": None if self.calls == [None] else msgspec.json.encode(self.calls).decode(),
            "facts": len(self.seqs),
            "packed_at": self._now,
            "form": FORM,
            "data": data,
        }


def _document(call_id: str | None, rows: _Rows) -> bytes:
    """The rows as a document that was read again, and is the same."""
    own = [PackedFact(row.seq, row.id, _parsed(row.data)) for row in rows]
    try:
        made = document(own)
        if facts(made) == own:
            return made
        why = "differs"
    except (PackError, ValueError, TypeError, LookupError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
    # Never yet seen. Nothing is lost for it: the texts are kept as they are.
    log.error("journal_pack_differs", first_seq=rows[0].seq, call=call_id, error=why)
    return document([PackedFact(row.seq, row.id, row.data) for row in rows])


def _parsed(data: str) -> object:
    try:
        fact = msgspec.json.decode(data)
    except msgspec.MsgspecError:
        return data
    return fact if isinstance(fact, dict) else data
