"""Accounts and sessions: implements the ports of `agents.accounts.service` in SQL."""

from typing import Any

from msgspec import structs
from sqlalchemy import Select, delete, insert, select, update

from agents.accounts.identity import Account, Role, Session
from gateway.storage.database import Database
from gateway.storage.rows import upsert
from gateway.storage.tables import accounts, sessions


class AccountRepository:
    """Implements `AccountStore` and `SessionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_account(self, username: str) -> Account | None:
        found = await self._accounts(select(accounts).where(accounts.c.username == username))
        return next(iter(found), None)

    async def list_accounts(self) -> list[Account]:
        return await self._accounts(select(accounts).order_by(accounts.c.username))

    async def _accounts(self, query: Select[Any]) -> list[Account]:
        rows = [row._mapping for row in await self._database.rows(query)]
        return [Account(**{**row, "role": Role(row["role"])}) for row in rows]

    async def put_account(self, account: Account) -> None:
        row = structs.asdict(account) | {"role": account.role.value}
        statement = upsert(self._database, accounts, ["username"], [c for c in row if c != "username"])
        async with self._database.writing() as connection:
            await connection.execute(statement, [row])

    async def set_password_hash(self, username: str, password_hash: str) -> None:
        async with self._database.writing() as connection:
            await connection.execute(
                update(accounts).where(accounts.c.username == username).values(password_hash=password_hash)
            )

    async def add_session(self, session: Session) -> None:
        async with self._database.writing() as connection:
            await connection.execute(insert(sessions), [structs.asdict(session)])

    async def get_signed_in(self, token_hash: str) -> tuple[Session, Account] | None:
        query = (
            select(sessions, accounts)
            .join(accounts, accounts.c.username == sessions.c.username)
            .where(sessions.c.token_hash == token_hash)
        )
        row = next(iter(await self._database.rows(query)), None)
        if row is None:
            return None
        split = len(sessions.c)
        account = dict(zip(accounts.c.keys(), row[split:], strict=True))
        session = Session(**dict(zip(sessions.c.keys(), row[:split], strict=True)))
        return session, Account(**{**account, "role": Role(account["role"])})

    async def delete_session(self, token_hash: str) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))

    async def delete_sessions_of(self, username: str) -> list[str]:
        async with self._database.writing() as connection:
            tokens = await connection.scalars(
                select(sessions.c.token_hash).where(sessions.c.username == username)
            )
            found = list(tokens)
            await connection.execute(delete(sessions).where(sessions.c.username == username))
        return found

    async def delete_expired_sessions(self, now: float) -> int:
        async with self._database.writing() as connection:
            result = await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
        return result.rowcount
