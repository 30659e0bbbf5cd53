"""Administration over HTTP: who may, what is shown, that everything done is audited and no secret told."""

import csv
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import openpyxl
import pytest
from argon2 import PasswordHasher
from msgspec import structs

from agents.accounts.identity import Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from gateway.administration import Administration
from gateway.asterisk.link import LinkState, PbxLink
from gateway.settings import PbxSettings, Settings, load_settings
from gateway.settings.load import EXAMPLE
from gateway.storage.accounts import AccountRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.orders import OrderRepository
from gateway.storage.outbox import SqlOutbox
from gateway.stream.state import LiveView
from gateway.web.serve import serve_web
from tests.support.api import PASSWORD, Desk, House
from tests.support.databases import new_file, put_order
from tests.support.samples import call, order
from tests.support.web import WebServices, create_app


def example(tmp_path: Path) -> Settings:
    """The example, with nothing of it reachable and no model."""
    settings = load_settings(EXAMPLE)
    asr = settings.asr.model_copy(update={"engine": "none"})
    return settings.model_copy(update={"asr": asr, "pbx": [], "data_dir": tmp_path})


@asynccontextmanager
async def house(tmp_path: Path) -> AsyncIterator[tuple[House, CommandRepository]]:
    database = Database(new_file(tmp_path / "hotline.db"))
    try:
        repository = AccountRepository(database)
        cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        accounts = AccountService(repository, repository, passwords=cheap)
        await accounts.create_account("zhang", PASSWORD, Role.AGENT, "1001")
        await accounts.create_account("ban", PASSWORD, Role.SUPERVISOR)
        await accounts.create_account("admin", PASSWORD, Role.ADMIN)
        audit = CommandRepository(database)
        desk = cast(Any, Desk())
        state = LinkState(pbx="main", phase="refused", reason="wrong secret")
        links = {"main": cast(PbxLink, SimpleNamespace(state=state))}
        administration = Administration(
            example(tmp_path),
            {"main": PbxSettings(name="main", host="127.0.0.1", port=1)},
            links,
            SqlOutbox(database),
            OrderRepository(database),
        )
        app = create_app(
            WebServices(accounts, LiveView(), desk, desk, desk, audit=audit, administration=administration)
        )
        async with serve_web(app, "127.0.0.1", 0) as port:
            yield House(f"http://127.0.0.1:{port}", app, desk, accounts), audit
    finally:
        await database.close()


async def test_only_administrators(tmp_path: Path) -> None:
    async with house(tmp_path) as (it, _):
        for who, status in (("zhang", 403), ("ban", 403), ("admin", 200)):
            headers = await it.sign_in(who)
            for path in ("/api/v1/admin/overview", "/api/v1/admin/accounts"):
                assert (await it.ask("GET", path, headers=headers))[0] == status, (who, path)
        agent, supervisor = await it.sign_in("zhang"), await it.sign_in("ban")
        assert (await it.ask("POST", "/api/v1/admin/doctor", headers=supervisor))[0] == 403
        assert (await it.ask("GET", "/api/v1/figures/places", headers=agent))[0] == 403
        assert (await it.ask("GET", "/api/v1/figures/places?hours=24", headers=supervisor))[0::2] == (200, [])


async def test_the_overview_says_what_is_and_where_it_is_configured(tmp_path: Path) -> None:
    async with house(tmp_path) as (it, _):
        _, _, shown = await it.ask("GET", "/api/v1/admin/overview", headers=await it.sign_in("admin"))
        assert shown["source"] == str(EXAMPLE.absolute())
        assert [line["id"] for line in shown["lines"]] == ["12345", "yiqilai", "shangxian"]
        assert shown["agents"][1]["lines"] == {"yiqilai": 0, "12345": 5}
        assert shown["pbxs"] == [
            {
                "name": "main",
                "host": "127.0.0.1",
                "up": False,
                "reason": "wrong secret",
                "live_audio": "audiosocket",
            }
        ]
        (endpoint,) = shown["endpoints"]
        assert (endpoint["id"], endpoint["host"], endpoint["dead"]) == ("main", "workorders.example.cn", 0)
        assert "/api/hotline" not in str(shown), "paths of endpoints may hold secrets"
        assert shown["where"]["lines"] == "[[lines]]"


