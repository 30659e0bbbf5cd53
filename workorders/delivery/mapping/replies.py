"""What a system answered, and what that means for the order. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import jmespath

from domain.delivery_failures import failure
from domain.messages import Message

MAX_WORDS = 200
"""Characters kept of what the other side, or the network, said."""
NUMBER = re.compile(r"[\w./-]{1,100}")


class Reply:
    """One answer; `headers` by small letters. `secrets`: what must not be repeated of it."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        *,
        retry_after_s: float | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self.status, self.headers, self.body = status, headers, body
        self.retry_after_s = retry_after_s
        self._secrets = secrets

    @cached_property
    def document(self) -> Any:
        """Its JSON; `None`: it has none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def says(self, path: Any) -> bool:
        """Whether the compiled JMESPath expression is true of it."""
        try:
            return path.search(self.document) is True
        except (jmespath.exceptions.JMESPathError, RecursionError):
            return False

    def found(self, paths: Sequence[Any]) -> str | None:
        """The first plausible number or id that one of the compiled JMESPath expressions finds."""
        for path in paths:
            try:
                value = path.search(self.document)
            except (jmespath.exceptions.JMESPathError, RecursionError):
                continue
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if isinstance(value, str) and NUMBER.fullmatch(value):
                return value
        return None

    @property
    def words(self) -> str:
        """The beginning of what it says, as one harmless line."""
        text = self.body[:400].decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "********")
        return "".join(c if c.isprintable() else " " for c in text).strip()[:MAX_WORDS]


def refusal(reply: Reply, request: str) -> Message:
    """Why the reply is no success; `request` is named where there are several."""
    if 300 <= reply.status < 400:
        return failure("redirected", status=reply.status)
    if request:
        return failure("request_answered", request=request, status=reply.status, said=reply.words)
    if reply.words:
        return failure("answered_with", status=reply.status, said=reply.words)
    return failure("answered", status=reply.status)
