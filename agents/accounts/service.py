"""Accounts and sessions: who may sign in.

Only hashes are kept: of passwords (Argon2id) and of session tokens (SHA-256 of 256 random bits, which
need no slow hash). The ports below are implemented by the storage room.
"""

import hashlib
import re
import secrets
from collections.abc import Callable
from time import time
from typing import Protocol

from msgspec import structs

from agents.accounts.crowd import Crowd
from agents.accounts.hashing import Hashing
from agents.accounts.identity import Account, Identity, Role, Session, SignedIn
from agents.accounts.passwords import Passwords
from agents.accounts.throttle import LoginThrottle
from domain.refusals import Refusal

USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
MIN_PASSWORD = 8
MAX_PASSWORD = 256
SWEEP_S = 60.0
"""Expired sessions are deleted no more often: a shift that signs in would wait for the disk twice as long."""


class AccountStore(Protocol):
    """Port: the table `accounts`."""

    async def get_account(self, username: str) -> Account | None: ...

    async def list_accounts(self) -> list[Account]:
        """All, by username."""
        ...

    async def put_account(self, account: Account) -> None:
        """Add the account, or replace the one of that username."""
        ...

    async def set_password_hash(self, username: str, password_hash: str) -> None:
        """Replace only the hash; nothing happens where there is no such account."""
        ...


class SessionStore(Protocol):
    """Port: the table `sessions`."""

    async def add_session(self, session: Session) -> None: ...

    async def get_signed_in(self, token_hash: str) -> tuple[Session, Account] | None:
        """The session with its account, in one question: every request asks it."""
        ...

    async def delete_session(self, token_hash: str) -> None:
        """Nothing happens where there is none."""
        ...

    async def delete_sessions_of(self, username: str) -> list[str]:
        """Delete a person's sessions; the `token_hash` of each."""
        ...

    async def delete_expired_sessions(self, now: float) -> int:
        """Delete those with `expires_at <= now`; how many."""
        ...


class LoginRefusedError(Refusal):
    """Wrong name or password, or a disabled account: the three are not told apart."""


