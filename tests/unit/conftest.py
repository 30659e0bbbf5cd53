"""For unit tests: properties without deadlines, cheap passwords, fresh databases."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from gateway.storage.database import Database
from tests.support.databases import copy_of, new_file, postgresql, url_of

# They fail for what they find, not for how busy the machine is.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is slow by intent, and no test is about how slow."""
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr("agents.accounts.passwords.PasswordHasher", lambda: cheap)


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a migrated, empty database is; each test runs on SQLite and, if there is one, on PostgreSQL."""
    if request.param == "sqlite":
        yield new_file(tmp_path / "test.db")
        return
    yield request.getfixturevalue("postgresql_url")


@pytest.fixture(scope="module", params=BOTH)
def shared_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The same for all tests of a file together: what one puts in, the next finds."""
    if request.param == "sqlite":
        yield new_file(tmp_path_factory.mktemp("shared") / "test.db")
        return
    with postgresql(request.getfixturevalue("migrated_postgresql")) as name:
        yield url_of(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """That database, open."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
def copied_url(filled_url: str, tmp_path: Path) -> Iterator[str]:
    """Where a copy is of the database that a file of tests fills once, in its own fixture `filled_url`."""
    with copy_of(filled_url, tmp_path) as url:
        yield url


@pytest.fixture
async def filled(copied_url: str) -> AsyncIterator[Database]:
    """That copy, open."""
    database = Database(copied_url)
    yield database
    await database.close()
