"""What tests need of this machine: where things lie, what is installed; what is absent skips or fails."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from gateway.asterisk.private import find_asterisk

ROOT = Path(__file__).resolve().parents[2]
CALLS = ROOT / "gateway" / "demo" / "calls"
MODEL = ROOT / ".cache" / "models" / "whisper-base"
REQUIRED = bool(os.environ.get("CI") or os.environ.get("HOTLINE_TEST_REQUIRE_ALL"))


def absent(what: str, fix: str) -> NoReturn:
    """Skip loudly on a developer's machine; fail where nothing may be skipped."""
    if REQUIRED:
        pytest.fail(f"{what} must be there for this run: {fix}")
    pytest.skip(f"SKIPPED WITHOUT {what}: {fix}")


def needed_asterisk() -> Path:
    """The bootstrapped Asterisk (HOTLINE_TEST_ASTERISK: its name in `.cache`), else an installed one."""
    root = find_asterisk(ROOT / ".cache" / (os.environ.get("HOTLINE_TEST_ASTERISK") or "asterisk"))
    if root is None:
        absent("AN ASTERISK", "run `make asterisk` as root on Debian")
    if shutil.which("sipp") is None:
        absent("SIPP", "install the package sip-tester")
    return root


def needed_model() -> Path:
    """The offline Whisper model."""
    if not (MODEL / ".complete").exists():
        absent("THE WHISPER MODEL", "run `make model`")
    return MODEL
