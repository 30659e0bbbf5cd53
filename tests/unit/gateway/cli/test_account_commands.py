"""`hotline accounts` on a real database."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agents.accounts.identity import Identity
from agents.accounts.service import AccountService, LoginRefusedError
from domain.audit import AuditEntry
from gateway.cli import app
from gateway.factories import open_database
from gateway.settings import load_settings
from gateway.storage.accounts import AccountRepository
from gateway.storage.command_log import CommandRepository

RUNNER = CliRunner()
PASSWORD = " eight or more "


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hotline.toml"
    path.write_text(
        'data_dir = "data"\n[[lines]]\nid = "12345"\nname = "12345"\nqueue = "q"\n'
        '[[agents]]\nid = "1001"\nname = "王芳"\nphone = "PJSIP/1001"\nlines = { "12345" = 0 }\n',
        encoding="utf-8",
    )
    return path


def accounts(config: Path, *words: str, password: str | None = None) -> Result:
    more = [] if password is None else ["--password-stdin"]
    typed = None if password is None else password + "\n"
    return RUNNER.invoke(app, ["accounts", *words, *more, "-c", str(config)], input=typed)


def listed(config: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in accounts(config, "list", "--json").stdout.splitlines()]


def signed_in(config: Path, username: str, password: str) -> Identity | None:
    async def login() -> Identity | None:
        database = open_database(load_settings(config))
        try:
            repository = AccountRepository(database)
            service = AccountService(repository, repository)
            return (await service.login(username, password, "127.0.0.1")).identity
        except LoginRefusedError:
            return None
        finally:
            await database.close()

    return asyncio.run(login())


def audit(config: Path) -> list[AuditEntry]:
    async def read() -> list[AuditEntry]:
        database = open_database(load_settings(config))
        try:
            return await CommandRepository(database).list_audit(limit=50)
        finally:
            await database.close()

    return asyncio.run(read())


def test_the_first_administrator_is_made_signs_in_and_is_locked(config: Path) -> None:
    made = accounts(config, "add", "guanli", "--role", "admin", password=PASSWORD)
    assert (made.exit_code, made.output.strip()) == (0, "admin guanli can sign in")
    who = signed_in(config, "guanli", PASSWORD)
    assert who is not None and who.role == "admin"
    assert listed(config) == [{"username": "guanli", "role": "admin", "agent_id": None, "disabled": False}]

    assert accounts(config, "password", "guanli", password="another one").exit_code == 0
    assert signed_in(config, "guanli", PASSWORD) is None
    assert signed_in(config, "guanli", "another one") is not None

    assert accounts(config, "disable", "guanli").exit_code == 0
    assert signed_in(config, "guanli", "another one") is None
    assert "locked" in accounts(config, "list").output
    assert accounts(config, "disable", "guanli", "--undo").exit_code == 0
    assert signed_in(config, "guanli", "another one") is not None

    entries = audit(config)
    assert [one.name for one in entries][::-1] == [
        "account.create",
        "account.password",
        "account.disabled",
        "account.disabled",
    ]
    assert all(one.username.startswith("console:") and one.ok for one in entries)
    assert not any(PASSWORD in one.args or "another one" in one.args for one in entries)


def test_an_agents_account_is_an_agents_of_the_configuration(config: Path) -> None:
    missing = accounts(config, "add", "wang", "--role", "agent", password=PASSWORD)
    assert missing.exit_code == 2 and "--agent" in missing.output
    unknown = accounts(config, "add", "wang", "--role", "agent", "--agent", "7", password=PASSWORD)
    assert unknown.exit_code == 2 and "1001" in unknown.output
    assert (
        accounts(config, "add", "wang", "--role", "agent", "--agent", "1001", password=PASSWORD).exit_code
        == 0
    )
    assert [(one["username"], one["agent_id"]) for one in listed(config)] == [("wang", "1001")]


@pytest.mark.parametrize(
    ("words", "password", "says"),
    [
        (("add", "wang", "--role", "admin"), PASSWORD, "already"),
        (("add", "li qiang", "--role", "admin"), PASSWORD, "username"),
        (("add", "liqiang", "--role", "admin"), "short", "8 to 256"),
        (("add", "liqiang", "--role", "admin"), "x" * 300, "8 to 256"),
        (("add", "liqiang", "--role", "admin"), None, "--password-stdin"),
        (("password", "nobody"), PASSWORD, "no account"),
        (("disable", "nobody"), None, "no account"),
    ],
)
def test_a_refusal_says_why_and_changes_nothing(
    config: Path, words: tuple[str, ...], password: str | None, says: str
) -> None:
    accounts(config, "add", "wang", "--role", "supervisor", password=PASSWORD)
    before = listed(config)
    refused = accounts(config, *words, password=password)
    assert refused.exit_code == 2
    assert says in refused.output
    assert listed(config) == before
    assert signed_in(config, "wang", PASSWORD) is not None
    # What reached the accounts and was refused is in the audit too.
    assert all(one.message for one in audit(config) if not one.ok)


def test_a_database_that_cannot_be_had_is_told_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTLINE_DATABASE__PASSWORD", "a-secret-word")
    path = tmp_path / "hotline.toml"
    path.write_text('[database]\nurl = "postgresql+asyncpg://hotline@127.0.0.1:1/hotline"\n')
    answer = accounts(path, "list")
    assert answer.exit_code == 2
    assert "the database" in answer.output
    assert "a-secret-word" not in answer.output
