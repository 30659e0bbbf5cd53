"""Leases in PostgreSQL, by its clock; every write of a holder is conditional on its term."""

from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    case,
    column,
    delete,
    func,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningDelete, ReturningUpdate

from domain.leases import Lease
from gateway.storage.database import Database, DatabaseError
from gateway.storage.tables import leases

LOCK_S = 1.0
"""Whoever asks for leases waits no longer for a transaction of their holder."""
IDLE_S = 4.0
"""A transaction that nobody goes on with, such as a stopped process's, is ended by the server after this."""

LIMITS = (("lock_timeout", LOCK_S), ("idle_in_transaction_session_timeout", IDLE_S))
FORGET_S = 86_400.0
STANDBY = "standby:"
"""Prefix of the names under which processes that stand by are known."""


class LeaseLostError(DatabaseError):
    """Another process holds the leases now: nothing was written."""


class Grant(Struct, frozen=True):
    """Leases that were taken together."""

    names: tuple[str, ...]
    holder: str
    terms: tuple[int, ...]
    before: tuple[str, ...]
    """Who held them until then, without us and without nobody."""


class Renewal(Struct, frozen=True):
    """What became of a renewal."""

    held: bool
    """`False`: somebody else took one of the leases."""
    contested: bool
    """Whether another process stands by, ready to take them when they run out."""


class LeaseRepository:
    """Takes, renews and gives back leases. PostgreSQL only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._now = database.now

    async def take(self, names: Sequence[str], holder: str, address: str, ttl_s: float) -> Grant | None:
        """Take all of them for that long, or none; `None`: somebody else holds one of them.

        Whoever gets none is known to stand by for as long.
        """
        wanted = tuple(sorted(set(names)))
        async with self._database.engine.begin() as connection:
            await connection.execute(
                select(*(func.set_config(name, f"{int(1000 * seconds)}ms", True) for name, seconds in LIMITS))
            )
            await self._stand_by(connection, holder, address, ttl_s)
            await connection.execute(
                insert(leases).on_conflict_do_nothing(), [{"name": name} for name in wanted]
            )
            # The lock waits for every write that is conditional on the old term.
            locked = (
                select(leases, (leases.c.expires_at > self._now).label("held"))
                .where(leases.c.name.in_(wanted))
                .order_by(leases.c.name)
            )
            asked = (await connection.execute(locked)).all()
            if any(row.held and row.holder != holder for row in asked):
                return None
            # Whoever held them may be stopped, or cut off, in the middle of a write: that must not go on.
            holders = {row.holder for row in asked} - {"", holder}
            await connection.execute(_end_sessions(holders))
            rows = (await connection.execute(locked.with_for_update())).all()
            if any(row.held and row.holder != holder for row in rows):
                return None
            await connection.execute(
                update(leases)
                .where(leases.c.name.in_(wanted))
                .values(
                    holder=holder,
                    address=address,
                    term=leases.c.term + 1,
                    taken_at=self._now,
                    expires_at=self._now + ttl_s,
                )
            )
            await connection.execute(delete(leases).where(leases.c.name == STANDBY + holder))
        before = {row.holder for row in rows} - {"", holder}
        return Grant(wanted, holder, tuple(row.term + 1 for row in rows), tuple(sorted(before)))

    async def _stand_by(self, connection: AsyncConnection, holder: str, address: str, ttl_s: float) -> None:
        row = {"holder": holder, "address": address, "expires_at": self._now + ttl_s}
        await connection.execute(
            insert(leases)
            .values(name=STANDBY + holder, taken_at=self._now, **row)
            .on_conflict_do_update(index_elements=["name"], set_=row)
        )

    async def renew(self, grant: Grant, ttl_s: float) -> Renewal:
        """Hold them for that long from now, also where they ran out and nobody took them."""
        others = leases.alias()
        standing_by = others.c.name.startswith(STANDBY) & (others.c.expires_at > self._now)
        renewed = (
            update(leases)
            .where(_of(grant))
            .values(expires_at=self._now + ttl_s)
            .returning(select(func.count()).where(standing_by).scalar_subquery())
        )
        counts = list(await self._at_once(renewed))
        return Renewal(len(counts) == len(grant.names), contested=any(counts))

    async def give_back(self, grant: Grant) -> None:
        """Let somebody else have them at once."""
        await self._at_once(update(leases).where(_of(grant)).values(expires_at=0.0).returning(leases.c.name))

    async def leave(self, holder: str) -> None:
        """Stand by no longer; forget who stood by long ago."""
        gone = (leases.c.name == STANDBY + holder) | (leases.c.expires_at < self._now - FORGET_S)
        gone &= leases.c.name.startswith(STANDBY)
        await self._at_once(delete(leases).where(gone).returning(leases.c.name))

    async def _at_once(self, statement: ReturningUpdate[Any] | ReturningDelete[Any]) -> Sequence[Any]:
        """Execute it in a transaction that ends on the server with the statement itself.

        A process that is stopped, or cut off, between a statement and its COMMIT would keep the lock.
        """
        async with self._database.engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            return (await alone.scalars(statement)).all()

    async def list_leases(self) -> list[Lease]:
        """All leases, by name."""
        query = select(leases, (leases.c.expires_at - self._now).label("left")).order_by(leases.c.name)
        async with self._database.reading() as connection:
            return [
                Lease(row.name, row.holder, row.address, row.term, row.taken_at, float(row.left))
                for row in await connection.execute(query)
            ]


def _of(grant: Grant) -> ColumnElement[bool]:
    term = case(dict(zip(grant.names, grant.terms, strict=True)), value=leases.c.name)
    return leases.c.name.in_(grant.names) & (leases.c.holder == grant.holder) & (leases.c.term == term)


def session_of(holder: str) -> str:
    """What the server calls the connections of that process (application_name); empty: of one without."""
    return f"hotline {holder.rpartition(':')[2]}".strip()[:63]


def _end_sessions(holders: Collection[str]) -> Select[tuple[bool]]:
    """End the connections of these processes: what they had begun to write is rolled back at once.

    The server's own time-outs do not do that for a client that is silent in the middle of a statement.
    """
    activity = table("pg_stat_activity", column("pid", Integer), column("application_name", Text))
    names = [session_of(holder) for holder in holders]
    return select(func.pg_terminate_backend(activity.c.pid)).where(
        activity.c.application_name.in_(names), activity.c.pid != func.pg_backend_pid()
    )


class Fence:
    """Makes every write conditional on the grant. Set it as `Database.fence`."""

    def __init__(self, grant: Grant) -> None:
        self._count = len(grant.names)
        # KEY SHARE: renewing goes on beside it, changing hands waits for the end of the transaction. That a
        # stopped process keeps its transaction open must not hold up the next holder for long.
        self._statement = select(
            func.count(),
            func.set_config("idle_in_transaction_session_timeout", str(int(IDLE_S * 1000)), True),
        ).select_from(
            select(leases.c.name).where(_of(grant)).with_for_update(key_share=True, read=True).subquery()
        )

    async def __call__(self, connection: AsyncConnection) -> None:
        """The first statement of a transaction that writes.

        Raises:
            LeaseLostError: another process holds the leases.
        """
        count = (await connection.execute(self._statement)).one()[0]
        if count != self._count:
            raise LeaseLostError("another gateway process serves the PBX now: nothing was written")
