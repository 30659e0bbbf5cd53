"""Messages for people: a stable code with parameters, for clients with wording of their own such as the
browser app, and the same message as an English sentence."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Message(Struct, frozen=True):
    """One message. `params` are plain values; those that come from outside are untrusted text."""

    code: str
    params: dict[str, Any] = {}
    text: str = ""
    """The message as an English sentence."""


def say(sentences: Mapping[str, str], code: str, params: Mapping[str, Any]) -> Message:
    """Fill in the sentence for `code` from `sentences` (code → English with `{parameters}`)."""
    return Message(code, dict(params), sentences[code].format_map(params))
