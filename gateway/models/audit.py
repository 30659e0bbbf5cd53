"""The audit: who did what, when, and what came of it."""

from msgspec import Struct

from gateway.models.commands import Answered

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
    """Why refused; empty where `ok`."""
    message: str


class Claim(Struct, frozen=True):
    """Who used a command's id first."""

    username: str
    digest: str
    answer: Answered | None
    """`None`: it was never answered (or is being done)."""
