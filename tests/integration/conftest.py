"""Real parts: a private Asterisk on spare loopback ports, real SIP phones, recorded voices."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.asterisk.private import PrivateAsterisk
from gateway.settings import Settings, load_settings
from gateway.settings.load import EXAMPLE
from tests.support.databases import postgresql, url_of
from tests.support.machine import needed_model
from tests.support.pbx import our_prompts, private, scenario_asterisk_for
from tests.support.scenario import ScenarioAsterisk, Stage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("asterisk"):
            item.add_marker(pytest.mark.timeout(300))
    # Whole conversations last longest: they begin first, lest one process be waited for at the end.
    items.sort(key=lambda item: item.get_closest_marker("model") is None)


@pytest.fixture
def example() -> Settings:
    """The shipped example configuration."""
    return load_settings(EXAMPLE)


@pytest.fixture
def model() -> Path:
    """The offline Whisper model."""
    return needed_model()


DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The core runs on the embedded database (`None`), and on one of a server, upgraded by its operator."""
    yield from database_of(request)


@pytest.fixture(scope="module", params=DATABASES)
def shared_database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The same for the tests of a file that share a gateway."""
    yield from database_of(request)


def database_of(request: pytest.FixtureRequest) -> Iterator[str | None]:
    if request.param == "sqlite":
        yield None
        return
    with postgresql(request.getfixturevalue("migrated_postgresql")) as name:
        yield url_of(name)


@pytest.fixture
async def lonely_asterisk(example: Settings, tmp_path: Path) -> AsyncIterator[PrivateAsterisk]:
    """An Asterisk whose gateway is away: nobody listens on the ports it was told."""
    async with private(PrivateAsterisk, example, tmp_path / "asterisk", provide=our_prompts) as asterisk:
        yield asterisk


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def scenario_asterisk(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ScenarioAsterisk]:
    """One Asterisk for all call scenarios."""
    directory = tmp_path_factory.mktemp("scenarios")
    async with scenario_asterisk_for(load_settings(EXAMPLE), directory) as asterisk:
        yield asterisk


@pytest_asyncio.fixture(loop_scope="session")
async def stage(scenario_asterisk: ScenarioAsterisk) -> AsyncIterator[Stage]:
    """A scenario's stage on that Asterisk."""
    async with Stage(scenario_asterisk, load_settings(EXAMPLE)) as stage:
        yield stage
