"""`hotline accounts`: manage who may sign in, and create the first administrator."""

import getpass
import json
import sys
from typing import Annotated

import typer

from agents.accounts.identity import Role
from agents.accounts.service import MAX_PASSWORD, USERNAME, AccountService
from gateway.cli.audited import Opened, done, fail, run
from gateway.cli.main import ConfigOption, app, out, read_settings
from gateway.settings import Settings

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
        fail(f"no agent {agent!r} in the configuration; known: {', '.join(known) or 'none ([[agents]])'}")
    if agent is None and role is Role.AGENT:
        fail("an agent's account needs --agent ID, a configured agent")
    if not USERNAME.fullmatch(username):
        fail(f"username {username!r}: use 1 to 64 letters, digits, '.', '_', '-' or '@'")
    password = _password(password_stdin)

    async def work(accounts: AccountService) -> None:
        await accounts.create_account(username, password, role, agent, replace=False)

    told = {"username": username, "role": role.value, "agent_id": agent}
    done(settings, "account.create", told, lambda opened: work(opened.accounts))
    out.print(f"{role.value} {username} can sign in")


@accounts_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List all accounts by username: role, agent, locked or not."""

    async def show(settings: Settings) -> None:
        async with Opened(settings) as opened:
            for one in await opened.accounts.list_accounts():
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

    run(show(read_settings(config)))


@accounts_app.command("password")
def password(username: Username, password_stdin: PasswordStdin = False, config: ConfigOption = None) -> None:
    """Set a new password. Anyone signed in with the account is signed out."""
    settings = read_settings(config)
    new = _password(password_stdin)
    done(
        settings,
        "account.password",
        {"username": username},
        lambda opened: opened.accounts.set_password(username, new),
    )
    out.print(f"{username} has a new password")


@accounts_app.command("disable")
def disable(
    username: Username,
    undo: Annotated[bool, typer.Option("--undo", help="Unlock it.")] = False,
    config: ConfigOption = None,
) -> None:
    """Lock an account and sign it out. Its history is kept; `--undo` unlocks it."""
    done(
        read_settings(config),
        "account.disabled",
        {"username": username, "disabled": not undo},
        lambda opened: opened.accounts.disable(username, disabled=not undo),
    )
    out.print(f"{username} is {'open again' if undo else 'locked'}")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        # Strip only the line ending: a password may begin or end with a space.
        return sys.stdin.readline(MAX_PASSWORD + 2).rstrip("\r\n")
    if not sys.stdin.isatty():
        fail("no terminal to ask for the password; use --password-stdin")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Repeat password: ") != first:
        fail("the passwords differ; nothing was changed")
    return first
