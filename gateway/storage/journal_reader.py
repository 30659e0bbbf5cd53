"""The one door for reading the journal: recent facts, row by row, and those of the past, out of their packs.

Facts come in the order in which they were written (`seq`). Their times (`at`) need not: clocks are set back.
"""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import ColumnElement, Select, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import ABOUT_NO_CALL, AnyFact, call_id_of
from gateway.storage.database import Database
from gateway.storage.packs import PackedFact, PackError, unpack
from gateway.storage.tables import journal, journal_packs

log = structlog.get_logger(__name__)

AT_ONCE = 200
"""Rows or packs that are fetched together."""
_decode = msgspec.json.Decoder(AnyFact).decode


class Placed(Struct, frozen=True):
    """A fact and its place in the journal."""

    seq: int
    fact: AnyFact


class _Wanted(Struct, frozen=True):
    """What is read: conditions on rows and on packs; `since`, `after` and `kinds` also on facts of packs."""

    rows: list[ColumnElement[bool]]
    packs: list[ColumnElement[bool]]
    since: float | None = None
    after: int | None = None
    upto: int | None = None
    kinds: Collection[str] = ()

    def holds(self, packed: PackedFact, fact: AnyFact) -> bool:
        return (
            (self.since is None or fact.at >= self.since)
            and (self.after is None or packed.seq > self.after)
            and (self.upto is None or packed.seq <= self.upto)
            and (not self.kinds or type(fact).__name__ in self.kinds)
        )


