"""`hotline tokens` on a real database."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agents.accounts.identity import Scope, SystemIdentity
from gateway.cli import app
from gateway.cli.audited import Opened
from gateway.settings import load_settings

RUNNER = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hotline.toml"
    path.write_text(
        'data_dir = "data"\n[[lines]]\nid = "12345"\nname = "12345"\nqueue = "q"\n', encoding="utf-8"
    )
    return path


def tokens(config: Path, *words: str) -> Result:
    return RUNNER.invoke(app, ["tokens", *words, "-c", str(config)])


def held(config: Path, text: str) -> SystemIdentity | None:
    async def ask() -> SystemIdentity | None:
        async with Opened(load_settings(config)) as opened:
            who = await opened.tokens.authenticate(text)
            await opened.tokens.settle()
            return who

    return asyncio.run(ask())


def audited(config: Path) -> list[tuple[str, bool, str]]:
    async def read() -> list[tuple[str, bool, str]]:
        async with Opened(load_settings(config)) as opened:
            return [(one.name, one.ok, one.args) for one in reversed(await opened.audit.list_audit())]

    return asyncio.run(read())


def test_a_token_is_printed_once_and_opens_until_it_is_revoked(config: Path) -> None:
    made = tokens(
        config, "create", "共享平台", "--scope", "export:read", "--scope", "orders:read", "--line", "12345",
        "--owner", "信息中心", "--expires", "90d",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    token = made.stdout.strip()
    who = held(config, token)
    assert who is not None and who.scopes == {Scope.EXPORT_READ, Scope.ORDERS_READ}
    assert who.lines == {"12345"} and who.name == "共享平台"
    listed = tokens(config, "list", "--json")
    (one,) = [json.loads(line) for line in listed.stdout.splitlines()]
    assert one["owner"] == "信息中心" and one["last_used_at"] is not None and "secret_hash" not in one
    assert one["expires_at"] - one["created_at"] == pytest.approx(90 * 86400, abs=7200)
    assert who.token_id in tokens(config, "list").stdout and token not in tokens(config, "list").stdout
    assert tokens(config, "revoke", who.token_id).exit_code == 0
    assert held(config, token) is None
    assert "revoked" in tokens(config, "list").stdout
    again = tokens(config, "revoke", who.token_id)
    assert again.exit_code == 2 and "no token" in again.stderr
    noted = audited(config)
    assert [(name, ok) for name, ok, _ in noted] == [
        ("token.create", True),
        ("token.revoke", True),
        ("token.revoke", False),
    ]
    assert who.token_id in noted[0][2] and not any(token[-20:] in args for _, _, args in noted)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--scope", "everything"), "everything"),
        ((), "scope"),
        (("--scope", "orders:read", "--line", "nowhere"), "no line nowhere; lines are 12345"),
        (("--scope", "orders:read", "--expires", "2001-01-01"), "must expire in the future"),
        (("--scope", "orders:read", "--expires", "soon"), "write a day like 2027-01-01"),
        (("--scope", "orders:read", "--expires", "99999999999d"), "write a day like 2027-01-01"),
    ],
)
def test_what_cannot_be_is_refused_with_the_fix(config: Path, words: tuple[str, ...], why: str) -> None:
    refused = tokens(config, "create", "a", *words)
    assert refused.exit_code == 2 and why in " ".join(refused.stderr.split())
    assert tokens(config, "list", "--json").stdout == ""
