"""Roles, permissions, and who is signed in. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


class Permission(StrEnum):
    """What an account may do. An agent's own calls and orders are theirs without any of these."""

    SEE_ALL = "see_all"
    """Every call, agent and order, not only one's own."""
    EDIT_ALL_ORDERS = "edit_all_orders"
    SEE_DELIVERIES = "see_deliveries"
    RETRY_DELIVERIES = "retry_deliveries"
    SEE_METRICS = "see_metrics"
    COMMAND_ALL = "command_all"
    """Command every agent's state and calls; listen, whisper, barge in, take over."""
    SEE_AUDIT = "see_audit"
    LISTEN_RECORDINGS = "listen_recordings"
    """Hear recordings of calls one had no part in."""
    EXPORT = "export"
    """Take tables out of the house."""
    MANAGE_ACCOUNTS = "manage_accounts"
    SEE_DEPLOYMENT = "see_deployment"
    """What is configured and whether it works: hosts, endpoints, the doctor."""


_SUPERVISES = frozenset(Permission) - {Permission.MANAGE_ACCOUNTS, Permission.SEE_DEPLOYMENT}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.AGENT: frozenset(),
    Role.SUPERVISOR: _SUPERVISES,
    Role.ADMIN: frozenset(Permission),
}


class Account(Struct, frozen=True):
    """One account as stored."""

    username: str
    password_hash: str
    """Argon2id in PHC form."""
    role: Role
    agent_id: str | None = None
    """The agent this person is, if any (`AgentStatus.id`)."""
    disabled: bool = False


class Session(Struct, frozen=True):
    """One signed-in browser as stored. Instants are POSIX seconds."""

    token_hash: str
    """SHA-256 of the token, 64 hex digits; the token itself is only in the browser's cookie."""
    username: str
    created_at: float
    expires_at: float
    csrf: str
    """What unsafe requests must repeat in a header."""


class Identity(Struct, frozen=True):
    """A signed-in person: what the web and the stream ask about."""

    username: str
    role: Role
    agent_id: str | None
    token_hash: str
    expires_at: float
    csrf: str

    def may(self, permission: Permission) -> bool:
        """Whether this person's role grants `permission`."""
        return permission in PERMISSIONS[self.role]


class SignedIn(Struct, frozen=True):
    """The result of a login: the only moment at which the token is known."""

    token: str
    identity: Identity
