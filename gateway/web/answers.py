"""What the HTTP API answers: JSON by msgspec, problem+json (RFC 9457) for what went wrong."""

from typing import Any, TypeVar

import msgspec
from fastapi import HTTPException
from starlette.responses import Response

T = TypeVar("T")


def json(value: Any, status: int = 200) -> Response:
    """`value` as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def problem(status: int, detail: str, more: dict[str, str] | None = None) -> Response:
    """What went wrong and how to mend it; `more` are further members, e.g. `code`."""
    body = msgspec.json.encode({"type": "about:blank", "status": status, "detail": detail, **(more or {})})
    return Response(body, status, media_type="application/problem+json")


def found(value: T | None, what: str) -> T:
    """`value`, if there is one.

    Raises:
        HTTPException: 404, there is none; it is not told apart from one that is somebody else's.
    """
    if value is None:
        raise HTTPException(404, f"no such {what}, or it is not yours")
    return value
