"""The door for text from outside: what can be stored, and what is made of the rest. Pure.

NUL and lone surrogates can be stored by no database; they come from broken or hostile peers. People who typed
them are told (`find_unstorable`); text of machines is cleaned (`clean`), for the call goes on.
"""

import re
from collections.abc import Mapping
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What is no part of a line: controls, separators of lines, overrides of the writing direction."""
MAX_LINE = 1000
"""Characters of a name, a number, a reason: nobody's is longer."""
MAX_DEPTH = 64
"""Nothing that we read nests deeper."""


def is_storable(text: str) -> bool:
    """Whether every database can store the text."""
    return _UNSTORABLE.search(text) is None


def clean(text: str) -> str:
    """The text with a replacement character in place of each character that cannot be stored."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def is_line(text: str, most: int = MAX_LINE) -> bool:
    """Whether the text is one line of ordinary length, without control characters."""
    return len(text) <= most and _CONTROL.search(text) is None


def line(text: str, most: int = MAX_LINE) -> str:
    """Text of a machine as one line of at most `most`: controls become spaces, the unstorable is replaced."""
    if is_line(text, most):
        return text
    return _CONTROL.sub(" ", clean(text[: 2 * most])).strip()[:most]


def cleaned(value: Any) -> Any:
    """The JSON value with all its texts, keys included, cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item) for item in value]
    return value


def find_unstorable(value: Any, place: str = "body", depth: int = 0) -> str | None:
    """Where in a JSON value stands a text that cannot be stored (`fields.title`), or `None`.

    What nests deeper than `MAX_DEPTH` counts as such.
    """
    if isinstance(value, str):
        return None if is_storable(value) else place
    if isinstance(value, Mapping | list) and depth >= MAX_DEPTH:
        return place
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not is_storable(key):
                return f"{place} (a name)"
            if found := find_unstorable(item, f"{place}.{key}"[-200:], depth + 1):
                return found
    if isinstance(value, list):
        for index, item in enumerate(value):
            if found := find_unstorable(item, f"{place}.{index}"[-200:], depth + 1):
                return found
    return None
