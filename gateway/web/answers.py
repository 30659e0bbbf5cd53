"""What the HTTP API answers: JSON by msgspec, problem+json (RFC 9457) for what went wrong."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from fastapi import HTTPException
from starlette.responses import Response

from domain.messages import Message
from domain.refusals import refusal

T = TypeVar("T")
RETRY_AFTER_S = "5"


def json(value: Any, status: int = 200) -> Response:
    """`value` as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


class Refused(HTTPException):
    """A request that is refused."""

    def __init__(self, status: int, reason: str, /, **params: Any) -> None:
        self.message = refusal(reason, **params)
        super().__init__(status, self.message.text)

    def with_headers(self, headers: Mapping[str, str]) -> "Refused":
        """The same, answered with these headers."""
        self.headers = dict(headers)
        return self


def problem(status: int, why: Message, **more: str) -> Response:
    """What went wrong and how to fix it: `detail` in English, `reason` and `params` for whoever has words of
    their own (`domain.refusals`); `more` are further members, e.g. `code`."""
    told = {"type": "about:blank", "status": status, "detail": why.text, "reason": why.code, **more}
    body = msgspec.json.encode({**told, "params": why.params} if why.params else told)
    headers = {"Retry-After": RETRY_AFTER_S} if why.code == "database_busy" else None
    return Response(body, status, headers, media_type="application/problem+json")


def found(value: T | None, what: str) -> T:
    """`value`, if there is one.

    Raises:
        Refused: 404, there is none; it is not told apart from one that is somebody else's.
    """
    if value is None:
        raise Refused(404, "not_found", what=what)
    return value
