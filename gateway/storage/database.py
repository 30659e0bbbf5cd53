"""The database engine: SQLite (WAL) or PostgreSQL behind one async SQLAlchemy engine, with migrations."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import ColumnElement, Connection, Double, Row, Select, Table, cast, event, func, literal, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.storage.short_reads import ShortReads
from gateway.storage.write_watch import WriteWatch

MIGRATIONS = Path(__file__).with_name("migrations")
SQLITE_BUSY_S = 15.0
CLOSE_S = 3.0


class DatabaseError(Exception):
    """The database cannot be used as it is; the message names the fix."""


class Database:
    """One engine. Read through `reading()` and write through `writing()`; each is one transaction."""

    def __init__(self, url: str | URL, password: str | None = None, *, session: str = "hotline") -> None:
        """Create the engine; `url` is SQLAlchemy's (`sqlite+aiosqlite:///PATH`, `postgresql+asyncpg://…`).

        `session`: what PostgreSQL calls the connections (application_name).
        """
        parsed = make_url(url)
        if password is not None:
            parsed = parsed.set(password=password)
        self.url = parsed
        self.fence: Callable[[AsyncConnection], Awaitable[None]] | None = None
        """Called first in every transaction that writes; raises where this process may not write any more."""
        self.writes = WriteWatch()
        self._turn = asyncio.Lock() if parsed.get_backend_name() == "sqlite" else None
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.now = _clock_of_sqlite() if self.sqlite else _clock_of_postgresql()
        """The database's own clock, in POSIX seconds, as a part of statements."""
        if self.sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {}
        if not self.sqlite:
            options["pool_pre_ping"] = True
            options["connect_args"] = {"server_settings": {"application_name": session}}
        self.engine: AsyncEngine = create_async_engine(parsed, **options)
        self._short = ShortReads(parsed, SQLITE_BUSY_S) if self.sqlite else None
        if self.sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that may say what becomes of rows that are there already (`on_conflict_…`)."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)

    @asynccontextmanager
    async def reading(self, *, snapshot: bool = False) -> AsyncIterator[AsyncConnection]:
        """Open a connection in a read transaction.

        `snapshot`: all its statements see the same state; on SQLite they always do.
        """
        async with self.engine.connect() as connection:
            if snapshot and not self.sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    async def rows(
        self, query: Select[Any], values: Mapping[str, Any] = MappingProxyType({})
    ) -> Sequence[Row[Any]]:
        """Return all rows of one statement that is soon done, as somebody waits; `values`: its parameters."""
        if self._short is not None:
            return await self._short.rows(query, values)
        async with self.reading() as connection:
            found: Sequence[Row[Any]] = (await connection.execute(query, values)).all()
        return found

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection in a write transaction: committed at the end, rolled back on an exception.

        On SQLite the writers of this process take turns, in the order in which they came: its own lock is a
        race, in which under load one of many waits until it fails.
        """
        with self.writes.one():
            async with self._turn or nullcontext(), self.engine.connect() as connection:
                # SQLite: take the write lock at once, for another process may write as well.
                writer = await connection.execution_options(hotline_write=True)
                async with writer.begin():
                    if self.fence is not None:
                        await self.fence(writer)
                    yield writer

    async def try_to_write(self) -> None:
        """Open a write transaction and do nothing in it: `writes` tells what came of it."""
        async with self.writing():
            pass

    async def upgrade(self) -> tuple[str | None, str]:
        """Upgrade the schema to the newest revision; return (before, after)."""
        before, newest = await self.revision(), newest_revision()
        if before == newest:
            return before, newest
        async with self.engine.connect() as connection, self.rebuilding(connection):
            await connection.run_sync(_upgrade)
            if self.sqlite and (astray := (await connection.execute(text("PRAGMA foreign_key_check"))).all()):
                raise DatabaseError(f"{len(astray)} rows would refer to rows that are not there")
            await connection.commit()
        return before, newest

    @asynccontextmanager
    async def rebuilding(self, connection: AsyncConnection) -> AsyncIterator[None]:
        """SQLite changes a table by making it anew: what refers to its rows must not be in the way."""
        driver = (await connection.get_raw_connection()).driver_connection
        if not self.sqlite or driver is None:
            yield
            return
        # No part of a transaction: none has begun.
        await driver.execute("PRAGMA foreign_keys=OFF")
        try:
            yield
        finally:
            await connection.rollback()
            await driver.execute("PRAGMA foreign_keys=ON")

    async def revision(self) -> str | None:
        """Return the schema's revision; `None` for an empty database."""

        def current(connection: Connection) -> str | None:
            return MigrationContext.configure(connection).get_current_revision()

        async with self.engine.connect() as connection:
            return await connection.run_sync(current)

    async def require_newest(self) -> None:
        """Raise DatabaseError unless the schema is the newest this program knows."""
        revision, newest = await self.revision(), newest_revision()
        if revision != newest:
            raise DatabaseError(
                f"the database is at revision {revision or 'none'}, this program needs {newest}:"
                " run `hotline db upgrade`"
            )

    async def close(self) -> None:
        """Close all connections."""
        if self._short is not None:
            self._short.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.engine.dispose()
        except TimeoutError:
            # A server that does not answer keeps nobody from leaving.
            await self.engine.dispose(close=False)


def _clock_of_postgresql() -> ColumnElement[float]:
    return cast(func.extract("epoch", func.clock_timestamp()), Double)


def _clock_of_sqlite() -> ColumnElement[float]:
    return (func.julianday("now", type_=Double) - literal(2440587.5)) * 86400.0


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling is off: `_begin_sqlite` decides when one begins.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={int(SQLITE_BUSY_S * 1000)}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("hotline_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


@cache
def newest_revision() -> str:
    """Return the newest schema revision this program knows; all migrations are read for it, once."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
