"""Databases of a test's own, on SQLite and on PostgreSQL; gone when the test is over."""

import asyncio
import atexit
import os
import shutil
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

import asyncpg

from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.outbox import delivery_rows
from gateway.storage.rows import order_row, order_row_columns, order_text_row, put_order_text, upsert
from gateway.storage.tables import deliveries, orders
from tests.support.machine import absent

T = TypeVar("T")

POSTGRESQL = os.environ.get("HOTLINE_TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
SERVER = POSTGRESQL.rpartition("/")[0]


@contextmanager
def postgresql(template: str = "") -> Iterator[str]:
    """A new database's name there, if need be a copy of `template`; skips or fails without PostgreSQL."""
    name = f"hotline_test_{uuid.uuid4().hex}"
    create = f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else "")
    asyncio.run(_say(create))
    try:
        yield name
    finally:
        # A process that was killed may not have hung up yet.
        asyncio.run(_say(f'DROP DATABASE "{name}" WITH (FORCE)'))


class Emptied:
    """One database after another from the same template: the same one, emptied, where it is as it was made.

    To empty one takes PostgreSQL a tenth of what it takes to make one.
    """

    def __init__(self, template: str) -> None:
        self._template = template
        self._made: ExitStack | None = None
        self._name = ""
        self._shape = ""

    @contextmanager
    def one(self) -> Iterator[str]:
        """The name of an empty database; for the tests of one process, which come one by one."""
        if self._made is None:
            self._made = ExitStack()
            self._name = self._made.enter_context(postgresql(self._template))
            self._shape = asyncio.run(_on(self._name, _shape))
        yield self._name
        if asyncio.run(_on(self._name, _empty)) != self._shape:
            self.close()

    def close(self) -> None:
        """Drop it."""
        if self._made is not None:
            self._made.close()
        self._made = None


SHAPE = """
SELECT string_agg(concat(c.oid, c.relname, a.attname, a.attnum, a.atttypid), ' ' ORDER BY c.oid, a.attnum)
FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND c.relkind = 'r'
WHERE c.relnamespace = 'public'::regnamespace
"""
BIG = 1 << 20
"""Bytes of a table after which what is dead would be in the way."""


async def _shape(connection: asyncpg.Connection) -> str:
    """Which tables, columns and indexes there are; another one where something was made anew."""
    await connection.execute("CREATE SCHEMA made")
    for table in await _filled(connection):
        await connection.execute(f'CREATE TABLE made."{table}" AS TABLE public."{table}"')
    return str(await connection.fetchval(SHAPE))


async def _empty(connection: asyncpg.Connection) -> str:
    """Take out what a test put in, put back what there was at the beginning; return `_shape`."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    # Nothing that a table does by itself when rows come and go.
    await connection.execute("SET session_replication_role = replica")
    at_first = {row[0] for row in await connection.fetch(_TABLES.format("made"))}
    filled = await _filled(connection)
    if any(size > BIG for size in filled.values()):
        return "to be made anew"
    for table in filled:
        await connection.execute(f'DELETE FROM "{table}"')
        if table in at_first:
            await connection.execute(f'INSERT INTO "{table}" SELECT * FROM made."{table}"')
    for row in await connection.fetch("SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL"):
        await connection.execute(f'ALTER SEQUENCE "{row[0]}" RESTART')
    return str(await connection.fetchval(SHAPE))


_TABLES = "SELECT tablename, pg_table_size(tablename::regclass) FROM pg_tables WHERE schemaname = '{}'"


async def _filled(connection: asyncpg.Connection) -> dict[str, int]:
    """The bytes of each table that has rows."""
    return {
        table: size
        for table, size in await connection.fetch(_TABLES.format("public"))
        if await connection.fetchval(f'SELECT EXISTS (SELECT FROM "{table}")')
    }


async def _on(name: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    connection = await asyncpg.connect(f"{SERVER}/{name}", timeout=10)
    try:
        return await work(connection)
    finally:
        await connection.close()


async def _say(statement: str) -> None:
    try:
        admin = await asyncpg.connect(POSTGRESQL, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        absent(f"POSTGRESQL ({error})", "start one at 127.0.0.1:5432 or set HOTLINE_TEST_POSTGRESQL_URL")
    try:
        await admin.execute(statement)
    finally:
        await admin.close()


def url_of(name: str) -> str:
    """What the gateway's configuration says of a database there."""
    return f"{SERVER.replace('postgresql://', 'postgresql+asyncpg://', 1)}/{name}"


def sqlite_url(path: Path) -> str:
    """The same of a file."""
    return f"sqlite+aiosqlite:///{path}"


@cache
def migrated_file() -> Path:
    """An empty database in the newest schema, to be copied: that is quicker than to migrate one each time."""
    directory = Path(tempfile.mkdtemp(prefix="hotline-migrated-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    # In a thread, where no event loop runs.
    with ThreadPoolExecutor(1) as alone:
        alone.submit(migrate, sqlite_url(directory / "migrated.db")).result()
    return directory / "migrated.db"


def new_file(path: Path) -> str:
    """Make an empty database in the newest schema at `path`; return its URL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(migrated_file(), path)
    return sqlite_url(path)


@contextmanager
def copy_of(url: str, directory: Path) -> Iterator[str]:
    """Where a copy of a database that nobody has open is, in `directory` if a file; gone after the block."""
    if url.startswith("sqlite"):
        path = directory / f"{uuid.uuid4().hex}.db"
        shutil.copy(url.removeprefix(sqlite_url(Path())[:-1]), path)
        yield sqlite_url(path)
        path.unlink()
        return
    with postgresql(url.rpartition("/")[2]) as name:
        yield url_of(name)


def migrate(url: str) -> None:
    """Bring it to the newest schema, as the operator does with `hotline db upgrade`."""

    async def upgraded() -> None:
        database = Database(url)
        await database.upgrade()
        await database.close()

    asyncio.run(upgraded())


async def put_order(
    database: Database, order: Order, bodies: Mapping[str, bytes] | None = None, at: float = 0.0
) -> None:
    """The order as it is, whatever the database holds of it, with deliveries made at `at`."""
    async with database.writing() as connection:
        row, text = order_row(order), order_text_row(order)
        await connection.execute(upsert(database, orders, ["id"], order_row_columns()[1:]), [row])
        await connection.execute(put_order_text(database), [text])
        if bodies:
            made = delivery_rows(order, bodies, at)
            await connection.execute(database.insert(deliveries).on_conflict_do_nothing(), made)
