"""For every suite: what test processes that run side by side must not share; databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ports
from tests.support.databases import migrate, postgresql, sqlite_url, url_of


def pytest_configure(config: pytest.Config) -> None:
    # The one that only hands out the tests needs no ports.
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        ports.claim()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database in the newest schema, to be copied: that is quicker than to migrate one each time."""
    path = tmp_path_factory.mktemp("migrated") / "migrated.db"
    migrate(sqlite_url(path))
    return path


@pytest.fixture(scope="session")
def migrated_postgresql() -> Iterator[str]:
    """The name of such a database on the PostgreSQL."""
    with postgresql() as name:
        migrate(url_of(name))
        yield name


@pytest.fixture
def postgresql_url(migrated_postgresql: str) -> Iterator[str]:
    """Where a migrated, empty database of the test's own is, on the PostgreSQL."""
    with postgresql(migrated_postgresql) as name:
        yield url_of(name)
