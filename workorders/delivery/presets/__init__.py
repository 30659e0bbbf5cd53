"""Mappings for systems that many have, in the language of all mappings: one TOML file each."""

import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OURS = "hotline"
"""The order's document as it is: what endpoints get that say nothing else."""


def names() -> list[str]:
    """All presets."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def read(name: str) -> dict[str, Any]:
    """The tables of that preset.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in names():
        raise ValueError(f"{name!r} is no preset; there are {', '.join(names())}")
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
