"""Real parts: a private Asterisk on spare loopback ports, real SIP phones, recorded voices."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.pbx.private import PrivateAsterisk, find_asterisk
from gateway.settings import Settings, load_settings
from gateway.settings.load import EXAMPLE
from ivr import prompts

ROOT = Path(__file__).resolve().parents[2]
CALLS = ROOT / "gateway" / "demo" / "calls"
MODEL = ROOT / ".cache" / "models" / "whisper-base"
REQUIRED = bool(os.environ.get("CI") or os.environ.get("HOTLINE_TEST_REQUIRE_ALL"))


def absent(what: str, mend: str) -> None:
    """Skip loudly on a developer's machine; fail where nothing may be skipped."""
    if REQUIRED:
        pytest.fail(f"{what} must be there for this run: {mend}")
    pytest.skip(f"SKIPPED WITHOUT {what}: {mend}")


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
    root = find_asterisk(ROOT / ".cache" / "asterisk")
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


def void(_: object) -> None:
    """For callbacks that return nothing."""
