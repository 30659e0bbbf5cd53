"""Makes the journal small: packs what is old, in small transactions, and prunes calls that are very old."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, select

from gateway.storage.database import Database
from gateway.storage.packs import FORM, PackedFact, pack, unpack
from gateway.storage.tables import journal, journal_packs

log = structlog.get_logger(__name__)

QUIET_S = 900.0
"""A call of which nothing was heard for so long is packed."""
STALE_S = 2 * 3600.0
"""What has waited for so long is packed though its call goes on."""
MOST_FACTS = 1000
"""In one pack."""
FEWEST_FACTS = 200
"""About no call: so many make a pack, unless they have waited for a day."""
DAY_S = 86_400.0
CALLS_AT_ONCE = 10
PAGE = 2000
PRUNE_AT_ONCE = 200
NO_TIME = 946_684_800.0
"""Before 2000: the clock of a PBX that never knew the time."""
EVER = -1e18
_Rows = Sequence[Row[tuple[int, int | None, float, str]]]


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
                    which = journal_packs.c.first_seq.in_([row.first_seq for row in rows])
                    await connection.execute(delete(journal_packs).where(which))
            if not rows:
                return pruned
            pruned += sum(row.facts for row in rows)
            await asyncio.sleep(0.05)

    # -- facts of calls ----------------------------------------------------------------------------------
    async def _pack_calls(self, now: float) -> None:
        """Walk over what is old, oldest first."""
        at, seq = EVER, -1
        while True:
            async with self._database.reading() as connection:
                rows = (await connection.execute(old_page(now - QUIET_S, at, seq))).all()
            if not rows:
                return
            at, seq = rows[-1].at, rows[-1].seq
            calls = list(dict.fromkeys(row.call_id for row in rows if row.call_id is not None))
            for start in range(0, len(calls), CALLS_AT_ONCE):
                began = time.monotonic()
                groups = [
                    await self._of_call(call_id, now) for call_id in calls[start : start + CALLS_AT_ONCE]
                ]
                await self._replace([group for group in groups if group[1]], now)
                await asyncio.sleep((time.monotonic() - began) * self._pause_share)

    async def _of_call(self, call_id: str, now: float) -> tuple[str, _Rows]:
        rows = await self._rows(journal.c.call_id == call_id)
        quiet = rows and max(row.at for row in rows) < now - QUIET_S
        stale = rows and min(row.at for row in rows) < now - STALE_S
        return call_id, rows if quiet or stale else []

    # -- facts about no call -----------------------------------------------------------------------------
    async def _pack_others(self, now: float) -> bool:
        began = time.monotonic()
        old = (journal.c.call_id.is_(None), journal.c.at < now - QUIET_S)
        rows = await self._rows(*old)
        if not rows or (len(rows) < FEWEST_FACTS and min(row.at for row in rows) > now - DAY_S):
            return False
        await self._replace([(None, rows)], now)
        await asyncio.sleep((time.monotonic() - began) * self._pause_share)
        return True

    async def _rows(self, *which: ColumnElement[bool]) -> _Rows:
        async with self._database.reading() as connection:
            return sorted((await connection.execute(to_pack(*which))).all(), key=lambda row: row.seq)

    # -- rows to packs -----------------------------------------------------------------------------------
    async def _replace(self, groups: Sequence[tuple[str | None, _Rows]], now: float) -> None:
        """Put packs in the place of the rows: in one transaction, or not at all."""
        if not groups:
            return
        packs = await asyncio.to_thread(lambda: [_pack_row(call_id, rows, now) for call_id, rows in groups])
        seqs = [row.seq for _, rows in groups for row in rows]
        try:
            async with self._database.writing() as connection:
                for start in range(0, len(seqs), PAGE):
                    gone = delete(journal).where(journal.c.seq.in_(seqs[start : start + PAGE]))
                    done = await connection.execute(gone)
                    if done.rowcount != len(seqs[start : start + PAGE]):
                        raise _TakenError
                await connection.execute(insert(journal_packs), packs)
        except _TakenError:
            return
        self.packed += len(seqs)


def old_page(before: float, at: float, seq: int) -> Select[Any]:
    """Which calls have facts older than that: the next page in the order of (at, seq)."""
    c = journal.c
    behind = (c.at >= at) & ((c.at > at) | (c.seq > seq))
    return select(c.at, c.seq, c.call_id).where(c.at < before, behind).order_by(c.at, c.seq).limit(PAGE)


def to_pack(*which: ColumnElement[bool]) -> Select[Any]:
    """The oldest of the rows. Never the newest of the journal: SQLite would give its place again."""
    c = journal.c
    newest = select(func.max(c.seq)).scalar_subquery()
    rows = select(c.seq, c.id, c.at, c.data).where(*which, c.seq < newest)
    return rows.order_by(c.at, c.seq).limit(MOST_FACTS)


def to_prune(before: float) -> Select[Any]:
    """Some packs of calls that are older than that."""
    c = journal_packs.c
    # A time that is none tells no age: such facts are kept as long as others since they were packed.
    old = (c.last_at < before) & ((c.last_at > NO_TIME) | (c.packed_at < before))
    return select(c.first_seq, c.facts).where(c.call_id.is_not(None), old).limit(PRUNE_AT_ONCE)


class _TakenError(Exception):
    """Somebody else has packed the rows."""


def _pack_row(call_id: str | None, rows: _Rows, now: float) -> dict[str, object]:
    facts = [PackedFact(row.seq, row.id, _parsed(row.data)) for row in rows]
    data = pack(facts)
    if unpack(data) != facts:
        # Never yet seen. Nothing is lost for it: the texts are kept as they are.
        log.error("journal_pack_differs", first_seq=rows[0].seq, call=call_id)
        data = pack([PackedFact(row.seq, row.id, row.data) for row in rows])
    return {
        "first_seq": rows[0].seq,
        "last_seq": rows[-1].seq,
        "first_at": min(row.at for row in rows),
        "last_at": max(row.at for row in rows),
        "call_id": call_id,
        "facts": len(rows),
        "packed_at": now,
        "form": FORM,
        "data": data,
    }


def _parsed(data: str) -> object:
    try:
        fact = msgspec.json.decode(data)
    except msgspec.MsgspecError:
        return data
    return fact if isinstance(fact, dict) else data
