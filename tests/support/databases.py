"""Databases of a test's own, on SQLite and on PostgreSQL; gone when the test is over."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from gateway.storage.database import Database
from tests.support.machine import absent

POSTGRESQL = os.environ.get("HOTLINE_TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


@asynccontextmanager
async def postgresql() -> AsyncIterator[str]:
    """The URL of an empty database on the PostgreSQL; skips or fails where there is none."""
    try:
        admin = await asyncpg.connect(POSTGRESQL, timeout=3)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        absent(f"POSTGRESQL ({error})", "start one at 127.0.0.1:5432 or set HOTLINE_TEST_POSTGRESQL_URL")
    name = f"hotline_test_{uuid.uuid4().hex}"
    await admin.execute(f'CREATE DATABASE "{name}"')
    try:
        yield POSTGRESQL.replace("postgresql://", "postgresql+asyncpg://", 1).rpartition("/")[0] + f"/{name}"
    finally:
        # A process that was killed may not have hung up yet.
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[Database]:
    """The database there, brought to the newest schema."""
    database = Database(url)
    try:
        await database.upgrade()
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def fresh(kind: str, directory: Path) -> AsyncIterator[Database]:
    """A migrated, empty database of that kind: `sqlite` in `directory`, or `postgresql`."""
    if kind == "sqlite":
        async with migrated(f"sqlite+aiosqlite:///{directory / 'test.db'}") as database:
            yield database
        return
    async with postgresql() as url, migrated(url) as database:
        yield database
