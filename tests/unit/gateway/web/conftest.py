"""Accounts in memory: storage has tests of its own."""

import pytest

from agents.accounts.identity import Account, Session


class Memory:
    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.sessions: dict[str, Session] = {}

    async def get_account(self, username: str) -> Account | None:
        return self.accounts.get(username)

    async def put_account(self, account: Account) -> None:
        self.accounts[account.username] = account

    async def add_session(self, session: Session) -> None:
        self.sessions[session.token_hash] = session

    async def get_signed_in(self, token_hash: str) -> tuple[Session, Account] | None:
        session = self.sessions.get(token_hash)
        account = self.accounts.get(session.username) if session else None
        return (session, account) if session and account else None

    async def delete_session(self, token_hash: str) -> None:
        self.sessions.pop(token_hash, None)

    async def delete_expired_sessions(self, now: float) -> int:
        return 0


@pytest.fixture
def store() -> Memory:
    return Memory()
