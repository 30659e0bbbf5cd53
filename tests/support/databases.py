"""Databases of a test's own, on SQLite and on PostgreSQL; gone when the test is over."""

import asyncio
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from gateway.storage.database import Database
from tests.support.machine import absent

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


def migrate(url: str) -> None:
    """Bring it to the newest schema, as the operator does with `hotline db upgrade`."""

    async def upgraded() -> None:
        database = Database(url)
        await database.upgrade()
        await database.close()

    asyncio.run(upgraded())
