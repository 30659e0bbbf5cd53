"""`hotline tokens`: manage which other systems may ask the HTTP API, and for what."""

import sys
import time
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import typer

from agents.accounts.identity import ApiToken, Scope
from agents.accounts.tokens import MadeToken
from gateway.cli.audited import Opened, actor, done, fail, run
from gateway.cli.main import ConfigOption, app, err, out, read_settings
from gateway.settings import Settings
from gateway.web.routes.tokens import without_secret

tokens_app = typer.Typer(
    help="Manage API tokens: which other systems may ask the HTTP API, and for what.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(tokens_app, name="tokens")


@tokens_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The system that will hold the token.", show_default=False)],
    scope: Annotated[list[Scope], typer.Option(help="What the token opens; may be given several times.")],
    line: Annotated[
        list[str] | None,
        typer.Option(help="Open only what belongs to this line; may be given several times. Default: all."),
    ] = None,
    owner: Annotated[str, typer.Option(help="Who answers for it: a person or an office.")] = "",
    expires: Annotated[
        str | None,
        typer.Option(help="The first day on which it is no longer valid, e.g. 2027-01-01; or 90d for days."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Make a token and print it: the only time that it can be read.

    The token alone goes to standard output. Systems send it as `Authorization: Bearer TOKEN`.
    """
    settings = read_settings(config)
    expires_at = _instant(expires, settings.timezone)
    asked: dict[str, Any] = {"owner": owner, "lines": line or [], "expires_at": expires_at}
    told = {"name": name, "scopes": [one.value for one in scope], **asked}

    def work(opened: Opened) -> Any:
        return opened.tokens.create(name, scope, by=actor(), **asked)

    made: MadeToken = done(settings, "token.create", told, work, lambda made: {"id": made.token.id})
    sys.stdout.write(made.text + "\n")
    err.print(f"token {made.token.id} of {name} opens {', '.join(made.token.scopes)}; it is not shown again")


@tokens_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List all tokens, the newest first: what they open, whose they are, when they were last used."""
    settings = read_settings(config)

    async def show(settings: Settings) -> None:
        async with Opened(settings) as opened:
            for one in await opened.tokens.list_tokens():
                if as_json:
                    sys.stdout.write(msgspec.json.encode(without_secret(one)).decode() + "\n")
                else:
                    out.print(_line(one, settings.timezone))

    run(show(settings))


@tokens_app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `hotline tokens list` shows it.")],
    config: ConfigOption = None,
) -> None:
    """Revoke a token: from the next request on it opens nothing."""
    done(
        read_settings(config), "token.revoke", {"id": token_id}, lambda opened: opened.tokens.revoke(token_id)
    )
    out.print(f"token {token_id} is revoked")


def _line(token: ApiToken, timezone: str) -> str:
    def day(at: float | None) -> str:
        return "never" if at is None else f"{datetime.fromtimestamp(at, ZoneInfo(timezone)):%Y-%m-%d %H:%M}"

    valid = "valid" if token.valid(time.time()) else "expired"
    state = valid if token.revoked_at is None else "revoked"
    opens = ",".join(token.scopes) + (f" of {','.join(token.lines)}" if token.lines else "")
    whose = f"{token.name} ({token.owner})" if token.owner else token.name
    times = f"expires {day(token.expires_at)}  used {day(token.last_used_at)}"
    return f"{token.id}  {state:<8} {whose}  {opens}  {times}"


def _instant(text: str | None, timezone: str) -> float | None:
    if text is None:
        return None
    zone = ZoneInfo(timezone)
    try:
        if text.endswith("d"):
            return (datetime.now(zone) + timedelta(days=int(text[:-1]))).timestamp()
        return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        fail(f"--expires {text}: write a day like 2027-01-01, or days like 90d")
