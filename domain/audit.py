"""The audit: who did what, when, and what came of it."""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from domain.commands import Answered
from domain.messages import Message

MAX_ARGS = 2000
"""Characters of an entry's arguments that are kept."""


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One command as it was asked and answered, or one thing done through the API."""

    seq: int = 0
    """Given by the database."""
    at: float
    username: str
    role: str
    agent: str | None
    command_id: str
    name: str
    args: str
    """JSON, cut off at `MAX_ARGS`."""
    ok: bool
    code: str
    """The kind of refusal; empty where `ok`."""
    reason: str = ""
    """Why refused (`domain.refusals`); empty where `ok`, and in entries older than these codes."""
    params: str = "{}"
    """The reason's, as JSON."""
    message: str
    """The reason in English."""


def action_entry(
    *,
    at: float,
    action_id: str,
    username: str,
    role: str,
    agent: str | None,
    name: str,
    args: Mapping[str, Any],
    refused: Message | None,
) -> AuditEntry:
    """The entry of something done that is no command of the desk; `refused`: why it was not; `None`: done.

    `name` is `<resource>.<verb>`; `args` must hold no secret.
    """
    return AuditEntry(
        at=at,
        username=username,
        role=role,
        agent=agent,
        command_id=action_id,
        name=name,
        args=json.dumps(args, sort_keys=True)[:MAX_ARGS],
        ok=refused is None,
        code="refused" if refused else "",
        reason=refused.code if refused else "",
        params=json.dumps(refused.params) if refused else "{}",
        message=refused.text if refused else "",
    )


class Claim(Struct, frozen=True):
    """Who used a command's id first."""

    username: str
    digest: str
    answer: Answered | None
    """`None`: it was never answered (or is being done)."""
