"""The one door for reading the journal: recent facts, row by row, and those of the past, out of their packs.

Facts come in the order in which they were written (`seq`). Their times (`at`) need not: clocks are set back.
"""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import ColumnElement, Select, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import ABOUT_NO_CALL, AnyFact, call_id_of
from gateway.storage.database import Database
from gateway.storage.pack_document import PackedFact
from gateway.storage.packs import PackError, documents, facts
from gateway.storage.patches import Json
from gateway.storage.tables import journal, journal_pack_calls, journal_packs

log = structlog.get_logger(__name__)

ROWS_AT_ONCE, PACKS_AT_ONCE = 200, 10
"""Are fetched together."""
_decode = msgspec.json.Decoder(AnyFact).decode


class Placed(Struct, frozen=True):
    """A fact and its place in the journal."""

    seq: int
    fact: AnyFact


class _Wanted(Struct, frozen=True):
    """What is read: conditions on rows and on packs; the others on what is in packs."""

    rows: list[ColumnElement[bool]]
    packs: list[ColumnElement[bool]]
    since: float | None = None
    after: int | None = None
    upto: int | None = None
    kinds: Collection[str] = ()
    call: str = ""
    """A part of the calls' ids."""
    only: str | None = None
    """The one call's id."""

    def holds_call(self, call_id: str) -> bool:
        return self.call in call_id and self.only in (None, call_id)

    def holds(self, packed: PackedFact) -> bool:
        at, kind = (packed.fact.get(name) for name in ("at", "kind"))
        return (
            (self.since is None or at is None or at >= self.since)
            and (self.after is None or packed.seq > self.after)
            and (self.upto is None or packed.seq <= self.upto)
            and (not self.kinds or kind in self.kinds)
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
                wanted = of_call(call_id) if call_id is not None else of_none()
                of_that_time = (
                    journal_packs.c.last_at >= min(ages),
                    journal_packs.c.first_at <= max(ages),
                )
                packs = await connection.execute(select(*_PACK).where(*wanted.packs, *of_that_time))
                for one in packs.all():
                    found.update(held.id for held in await _unpacked(one, wanted) if held.id is not None)
        return found.intersection(ids)

    async def _read(self, wanted: _Wanted) -> AsyncGenerator[Placed, None]:
        """Merge rows and packs by place. Packs overlap: each waits until its first fact is due."""
        async with self._database.reading(snapshot=True) as connection:
            rows = _fetched(connection, row_keys(wanted), select(journal.c.seq, journal.c.data), ROWS_AT_ONCE)
            packs = _fetched(connection, pack_keys(wanted), select(*_PACK), PACKS_AT_ONCE)
            async with aclosing(rows), aclosing(packs):
                row, one = await anext(rows, None), await anext(packs, None)
                opened: list[tuple[int, Json]] = []
                found: Placed | None = None
                while row is not None or one is not None or opened:
                    first = min(_place(row), _place(one))
                    if opened and opened[0][0] < first:
                        found = _placed(*heapq.heappop(opened))
                    elif one is not None and one[0] == first:
                        await _open(one, wanted, opened)
                        one, found = await anext(packs, None), None
                    elif row is not None:
                        found, row = _placed(*row), await anext(rows, None)
                    if found is not None:
                        yield found


NEWEST = select(func.max(journal.c.seq))
_SNAPSHOT = func.txid_current_snapshot()
_NEXT_TRANSACTION, _OLDEST_TRANSACTION = (
    func.txid_snapshot_xmax(_SNAPSHOT),
    func.txid_snapshot_xmin(_SNAPSHOT),
)


def of_call(call_id: str) -> _Wanted:
    """Everything about that call."""
    c = journal_pack_calls.c
    packs = select(c.first_seq).where(c.call_id == call_id)
    return _Wanted([journal.c.call_id == call_id], [journal_packs.c.first_seq.in_(packs)], only=call_id)


def of_none() -> _Wanted:
    """Everything about no call."""
    return _Wanted([journal.c.call_id.is_(None)], [journal_packs.c.calls.is_(None)])


def since(at: float, kinds: Collection[str] = (), call: str = "", upto: int | None = None) -> _Wanted:
    """Everything from then on."""
    rows: list[ColumnElement[bool]] = [journal.c.at >= at]
    packs: list[ColumnElement[bool]] = [journal_packs.c.last_at >= at]
    if upto is not None:
        rows.append(journal.c.seq <= upto)
        packs.append(journal_packs.c.first_seq <= upto)
    if call:
        rows.append(journal.c.call_id.contains(call, autoescape=True))
        in_json = msgspec.json.encode(call).decode()[1:-1]
        packs.append(journal_packs.c.calls.contains(in_json, autoescape=True))
    return _of_kinds(_Wanted(rows, packs, since=at, upto=upto, kinds=kinds, call=call))


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
        wanted.packs.append(journal_packs.c.calls.is_(None))
    return wanted


_PACK = (journal_packs.c.first_seq, journal_packs.c.form, journal_packs.c.calls, journal_packs.c.data)


def row_keys(wanted: _Wanted) -> Select[Any]:
    """The places of the rows."""
    # Ordered by more than the key: else a database may walk the whole journal by key to spare itself sorting.
    order = journal.c.seq if wanted.after is not None else journal.c.seq + 0
    return select(journal.c.seq).where(*wanted.rows).order_by(order)


def pack_keys(wanted: _Wanted) -> Select[Any]:
    """The places of the packs."""
    return select(journal_packs.c.first_seq).where(*wanted.packs).order_by(journal_packs.c.first_seq + 0)


async def _fetched(
    connection: AsyncConnection, keys: Select[Any], query: Select[Any], at_once: int
) -> AsyncGenerator[tuple[Any, ...], None]:
    """What the query yields for the keys, in their order. Keys alone are sorted by the database."""
    key = query.selected_columns[0]
    found = await connection.stream(keys.execution_options(yield_per=at_once))
    async for some in found.scalars().partitions(at_once):
        rows = await connection.execute(query.where(key.in_(some)))
        for row in sorted(rows.all(), key=lambda row: row[0]):
            yield tuple(row)


def _place(row: tuple[Any, ...] | None) -> float:
    return float("inf") if row is None else row[0]


async def _open(one: tuple[Any, ...], wanted: _Wanted, opened: list[tuple[int, Json]]) -> None:
    """Add the pack's facts that are wanted to those that wait."""
    for packed in await _unpacked(one, wanted):
        heapq.heappush(opened, (packed.seq, packed.fact))


async def _unpacked(one: Sequence[Any], wanted: _Wanted) -> list[PackedFact]:
    """The pack's facts that are wanted; none where it cannot be read."""
    first_seq, form, calls, data = one
    try:
        return await asyncio.to_thread(lambda: list(_wanted_facts(data, form, calls, wanted)))
    except PackError as error:
        # The rest can be read: nobody is to stand still for it.
        log.error("journal_pack_unreadable", first_seq=first_seq, error=str(error))
        return []


def _wanted_facts(data: bytes, form: int, calls: str | None, wanted: _Wanted) -> Iterator[PackedFact]:
    """The facts that are wanted. What nobody asks for is not unpacked."""
    held = [None] if calls is None else msgspec.json.decode(calls)
    for call_id, document in zip(held, documents(data, form), strict=True):
        if call_id is None or wanted.holds_call(call_id):
            for packed in facts(document):
                one = PackedFact(packed.seq, packed.id, _json_of(packed.fact))
                # What nobody can read is told of when its turn comes.
                if type(one.fact) is not dict or wanted.holds(one):
                    yield one


def _json_of(fact: Json) -> Json:
    """The fact; where it was kept as a text, what that says."""
    if type(fact) is not str:
        return fact
    try:
        return msgspec.json.decode(fact)
    except msgspec.MsgspecError:
        return fact


def _placed(seq: int, data: str | Json) -> Placed | None:
    """The fact of a row or a pack; none where nobody can read it."""
    try:
        return Placed(seq, _decode(data) if type(data) is str else msgspec.convert(data, type=AnyFact))
    except msgspec.MsgspecError as error:
        # The rest can be read: one row keeps no gateway from starting.
        log.error("journal_fact_unreadable", seq=seq, error=str(error))
        return None
