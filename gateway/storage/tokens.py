"""API tokens in SQL: implements `TokenStore` of `agents.accounts.tokens`."""

import json
from typing import Any

from msgspec import structs
from sqlalchemy import RowMapping, insert, select, update

from agents.accounts.identity import ApiToken, Scope
from gateway.storage.database import Database
from gateway.storage.tables import api_tokens


class TokenRepository:
    """The table `api_tokens`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_token(self, token: ApiToken) -> None:
        """Add it."""
        row: dict[str, Any] = structs.asdict(token)
        row |= {"scopes": json.dumps(token.scopes), "lines": json.dumps(token.lines)}
        async with self._database.writing() as connection:
            await connection.execute(insert(api_tokens), [row])

    async def get_token(self, token_id: str) -> ApiToken | None:
        """Return the token of that id, valid or not."""
        rows = await self._database.rows(select(api_tokens).where(api_tokens.c.id == token_id))
        return next((_token(row._mapping) for row in rows), None)

    async def list_tokens(self) -> list[ApiToken]:
        """Return all, the newest first."""
        query = select(api_tokens).order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
        return [_token(row._mapping) for row in await self._database.rows(query)]

    async def revoke_token(self, token_id: str, at: float) -> bool:
        """Revoke it; whether there was one that had not been revoked."""
        mine = (api_tokens.c.id == token_id) & api_tokens.c.revoked_at.is_(None)
        async with self._database.writing() as connection:
            done = await connection.execute(update(api_tokens).where(mine).values(revoked_at=at))
        return done.rowcount == 1

    async def set_token_used(self, token_id: str, at: float) -> None:
        """Write down when it was last used; never an earlier instant."""
        earlier = api_tokens.c.last_used_at.is_(None) | (api_tokens.c.last_used_at < at)
        async with self._database.writing() as connection:
            await connection.execute(
                update(api_tokens).where(api_tokens.c.id == token_id, earlier).values(last_used_at=at)
            )


def _token(row: RowMapping) -> ApiToken:
    # A scope that this version does not know (a newer one made the token) opens nothing.
    known = {scope.value: scope for scope in Scope}
    scopes = tuple(known[name] for name in json.loads(row["scopes"]) if name in known)
    return ApiToken(**{**row, "scopes": scopes, "lines": tuple(json.loads(row["lines"]))})
