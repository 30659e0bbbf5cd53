"""Commands over HTTP and over the stream: the same answers, in each one's own form."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from argon2 import PasswordHasher
from websockets.asyncio.client import ClientConnection, connect

from agents.accounts.identity import Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from gateway.call_control.service import CommandService
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.stream.hub import Hub
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView
from gateway.web.serve import serve_web
from tests.support.api import PASSWORD, Desk
from tests.support.call_control import CALLER, HERS, RULES, Recorder, call, view
from tests.support.databases import new_file
from tests.support.web import WebServices, create_app


class House:
    def __init__(self, web: int, stream: int, accounts: AccountService, pbx: Recorder) -> None:
        self.web, self.stream, self.accounts, self.pbx = web, stream, accounts, pbx

    async def sign_in(self, username: str) -> dict[str, str]:
        done = await self.accounts.login(username, PASSWORD, "test")
        return {"Cookie": f"hotline_session={done.token}", "X-CSRF-Token": done.identity.csrf}

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, str, Any]:
        url = f"http://127.0.0.1:{self.web}{path}"
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(cookie_jar=jar) as http, http.request(method, url, **more) as answer:
            return answer.status, answer.content_type, await answer.json()

    async def command(self, headers: dict[str, str], name: str, args: Any, command_id: str = "") -> Any:
        body = {"id": command_id or str(uuid.uuid4()), "name": name, "args": args}
        return await self.ask("POST", "/api/v1/commands", headers=headers, json=body)


@asynccontextmanager
async def house(store: Any, directory: Path) -> AsyncIterator[House]:
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts = AccountService(store, store, passwords=cheap)
    await accounts.create_account("zhang", PASSWORD, Role.AGENT, "1001")
    await accounts.create_account("ban", PASSWORD, Role.SUPERVISOR, "1003")
    database = Database(new_file(directory / "test.db"))
    commands, pbx, desk = CommandRepository(database), Recorder(), Desk()
    commander = CommandService(
        commands, RULES, lambda: view(call(CALLER, HERS)), {"main": pbx}, lambda *_: None
    )
    services: Any = WebServices
    app = create_app(services(accounts, LiveView(), desk, desk, desk, commands=commander, audit=commands))
    async with (
        serve_web(app, "127.0.0.1", 0) as web,
        StreamServer(Hub(LiveView()), authenticate=accounts.authenticate, commands=commander) as stream,
    ):
        yield House(web, stream.port, accounts, pbx)
    await database.close()


async def test_over_http(store: Any, tmp_path: Path) -> None:
    async with house(store, tmp_path) as it:
        zhang, ban = await it.sign_in("zhang"), await it.sign_in("ban")
        one = str(uuid.uuid4())
        for _ in range(2):
            status, kind, body = await it.command(zhang, "pause", {"reason": "小休"}, one)
            assert (status, body) == (200, {"id": one, "ok": True, "result": {"reason": "小休"}})
        assert len(it.pbx.asked) == 1
        for name, args, code, reason, number in (
            ("listen", {"target": "1002"}, "forbidden", "not_supervisor", 403),
            ("resume", {}, "not_possible", "not_held", 409),
            ("pause", {}, "bad_args", "bad_args", 422),
            ("nothing", {}, "unknown_command", "command_unknown", 422),
        ):
            status, kind, body = await it.command(zhang, name, args)
            assert (status, kind, body["code"]) == (number, "application/problem+json", code)
            assert body["detail"] and body["id"]
            assert body["reason"] == reason
        status, _, body = await it.command(zhang, "pause", {"reason": "\ud800"})
        assert (status, body["reason"]) == (422, "text_unstorable")
        assert (await it.ask("GET", "/api/v1/audit", headers=zhang))[0] == 403
        status, _, rows = await it.ask("GET", "/api/v1/audit?username=zhang", headers=ban)
        assert (status, len(rows)) == (200, 5)
        assert [(row["reason"], json.loads(row["params"])) for row in reversed(rows)][:3] == [
            ("", {}),
            ("not_supervisor", {}),
            ("not_held", {}),
        ]
        assert rows[-1] | {"seq": 0, "at": 0} == {
            "seq": 0,
            "at": 0,
            "username": "zhang",
            "role": "agent",
            "agent": "1001",
            "command_id": one,
            "name": "pause",
            "args": '{"reason": "\\u5c0f\\u4f11"}',
            "ok": True,
            "code": "",
            "reason": "",
            "params": "{}",
            "message": "",
        }
        status, _, kinds = await it.ask("GET", "/api/v1/commands", headers=zhang)
        assert {one["name"]: one["may"] for one in kinds}["take_over"] is False


async def frame(socket: ClientConnection, kind: str) -> Any:
    while True:
        found = json.loads(await socket.recv())
        if found["type"] == kind:
            return found


async def test_over_the_stream(store: Any, tmp_path: Path) -> None:
    async with house(store, tmp_path) as it:
        cookie = {"Cookie": (await it.sign_in("zhang"))["Cookie"]}
        async with connect(f"ws://127.0.0.1:{it.stream}/", additional_headers=cookie) as socket:
            one, two = str(uuid.uuid4()), str(uuid.uuid4())
            asked = {"type": "command", "id": one, "name": "pause", "args": {"reason": "小休"}}
            it.pbx.open.clear()
            await socket.send(json.dumps(asked))
            # A command that takes its time holds nothing else up.
            await socket.send(json.dumps({"type": "ping"}))
            await frame(socket, "pong")
            it.pbx.open.set()
            result = await frame(socket, "result")
            assert result == {"type": "result", "id": one, "ok": True, "result": {"reason": "小休"}}
            await socket.send(json.dumps(asked))
            assert await frame(socket, "result") == result
            listen = {"type": "command", "id": two, "name": "listen", "args": {"target": "1002"}}
            await socket.send(json.dumps(listen))
            refused = await frame(socket, "result")
            assert (refused["id"], refused["ok"], refused["error"]["code"]) == (two, False, "forbidden")
            assert refused["error"]["message"]
            assert len(it.pbx.asked) == 1


@pytest.mark.parametrize("bad", [{"id": 1, "name": "x"}, {"id": "x"}, {}])
async def test_a_frame_that_is_no_command_closes(store: Any, tmp_path: Path, bad: dict[str, Any]) -> None:
    async with house(store, tmp_path) as it:
        cookie = {"Cookie": (await it.sign_in("zhang"))["Cookie"]}
        async with connect(f"ws://127.0.0.1:{it.stream}/", additional_headers=cookie) as socket:
            await socket.send(json.dumps({"type": "command", **bad}))
            await socket.wait_closed()
            assert socket.close_code == 4400
