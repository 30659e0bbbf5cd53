"""The door for what clients send: text that no database can store is refused before any route sees it."""

import json
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import Request

from domain.messages import Message
from domain.refusals import refusal
from domain.text import find_unstorable, is_storable

MAX_TARGET = 8 * 1024
"""Path and query of a request are no longer."""


async def refuse(request: Request) -> tuple[int, Message] | None:
    """Status and reason to refuse the request with, or `None`. Reads the body of an unsafe request."""
    raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope.get("query_string", b"")
    if len(raw_path) + len(query) > MAX_TARGET:
        return 414, refusal("target_too_long", most=MAX_TARGET)
    for place, raw in (("path", raw_path), ("query", query)):
        if not _readable(raw):
            return 422, refusal("text_unstorable", place=place)
    if request.method in ("GET", "HEAD") or not (body := await request.body()):
        return None
    try:
        value: Any = json.loads(body)
    except (RecursionError, UnicodeDecodeError):
        return 422, refusal("text_unstorable", place="body")
    except ValueError:
        return None  # what it is to be, the route says
    found = find_unstorable(value)
    return None if found is None else (422, refusal("text_unstorable", place=found))


def _readable(raw: bytes) -> bool:
    try:
        return is_storable(unquote_to_bytes(raw.replace(b"+", b" ")).decode())
    except UnicodeDecodeError:
        return False
