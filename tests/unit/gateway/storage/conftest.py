"""A fresh database for each test, on SQLite and, where there is one, on PostgreSQL."""

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from gateway.storage.database import Database

POSTGRESQL = os.environ.get("HOTLINE_TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
REQUIRED = bool(os.environ.get("CI") or os.environ.get("HOTLINE_TEST_REQUIRE_ALL"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated, empty database."""
    if request.param == "sqlite":
        database = Database(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")
        await database.upgrade()
        yield database
        await database.close()
        return
    try:
        admin = await asyncpg.connect(POSTGRESQL, timeout=3)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        if REQUIRED:
            pytest.fail(f"a PostgreSQL must be there for this run ({POSTGRESQL}): {error}")
        pytest.skip(f"no PostgreSQL at {POSTGRESQL}; start one or set HOTLINE_TEST_POSTGRESQL_URL")
    name = f"hotline_test_{uuid.uuid4().hex}"
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = POSTGRESQL.replace("postgresql://", "postgresql+asyncpg://", 1).rpartition("/")[0] + f"/{name}"
    database = Database(url)
    try:
        await database.upgrade()
        yield database
    finally:
        await database.close()
        await admin.execute(f'DROP DATABASE "{name}"')
        await admin.close()
