"""Roles, permissions, scopes, and who asks: a person who has signed in, or a system with a token. Pure."""

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
    """Who may sign in, and which systems have a token."""
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

    def serves(self, line: str | None) -> bool:
        """Whether what belongs to that line is theirs to see at all: people are not limited to lines."""
        return True


class Scope(StrEnum):
    """What a token opens. Whatever no scope names is closed to all tokens."""

    HISTORY_READ = "history:read"
    """Calls of the past, what was said on them, and searching calls and orders."""
    ORDERS_READ = "orders:read"
    """One order by its id, with what became of it."""
    EXPORT_READ = "export:read"
    """Changes of orders and calls, one after the other."""
    METRICS_READ = "metrics:read"
    """What Prometheus scrapes, from another machine."""
    INTAKE_WRITE = "intake:write"
    """Matters that are no calls, and requests to be called back."""


SYSTEM = "system"
"""The role of whoever asks with a token, where people have one of `Role`: for visibility and the audit."""


class ApiToken(Struct, frozen=True):
    """A token of another system as stored. Instants are POSIX seconds."""

    id: str
    """12 hex digits: the part of the token that is no secret, shown in lists and in the audit."""
    secret_hash: str
    """SHA-256 of the secret part (256 random bits), 64 hex digits."""
    name: str
    """Of the system that holds it."""
    owner: str
    """Who answers for it: a person or an office."""
    scopes: tuple[Scope, ...]
    created_at: float
    created_by: str
    lines: tuple[str, ...] = ()
    """It opens only what belongs to these lines; empty: to any."""
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    """To within a minute."""

    def valid(self, now: float) -> bool:
        """Whether it opens anything at instant `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class SystemIdentity(Struct, frozen=True):
    """A system that asks with a token."""

    token_id: str
    name: str
    scopes: frozenset[Scope]
    lines: frozenset[str]

    @property
    def username(self) -> str:
        """Who it is in the audit; no account's name holds a colon."""
        return f"token:{self.token_id}"

    @property
    def role(self) -> str:
        """Its role, for visibility and the audit."""
        return SYSTEM

    @property
    def agent_id(self) -> None:
        """It is no agent."""
        return None

    def may(self, permission: Permission) -> bool:
        """Permissions are for people: what a token opens are its scopes."""
        return False

    def serves(self, line: str | None) -> bool:
        """Whether what belongs to that line is this system's to see."""
        return not self.lines or line in self.lines


Principal = Identity | SystemIdentity
"""Who asks."""


class SignedIn(Struct, frozen=True):
    """The result of a login: the only moment at which the token is known."""

    token: str
    identity: Identity