class LoginThrottledError(Refusal):
    """Too many attempts; `retry_after` seconds to wait."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__("login_throttled", seconds=round(retry_after))


class AccountError(Refusal, ValueError):
    """An account cannot be made or changed like that."""


def token_hash(token: str) -> str:
    """The form in which a session token is stored and looked up: 64 hex digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class AccountService:
    """Login, logout and "who is this", over the two ports."""

    def __init__(
        self,
        accounts: AccountStore,
        sessions: SessionStore,
        *,
        passwords: Passwords | None = None,
        throttle: LoginThrottle | None = None,
        session_s: float = 12 * 3600.0,
        clock: Callable[[], float] = time,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._passwords = passwords or Passwords()
        self._throttle = throttle or LoginThrottle()
        self._session_s = session_s
        self._clock = clock
        self._revoked: list[Callable[[str], None]] = []
        self._hashing = Hashing(self._passwords)
        self._crowd = Crowd()
        self._swept_at = -SWEEP_S

    def on_revoked(self, listener: Callable[[str], None]) -> None:
        """Call `listener(token_hash)` whenever a session ends before its time (logout, new password)."""
        self._revoked.append(listener)

    async def login(self, username: str, password: str, address: str) -> SignedIn:
        """Sign in from network address `address`.

        Raises:
            LoginThrottledError: too many attempts on this account or from this address.
            LoginRefusedError: wrong name or password, or disabled.
        """
        # The attempt is paid for before it is tried: parallel guesses win nothing.
        while wait := self._throttle.attempt(username, address, self._clock()):
            mine = self._throttle.account_wait(username, self._clock())
            if mine > 0 or not await self._crowd.wait(address):
                raise LoginThrottledError(wait)
        self._crowd.begin(address)
        account = None
        try:
            account = await self._checked(username, password)
            if account is None:
                raise LoginRefusedError("login_wrong")
            now = self._clock()
            self._throttle.succeeded(username, address, now)
        finally:
            self._crowd.end(address, right=account is not None)
        if self._passwords.outdated(account.password_hash):
            await self._accounts.set_password_hash(username, await self._hashing.hash(password))
        if now - self._swept_at >= SWEEP_S:
            self._swept_at = now
            await self._sessions.delete_expired_sessions(now)
        token = secrets.token_urlsafe(32)
        session = Session(
            token_hash=token_hash(token),
            username=account.username,
            created_at=now,
            expires_at=now + self._session_s,
            csrf=secrets.token_urlsafe(32),
        )
        await self._sessions.add_session(session)
        return SignedIn(token=token, identity=_identity(account, session))

    async def _checked(self, username: str, password: str) -> Account | None:
        """The account, if the password is its own and it is not disabled."""
        account = await self._accounts.get_account(username) if USERNAME.fullmatch(username) else None
        # An unknown name costs the same Argon2 run as a known one.
        known = account.password_hash if account else None
        right = await self._hashing.verify(known, password[: MAX_PASSWORD + 1])
        return account if account is not None and right and not account.disabled else None

    async def authenticate(self, token: str) -> Identity | None:
        """Whose token this is; `None` if it is unknown or expired, or the account is gone or disabled."""
        found = await self._sessions.get_signed_in(token_hash(token))
        if found is None:
            return None
        session, account = found
        if session.expires_at <= self._clock() or account.disabled:
            return None
        return _identity(account, session)

    async def logout(self, token: str) -> None:
        """End the session; nothing happens where there is none."""
        key = token_hash(token)
        await self._sessions.delete_session(key)
        self._tell_revoked(key)

    async def create_account(
        self, username: str, password: str, role: Role, agent_id: str | None = None, *, replace: bool = True
    ) -> Account:
        """Add an account; with `replace`, one of the same name gives way to it.

        Raises:
            AccountError: the name or the password will not do, or the name is taken.
        """
        if not USERNAME.fullmatch(username):
            raise AccountError("account_name", username=repr(username))
        _check_password(password)
        if not replace and await self._accounts.get_account(username) is not None:
            raise AccountError("account_taken", username=repr(username))
        account = Account(username, await self._hashing.hash(password), role, agent_id)
        await self._accounts.put_account(account)
        return account

    async def list_accounts(self) -> list[Account]:
        """All, by username."""
        return await self._accounts.list_accounts()

    async def set_password(self, username: str, password: str) -> None:
        """Give an account a new password and end its sessions.

        Raises:
            AccountError: no such account, or the password will not do.
        """
        if await self._accounts.get_account(username) is None:
            raise AccountError("account_unknown", username=repr(username))
        _check_password(password)
        await self._accounts.set_password_hash(username, await self._hashing.hash(password))
        await self._end_sessions(username)

    async def disable(self, username: str, *, disabled: bool = True) -> None:
        """Lock an account (and end its sessions), or open it again.

        Raises:
            AccountError: no such account.
        """
        account = await self._accounts.get_account(username)
        if account is None:
            raise AccountError("account_unknown", username=repr(username))
        await self._accounts.put_account(structs.replace(account, disabled=disabled))
        if disabled:
            await self._end_sessions(username)

    async def _end_sessions(self, username: str) -> None:
        for key in await self._sessions.delete_sessions_of(username):
            self._tell_revoked(key)

    def _tell_revoked(self, key: str) -> None:
        for listener in self._revoked:
            listener(key)


def _identity(account: Account, session: Session) -> Identity:
    return Identity(
        username=account.username,
        role=account.role,
        agent_id=account.agent_id,
        token_hash=session.token_hash,
        expires_at=session.expires_at,
        csrf=session.csrf,
    )


def _check_password(password: str) -> None:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise AccountError("password_length", least=MIN_PASSWORD, most=MAX_PASSWORD, length=len(password))