async def test_the_doctor_makes_a_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.doctor.LOGIN_S", 0.5)
    async with house(tmp_path) as (it, audit):
        _, _, answer = await it.ask("POST", "/api/v1/admin/doctor", headers=await it.sign_in("admin"))
        findings = {finding["what"]["text"]: finding for finding in answer["findings"]}
        assert findings["database"]["ok"]
        assert not findings["PBX main: login"]["ok"]
        assert findings["PBX main: login"]["detail"]["text"]
        assert not findings["work orders to main"]["ok"], "its secret's file is not there"
        assert [entry.name for entry in await audit.list_audit()] == ["doctor.run"]


async def test_accounts_are_made_locked_and_audited(tmp_path: Path) -> None:
    async with house(tmp_path) as (it, audit):
        admin = await it.sign_in("admin")
        new = {"username": "li", "password": "long-enough-1", "role": "agent", "agent_id": "1002"}
        path = "/api/v1/admin/accounts"
        status, _, made = await it.ask("POST", path, json=new, headers=admin)
        assert (status, made["agent_id"]) == (201, "1002")
        assert "hash" not in str(made)
        status, _, problem = await it.ask("POST", path, json=new, headers=admin)
        assert status == 422
        assert "already" in problem["detail"]
        short = {**new, "username": "wu", "password": "short"}
        assert (await it.ask("POST", path, json=short, headers=admin))[0] == 422
        signed_in = await it.accounts.login("li", "long-enough-1", "test")
        changed = {"password": "another-one-2"}
        assert (await it.ask("POST", f"{path}/li/password", json=changed, headers=admin))[0] == 204
        assert await it.accounts.authenticate(signed_in.token) is None, "a new password ends its sessions"
        locked = {"disabled": True}
        assert (await it.ask("POST", f"{path}/li/disabled", json=locked, headers=admin))[0] == 204
        assert (await it.ask("POST", f"{path}/admin/disabled", json=locked, headers=admin))[0] == 409
        assert (await it.ask("POST", f"{path}/nobody/disabled", json=locked, headers=admin))[0] == 422
        rows = (await it.ask("GET", path, headers=admin))[2]
        assert {row["username"]: row["disabled"] for row in rows} == {
            "admin": False,
            "ban": False,
            "li": True,
            "zhang": False,
        }
        entries = await audit.list_audit()
        assert [(entry.name, entry.ok) for entry in reversed(entries)] == [
            ("account.create", True),
            ("account.create", False),
            ("account.create", False),
            ("account.password", True),
            ("account.disabled", True),
            ("account.disabled", False),
        ]
        assert not any(word in str(entries) for word in ("long-enough", "another-one", 'short"'))


async def orders_about(tmp_path: Path, town: str) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}")
    made = structs.replace(order(call(1, 1.0), 1, town=town, village="@SUM(A1)"), created_at=time.time())
    await put_order(database, made)
    await database.close()


async def test_accounts_places_and_endpoints_are_exported_as_texts(tmp_path: Path) -> None:
    """No cell is a formula, in either form; accounts are for administrators."""
    nasty = "=cmd|' /C calc'!A0"
    async with house(tmp_path) as (it, audit):
        await it.accounts.create_account("li@example", PASSWORD, Role.AGENT, nasty)
        admin, supervisor = await it.sign_in("admin"), await it.sign_in("ban")

        async def rows(name: str, who: Any = admin) -> list[list[str]]:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
                async with http.get(f"{it.url}/api/v1/export/{name}", headers=who) as answer:
                    assert answer.status == 200, name
                    body = await answer.read()
            if ".csv" in name:
                return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
            sheet = openpyxl.load_workbook(io.BytesIO(body)).worksheets[0]
            assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
            return [[str(cell or "") for cell in row] for row in sheet.iter_rows(values_only=True)]

        header, *accounts = await rows("accounts.csv")
        assert header == ["账号", "角色", "坐席", "状态"]
        assert ["admin", "管理员", "", "可登录"] in accounts
        assert ["li@example", "坐席", f"'{nasty}", "可登录"] in accounts
        assert ["li@example", "Agent", nasty, "Open"] in await rows("accounts.xlsx?lang=en")
        assert "argon2" not in str(accounts)
        assert (await rows("endpoints.csv?lang=en"))[0][:3] == ["Endpoint", "Host", "Lines"]
        assert await rows("places.csv?hours=1", supervisor) == [["镇街", "村居", "工单数", "诉求分类"]]
        await orders_about(tmp_path, "=1+1")
        for name, town in (("places.csv", "'=1+1"), ("places.xlsx", "=1+1")):
            assert (await rows(name, supervisor))[1][0] == town
        noted = [entry.name for entry in await audit.list_audit()]
        assert noted == [*["export.places"] * 3, "export.endpoints", *["export.accounts"] * 2]
