"""For every suite: what test processes that run side by side must not share; databases."""

from collections.abc import Iterator

import pytest

from tests.support import ports
from tests.support.databases import Emptied, migrate, postgresql, url_of


def pytest_configure(config: pytest.Config) -> None:
    # The one that only hands out the tests needs no ports.
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        ports.claim()


@pytest.fixture(scope="session")
def migrated_postgresql() -> Iterator[str]:
    """The name of an empty database in the newest schema on the PostgreSQL."""
    with postgresql() as name:
        migrate(url_of(name))
        yield name


@pytest.fixture(scope="session")
def emptied_postgresql(migrated_postgresql: str) -> Iterator[Emptied]:
    """Such databases, for one test after another."""
    emptied = Emptied(migrated_postgresql)
    yield emptied
    emptied.close()


@pytest.fixture
def postgresql_url(emptied_postgresql: Emptied) -> Iterator[str]:
    """Where a migrated, empty database of the test's own is, on the PostgreSQL."""
    with emptied_postgresql.one() as name:
        yield url_of(name)
