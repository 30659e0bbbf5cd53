"""API tokens of other systems: made, shown once, checked at every request, revoked.

A token is `hotline_<id>_<secret>`. The id finds it; of the secret (256 random bits, which need no slow hash)
only the SHA-256 is kept. The port below is implemented by the storage room.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Iterable
from hmac import compare_digest
from time import time
from typing import Protocol

from msgspec import Struct

from agents.accounts.identity import ApiToken, Scope, SystemIdentity
from agents.accounts.throttle import RequestThrottle
from domain.refusals import Refusal
from domain.text import is_line

TOKEN = re.compile(r"hotline_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
MAX_NAME = 64
MAX_LINES = 100
USED_S = 60.0
"""When a token was last used is written down no more often."""
PER_MINUTE = 600.0
NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
"""What an unknown token is compared with."""


class TokenStore(Protocol):
    """Port: the table `api_tokens`."""

    async def add_token(self, token: ApiToken) -> None: ...

    async def get_token(self, token_id: str) -> ApiToken | None: ...

    async def list_tokens(self) -> list[ApiToken]:
        """All, the newest first, with those that are revoked or have expired."""
        ...

    async def revoke_token(self, token_id: str, at: float) -> bool:
        """Whether there was one that had not been revoked."""
        ...

    async def set_token_used(self, token_id: str, at: float) -> None: ...


class TokenError(Refusal, ValueError):
    """A token cannot be made or revoked like that."""


class TokenThrottledError(Refusal):
    """The system asks too often; `retry_after` seconds to wait."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__("token_throttled", seconds=max(1, round(retry_after)))


class MadeToken(Struct, frozen=True):
    """A new token: the only moment at which its text is known."""

    text: str
    token: ApiToken


class TokenService:
    """Makes, checks and revokes tokens."""

    def __init__(
        self,
        store: TokenStore,
        *,
        known_lines: Collection[str] = (),
        per_minute: float = PER_MINUTE,
        clock: Callable[[], float] = time,
    ) -> None:
        """`known_lines`: those a token may be limited to; `per_minute`: requests of one token."""
        self._store = store
        self._lines = frozenset(known_lines)
        self._throttle = RequestThrottle(per_minute)
        self._clock = clock
        self._used: dict[str, float] = {}
        self._noting: set[asyncio.Task[None]] = set()

    async def create(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        by: str,
        owner: str = "",
        lines: Iterable[str] = (),
        expires_at: float | None = None,
    ) -> MadeToken:
        """Make a token; `expires_at`: POSIX seconds, `None`: it is valid until it is revoked.

        Raises:
            TokenError: what is wrong with it, and the fix.
        """
        now = self._clock()
        wanted, limited = tuple(sorted(set(scopes))), tuple(sorted(set(lines)))
        for what, text, least in (("name", name, 1), ("owner", owner, 0)):
            if not least <= len(text) <= MAX_NAME or (text and not is_line(text)) or text != text.strip():
                raise TokenError("token_text", what=what, most=MAX_NAME)
        if not wanted:
            raise TokenError("token_scopes", scopes=", ".join(Scope))
        if unknown := [line for line in limited if line not in self._lines]:
            raise TokenError(
                "token_lines", lines=", ".join(unknown[:5]), known=", ".join(sorted(self._lines))
            )
        if expires_at is not None and not now < expires_at < now + 100 * 366 * 86400:
            raise TokenError("token_expiry")
        secret = secrets.token_urlsafe(32)
        token = ApiToken(
            id=secrets.token_hex(6),
            secret_hash=_hashed(secret),
            name=name,
            owner=owner,
            scopes=wanted,
            created_at=now,
            created_by=by,
            lines=limited,
            expires_at=expires_at,
        )
        await self._store.add_token(token)
        return MadeToken(f"hotline_{token.id}_{secret}", token)

    async def list_tokens(self) -> list[ApiToken]:
        """All, the newest first, with those that are revoked or have expired."""
        return await self._store.list_tokens()

    async def revoke(self, token_id: str) -> None:
        """It opens nothing any more, from the next request on.

        Raises:
            TokenError: there is no such token, or it has been revoked.
        """
        if not await self._store.revoke_token(token_id, self._clock()):
            raise TokenError("token_unknown", token=repr(token_id[:40]))

    async def authenticate(self, text: str) -> SystemIdentity | None:
        """Whose token this is; `None`: nobody's, or it has expired or been revoked.

        Raises:
            TokenThrottledError: that system asks too often.
        """
        parts = TOKEN.fullmatch(text)
        if parts is None:
            return None
        token = await self._store.get_token(parts[1])
        right = compare_digest(_hashed(parts[2]), NOBODY if token is None else token.secret_hash)
        now = self._clock()
        if token is None or not right or not token.valid(now):
            return None
        if wait := self._throttle.attempt(token.id, now):
            raise TokenThrottledError(wait)
        self._note_use(token, now)
        return SystemIdentity(token.id, token.name, frozenset(token.scopes), frozenset(token.lines))

    def _note_use(self, token: ApiToken, now: float) -> None:
        last = self._used.get(token.id, token.last_used_at)
        if last is not None and 0 <= now - last < USED_S:
            return
        self._used[token.id] = now
        # Beside the request: a database that is slow to write holds up nobody who reads.
        task = asyncio.create_task(self._store.set_token_used(token.id, now), name="token used")
        self._noting.add(task)
        task.add_done_callback(self._noted)

    def _noted(self, task: asyncio.Task[None]) -> None:
        self._noting.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asks next writes it down again

    async def settle(self) -> None:
        """Wait until what is being written down is written: before the database is closed."""
        if self._noting:
            await asyncio.wait(self._noting)


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
