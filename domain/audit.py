"""The audit log: who did what, when, and with what result."""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from domain.commands import Answered
from domain.messages import Message

MAX_ARGS = 2000
"""How many characters of an entry's arguments are kept."""


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One command with its answer, or one action taken through the API."""

    seq: int = 0
    """Assigned by the database."""
    at: float
    username: str
    role: str
    agent: str | None
    command_id: str
    name: str
    args: str
    """JSON, truncated to `MAX_ARGS` characters."""
    ok: bool
    code: str
    """The kind of refusal; empty if `ok`."""
    reason: str = ""
    """The refusal code (`domain.refusals`); empty if `ok`, and in entries older than these codes."""
    params: str = "{}"
    """The parameters of `reason`, as JSON."""
    message: str
    """`reason` as an English sentence."""


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
    """Return the entry for an action that is not a desk command.

    `name` is `<resource>.<verb>`. `args` must not contain secrets. `refused` says why the action was refused;
    `None` means it was done.
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
    """The first use of a command id."""

    username: str
    digest: str
    answer: Answered | None
    """`None` while the command is running, or if it was never answered."""
