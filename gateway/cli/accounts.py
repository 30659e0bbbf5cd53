"""`hotline accounts`: manage who may sign in, and create the first administrator."""

import asyncio
import getpass
import json
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from sqlalchemy.exc import SQLAlchemyError

from agents.accounts.identity import Role
from agents.accounts.service import MAX_PASSWORD, USERNAME, AccountError, AccountService
from domain.audit import AuditEntry, action_entry
from domain.messages import Message
from gateway.cli.main import ConfigOption, app, err, out, read_settings
from gateway.factories import open_database
from gateway.settings import Settings
from gateway.storage.accounts import AccountRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import DatabaseError

Result = TypeVar("Result")
Work = Callable[[AccountService], Awaitable[Result]]

accounts_app = typer.Typer(
    help="Manage who may sign in: add, list and lock accounts, set passwords.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(accounts_app, name="accounts")

Username = Annotated[
    str, typer.Argument(help="1 to 64 letters, digits, '.', '_', '-' or '@'.", show_default=False)
]
PasswordStdin = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help="Read the password from standard input (one line) instead of prompting."
    ),
]


@accounts_app.command("add")
def add(
    username: Username,
    role: Annotated[Role, typer.Option(help="What the account may do.")],
    agent: Annotated[
        str | None,
        typer.Option(help="The configured agent whose phone and calls belong to this person."),
    ] = None,
    password_stdin: PasswordStdin = False,
    config: ConfigOption = None,
) -> None:
    """Create an account. The password is asked for on the terminal, twice.

    An agent's account needs `--agent`. A supervisor's account needs it only for listening in and taking over,
    which take a phone.
    """
    settings = read_settings(config)
    known = [one.id for one in settings.agents]
    if agent is not None and agent not in known:
        _fail(f"no agent {agent!r} in the configuration; known: {', '.join(known) or 'none ([[agents]])'}")
    if agent is None and role is Role.AGENT:
        _fail("an agent's account needs --agent ID, a configured agent")
    if not USERNAME.fullmatch(username):
        _fail(f"username {username!r}: use 1 to 64 letters, digits, '.', '_', '-' or '@'")
    password = _password(password_stdin)

    async def work(accounts: AccountService) -> None:
        await accounts.create_account(username, password, role, agent, replace=False)

    told = {"username": username, "role": role.value, "agent_id": agent}
    _done(settings, "account.create", told, work)
    out.print(f"{role.value} {username} can sign in")


@accounts_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List all accounts by username: role, agent, locked or not."""

    async def show(settings: Settings) -> None:
        async with _Opened(settings) as (accounts, _):
            for one in await accounts.list_accounts():
                if as_json:
                    shown = {
                        "username": one.username,
                        "role": one.role.value,
                        "agent_id": one.agent_id,
                        "disabled": one.disabled,
                    }
                    sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")
                    continue
                locked = "  locked" if one.disabled else ""
                out.print(f"{one.username:<24} {one.role.value:<12} {one.agent_id or '-'}{locked}")

    _run(show(read_settings(config)))


@accounts_app.command("password")
def password(username: Username, password_stdin: PasswordStdin = False, config: ConfigOption = None) -> None:
    """Set a new password. Anyone signed in with the account is signed out."""
    settings = read_settings(config)
    new = _password(password_stdin)
    _done(
        settings,
        "account.password",
        {"username": username},
        lambda accounts: accounts.set_password(username, new),
    )
    out.print(f"{username} has a new password")


@accounts_app.command("disable")
def disable(
    username: Username,
    undo: Annotated[bool, typer.Option("--undo", help="Unlock it.")] = False,
    config: ConfigOption = None,
) -> None:
    """Lock an account and sign it out. Its history is kept; `--undo` unlocks it."""
    _done(
        read_settings(config),
        "account.disabled",
        {"username": username, "disabled": not undo},
        lambda accounts: accounts.disable(username, disabled=not undo),
    )
    out.print(f"{username} is {'open again' if undo else 'locked'}")


class _Opened:
    """The accounts and audit log of the configured database, closed at the end.

    SQLite is upgraded to the newest schema, as the gateway does; any other database must already have it.
    """

    def __init__(self, settings: Settings) -> None:
        self._database = open_database(settings)

    async def __aenter__(self) -> tuple[AccountService, CommandRepository]:
        try:
            if self._database.sqlite:
                await self._database.upgrade()
            await self._database.require_newest()
        except BaseException:
            await self._database.close()
            raise
        repository = AccountRepository(self._database)
        return AccountService(repository, repository), CommandRepository(self._database)

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()


def _done(settings: Settings, name: str, told: dict[str, Any], work: Work[None]) -> None:
    """Do `work` and record it in the audit log, even if it was refused (exit code 2)."""

    async def audited() -> None:
        async with _Opened(settings) as (accounts, audit):
            refused: Message | None = None
            try:
                await work(accounts)
            except AccountError as error:
                refused = error.message
            await audit.note(_entry(name, told, refused))
            if refused:
                _fail(refused.text)

    _run(audited())


def _entry(name: str, told: dict[str, Any], refused: Message | None) -> AuditEntry:
    return action_entry(
        at=time.time(),
        action_id=str(uuid.uuid4()),
        # No account name contains a colon; on the command line the system's user is the actor.
        username=f"console:{getpass.getuser()}"[:64],
        role="console",
        agent=None,
        name=name,
        args=told,
        refused=refused,
    )


def _run(work: Awaitable[Result]) -> Result:
    async def awaited() -> Result:
        return await work

    try:
        return asyncio.run(awaited())
    except (DatabaseError, SQLAlchemyError, OSError) as error:
        # Only the driver's message: SQLAlchemy adds the statement and its parameters.
        cause = getattr(error, "orig", None) or error
        _fail(f"the database: {cause}")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        # Strip only the line ending: a password may begin or end with a space.
        return sys.stdin.readline(MAX_PASSWORD + 2).rstrip("\r\n")
    if not sys.stdin.isatty():
        _fail("no terminal to ask for the password; use --password-stdin")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Repeat password: ") != first:
        _fail("the passwords differ; nothing was changed")
    return first


def _fail(text: str) -> NoReturn:
    err.print(text)
    raise typer.Exit(2) from None
