"""Simplified characters, whatever script the engine wrote."""

from functools import cache
from typing import Any

from opencc import OpenCC


@cache
def _converter() -> Any:
    return OpenCC("t2s")


def simplified(text: str) -> str:
    """The text in simplified characters; phrases decide where characters alone do not (乾隆 stays)."""
    converted: str = _converter().convert(text)
    return converted
