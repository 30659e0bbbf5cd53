"""PostgreSQL, where there is one."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from gateway.storage.database import Database

POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/postgres"


@asynccontextmanager
async def postgresql() -> AsyncIterator[str | None]:
    """A database of our own there, in the newest schema; `None`: there is no PostgreSQL."""
    try:
        admin = await asyncpg.connect(POSTGRESQL, timeout=3)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        yield None
        return
    name = f"hotline_bench_{uuid.uuid4().hex[:12]}"
    url = f"{POSTGRESQL.rpartition('/')[0].replace('postgresql', 'postgresql+asyncpg')}/{name}"
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        database = Database(url)
        await database.upgrade()
        await database.close()
        yield url
    finally:
        with contextlib.suppress(asyncpg.PostgresError):
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()
