"""Convert to simplified characters, whatever script the engine wrote."""

from functools import cache
from typing import Any

from opencc import OpenCC


@cache
def _converter() -> Any:
    return OpenCC("t2s")


def simplified(text: str) -> str:
    """Return simplified text; phrases decide where single characters cannot (乾隆 is kept)."""
    converted: str = _converter().convert(text)
    return converted
