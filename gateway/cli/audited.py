"""Accounts and tokens managed on the gateway's machine: done on the database, and audited."""

import asyncio
import getpass
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn, TypeVar

import typer
from sqlalchemy.exc import SQLAlchemyError

from agents.accounts.service import AccountService
from agents.accounts.tokens import TokenService
from domain.audit import AuditEntry, action_entry
from domain.messages import Message
from domain.refusals import Refusal
from gateway.cli.main import err
from gateway.factories import open_database
from gateway.settings import Settings
from gateway.storage.accounts import AccountRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import DatabaseError
from gateway.storage.tokens import TokenRepository

Result = TypeVar("Result")


class Opened:
    """Accounts, tokens and the audit log of the configured database, closed at the end.

    SQLite is upgraded to the newest schema, as the gateway does; any other database must already have it.
    """

    def __init__(self, settings: Settings) -> None:
        self._database = open_database(settings)
        repository = AccountRepository(self._database)
        self.accounts = AccountService(repository, repository)
        self.tokens = TokenService(
            TokenRepository(self._database), known_lines=[line.id for line in settings.lines]
        )
        self.audit = CommandRepository(self._database)

    async def __aenter__(self) -> "Opened":
        try:
            if self._database.sqlite:
                await self._database.upgrade()
            await self._database.require_newest()
        except BaseException:
            await self._database.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()


Work = Callable[[Opened], Awaitable[Result]]


def done(
    settings: Settings,
    name: str,
    told: Mapping[str, Any],
    work: Work[Result],
    more: Callable[[Result], Mapping[str, Any]] = lambda _: {},
) -> Result:
    """Do `work` and record it in the audit log with `told`, even if it was refused (exit code 2).

    `more`: what the result adds to `told`.
    """

    async def audited() -> Result:
        async with Opened(settings) as opened:
            try:
                result = await work(opened)
            except Refusal as error:
                await opened.audit.note(_entry(name, told, error.message))
                fail(error.message.text)
            await opened.audit.note(_entry(name, {**more(result), **told}, None))
            return result

    return run(audited())


def actor() -> str:
    """Who acts on the command line: the system's user. No account's name contains a colon."""
    return f"console:{getpass.getuser()}"[:64]


def _entry(name: str, told: Mapping[str, Any], refused: Message | None) -> AuditEntry:
    return action_entry(
        at=time.time(),
        action_id=str(uuid.uuid4()),
        username=actor(),
        role="console",
        agent=None,
        name=name,
        args=told,
        refused=refused,
    )


def run(work: Awaitable[Result]) -> Result:
    """The result of the work; what the database says against it ends the command with code 2."""

    async def awaited() -> Result:
        return await work

    try:
        return asyncio.run(awaited())
    except (DatabaseError, SQLAlchemyError, OSError) as error:
        # Only the driver's message: SQLAlchemy adds the statement and its parameters.
        cause = getattr(error, "orig", None) or error
        fail(f"the database: {cause}")


def fail(text: str) -> NoReturn:
    """Say why, and end with code 2."""
    err.print(text)
    raise typer.Exit(2) from None
