"""The audit: who did what, when, and what came of it."""

from msgspec import Struct

from gateway.models.commands import Answered


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One command as it was asked and answered."""

    seq: int = 0
    """Given by the database."""
    at: float
    username: str
    role: str
    agent: str | None
    command_id: str
    name: str
    args: str
    """JSON, cut off at 2,000 characters."""
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
