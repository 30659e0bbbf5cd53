"""Real parts: a private Asterisk on spare loopback ports, real SIP phones, recorded voices."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.asterisk.private import PrivateAsterisk, find_asterisk
from gateway.settings import Settings, load_settings
from gateway.settings.load import EXAMPLE
from ivr import prompts
from tests.support.scenario import ScenarioAsterisk, Stage

ROOT = Path(__file__).resolve().parents[2]
CALLS = ROOT / "gateway" / "demo" / "calls"
MODEL = ROOT / ".cache" / "models" / "whisper-base"
REQUIRED = bool(os.environ.get("CI") or os.environ.get("HOTLINE_TEST_REQUIRE_ALL"))


def absent(what: str, fix: str) -> None:
    """Skip loudly on a developer's machine; fail where nothing may be skipped."""
    if REQUIRED:
        pytest.fail(f"{what} must be there for this run: {fix}")
    pytest.skip(f"SKIPPED WITHOUT {what}: {fix}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("asterisk"):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture
def example() -> Settings:
    """The shipped example configuration."""
    return load_settings(EXAMPLE)


@pytest.fixture
def asterisk_root() -> Path:
    """Where the real Asterisk is; skips or fails where there is none."""
    return needed_asterisk(os.environ.get("HOTLINE_TEST_ASTERISK", ""))


def needed_asterisk(name: str = "") -> Path:
    """The Asterisk bootstrapped under that name in `.cache`, else the usual one."""
    root = find_asterisk(ROOT / ".cache" / (name or "asterisk"))
    if root is None:
        absent("AN ASTERISK", "run `make asterisk` as root on Debian")
    if shutil.which("sipp") is None:
        absent("SIPP", "install the package sip-tester")
    assert root is not None
    return root


@pytest.fixture
def model() -> Path:
    """The offline Whisper model."""
    if not (MODEL / ".complete").exists():
        absent("THE WHISPER MODEL", "run `make model`")
    return MODEL


@pytest.fixture
async def lonely_asterisk(
    example: Settings, asterisk_root: Path, tmp_path: Path
) -> AsyncIterator[PrivateAsterisk]:
    """An Asterisk whose gateway is away: nobody listens on the ports it was told."""
    async with PrivateAsterisk(
        example,
        tmp_path / "asterisk",
        agi="127.0.0.1:9",
        audiosocket="127.0.0.1:9",
        root=asterisk_root if asterisk_root != Path("/") else None,
        provide=lambda sounds: void(prompts.install(sounds)),
    ) as asterisk:
        yield asterisk


def scenario_sounds(sounds: Path) -> None:
    """Our prompts, and silence for those of Asterisk's own that a transfer by DTMF will not go without."""
    prompts.install(sounds)
    for name in ("pbx-transfer", "beep", "beeperr"):
        (sounds / f"{name}.alaw").write_bytes(b"\xd5" * 800)


def void(_: object) -> None:
    """For callbacks that return nothing."""


def scenario_asterisk_for(settings: Settings, directory: Path) -> ScenarioAsterisk:
    """An Asterisk for scenarios; nobody answers its AGI: callers reach their queue at once."""
    root = needed_asterisk(os.environ.get("HOTLINE_TEST_ASTERISK", ""))
    return ScenarioAsterisk(
        settings,
        directory,
        agi="127.0.0.1:9",
        audiosocket="127.0.0.1:9",
        root=root if root != Path("/") else None,
        provide=scenario_sounds,
    )


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