class JournalReader:
    """Reads facts. Each reading sees one state of the database, whatever is packed or pruned meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_call(self, call_id: str) -> list[AnyFact]:
        """The facts of one call."""
        wanted = of_call(call_id)
        return [placed.fact async for placed in self._read(wanted)]

    async def since(
        self, at: float, kinds: Collection[str] = (), *, call: str = "", upto: int | None = None
    ) -> AsyncGenerator[AnyFact, None]:
        """The facts from then on (POSIX seconds): of those kinds, of calls whose id contains `call`.

        `upto`: up to and including that place.
        """
        async with aclosing(self._read(since(at, kinds, call, upto))) as facts:
            async for placed in facts:
                yield placed.fact

    async def after(
        self, seq: int, upto: int | None, kinds: Collection[str]
    ) -> AsyncGenerator[AnyFact, None]:
        """The facts of those kinds behind that place, up to and including `upto`."""
        async with aclosing(self._read(after(seq, upto, kinds))) as facts:
            async for placed in facts:
                yield placed.fact

    async def mark(self) -> tuple[int, int]:
        """The newest place (0: there is none), and what `is_settled` needs to know of it."""
        async with self._database.reading() as connection:
            # The newest row is never packed.
            horizon = literal(0) if self._database.sqlite else _NEXT_TRANSACTION
            newest = select(NEWEST.scalar_subquery(), horizon)
            seq, transaction = (await connection.execute(newest)).one()
        return seq or 0, int(transaction)

    async def is_settled(self, mark: tuple[int, int]) -> bool:
        """Whether no fact can appear any more at or before a mark.

        SQLite gives places in the order of commits. PostgreSQL gives them before: those of a transaction that
        was under way at the mark are filled later, or never.
        """
        if self._database.sqlite:
            return True
        async with self._database.reading() as connection:
            oldest = await connection.scalar(select(_OLDEST_TRANSACTION))
        return int(oldest or 0) >= mark[1]

    async def committed(self, facts: Sequence[tuple[int, AnyFact]]) -> set[int]:
        """Which of the facts, given with their ids, the journal or a pack holds."""
        found: set[int] = set()
        ids = [identity for identity, _ in facts]
        async with self._database.reading() as connection:
            # Rows first: what is packed in between is found in its pack.
            for start in range(0, len(ids), 500):
                some = journal.c.id.in_(ids[start : start + 500])
                found.update(await connection.scalars(select(journal.c.id).where(some)))
            for call_id in {call_id_of(fact) for identity, fact in facts if identity not in found}:
                ages = [fact.at for identity, fact in facts if call_id_of(fact) == call_id]
                query = select(journal_packs.c.form, journal_packs.c.data).where(
                    journal_packs.c.call_id == call_id,
                    journal_packs.c.last_at >= min(ages),
                    journal_packs.c.first_at <= max(ages),
                )
                for form, data in (await connection.execute(query)).all():
                    found.update(one.id for one in await _unpacked(data, form) if one.id is not None)
        return found.intersection(ids)

    async def _read(self, wanted: _Wanted) -> AsyncGenerator[Placed, None]:
        """Merge rows and packs by place. Packs overlap: each waits until its first fact is due."""
        async with self._database.reading(snapshot=True) as connection:
            rows = _fetched(connection, row_keys(wanted), select(journal.c.seq, journal.c.data))
            packs = _fetched(connection, pack_keys(wanted), select(*_PACK))
            async with aclosing(rows), aclosing(packs):
                row, one = await anext(rows, None), await anext(packs, None)
                opened: list[tuple[int, AnyFact]] = []
                while row is not None or one is not None or opened:
                    first = min(_place(row), _place(one))
                    if opened and opened[0][0] < first:
                        yield Placed(*heapq.heappop(opened))
                    elif one is not None and one[0] == first:
                        await _open(one, wanted, opened)
                        one = await anext(packs, None)
                    elif row is not None:
                        yield Placed(row[0], _decode(row[1]))
                        row = await anext(rows, None)


NEWEST = select(func.max(journal.c.seq))
_SNAPSHOT = func.txid_current_snapshot()
_NEXT_TRANSACTION, _OLDEST_TRANSACTION = (
    func.txid_snapshot_xmax(_SNAPSHOT),
    func.txid_snapshot_xmin(_SNAPSHOT),
)


def of_call(call_id: str) -> _Wanted:
    """Everything about that call."""
    return _Wanted([journal.c.call_id == call_id], [journal_packs.c.call_id == call_id])


def since(at: float, kinds: Collection[str] = (), call: str = "", upto: int | None = None) -> _Wanted:
    """Everything from then on."""
    rows: list[ColumnElement[bool]] = [journal.c.at >= at]
    packs: list[ColumnElement[bool]] = [journal_packs.c.last_at >= at]
    if upto is not None:
        rows.append(journal.c.seq <= upto)
        packs.append(journal_packs.c.first_seq <= upto)
    if call:
        rows.append(journal.c.call_id.contains(call, autoescape=True))
        packs.append(journal_packs.c.call_id.contains(call, autoescape=True))
    return _of_kinds(_Wanted(rows, packs, since=at, upto=upto, kinds=kinds))


def after(seq: int, upto: int | None, kinds: Collection[str]) -> _Wanted:
    """Everything behind that place."""
    rows = [journal.c.seq > seq]
    packs = [journal_packs.c.last_seq > seq]
    if upto is not None:
        rows.append(journal.c.seq <= upto)
        packs.append(journal_packs.c.first_seq <= upto)
    return _of_kinds(_Wanted(rows, packs, after=seq, upto=upto, kinds=kinds))


def _of_kinds(wanted: _Wanted) -> _Wanted:
    if wanted.kinds:
        wanted.rows.append(journal.c.kind.in_(wanted.kinds))
    if wanted.kinds and ABOUT_NO_CALL.issuperset(wanted.kinds):
        wanted.rows.append(journal.c.call_id.is_(None))
        wanted.packs.append(journal_packs.c.call_id.is_(None))
    return wanted


_PACK = (journal_packs.c.first_seq, journal_packs.c.form, journal_packs.c.data)


def row_keys(wanted: _Wanted) -> Select[Any]:
    """The places of the rows."""
    # Ordered by more than the key: else a database may walk the whole journal by key to spare itself sorting.
    order = journal.c.seq if wanted.after is not None else journal.c.seq + 0
    return select(journal.c.seq).where(*wanted.rows).order_by(order)


def pack_keys(wanted: _Wanted) -> Select[Any]:
    """The places of the packs."""
    return select(journal_packs.c.first_seq).where(*wanted.packs).order_by(journal_packs.c.first_seq + 0)


async def _fetched(
    connection: AsyncConnection, keys: Select[Any], query: Select[Any]
) -> AsyncGenerator[tuple[Any, ...], None]:
    """What the query yields for the keys, in their order. Keys alone are sorted by the database."""
    key = query.selected_columns[0]
    found = await connection.stream(keys.execution_options(yield_per=AT_ONCE))
    async for some in found.scalars().partitions(AT_ONCE):
        rows = await connection.execute(query.where(key.in_(some)))
        for row in sorted(rows.all(), key=lambda row: row[0]):
            yield tuple(row)


def _place(row: tuple[Any, ...] | None) -> float:
    return float("inf") if row is None else row[0]


async def _open(one: tuple[Any, ...], wanted: _Wanted, opened: list[tuple[int, AnyFact]]) -> None:
    """Add the pack's facts that are wanted to those that wait."""
    first_seq, form, data = one
    try:
        facts = await _unpacked(data, form)
    except PackError as error:
        # The rest can be read: nobody is to stand still for it.
        log.error("journal_pack_unreadable", first_seq=first_seq, error=str(error))
        return
    for packed in facts:
        fact = packed_fact(packed)
        if wanted.holds(packed, fact):
            heapq.heappush(opened, (packed.seq, fact))


async def _unpacked(data: bytes, form: int) -> list[PackedFact]:
    return await asyncio.to_thread(unpack, data, form)


def packed_fact(packed: PackedFact) -> AnyFact:
    """The fact itself."""
    if isinstance(packed.fact, str):
        fact: AnyFact = _decode(packed.fact)
    else:
        fact = msgspec.convert(packed.fact, type=AnyFact)
    return fact
