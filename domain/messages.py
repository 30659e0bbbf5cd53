"""What is told to people: a stable code with parameters, for whoever has words of their own for it (the
browser app, in two languages), and the same as an English sentence, for everybody else."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Message(Struct, frozen=True):
    """One thing told. `params` are plain values: text from outside among them is hostile and no sentence."""

    code: str
    params: dict[str, Any] = {}
    text: str = ""
    """In English."""


def say(sentences: Mapping[str, str], code: str, params: Mapping[str, Any]) -> Message:
    """The sentence of that code in a catalogue (code → English, with `{parameters}`), filled in."""
    return Message(code, dict(params), sentences[code].format_map(params))
