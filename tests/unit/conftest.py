"""Property tests fail for what they find, not for how busy the machine is; databases of a test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from gateway.storage.database import Database
from tests.support.databases import fresh

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated, empty database; each test runs on SQLite and, where there is one, on PostgreSQL."""
    async with fresh(request.param, tmp_path) as database:
        yield database
