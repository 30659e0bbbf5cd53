"""Login, stream and API on real sockets: who gets in, and what they see."""

import json
from typing import Any, cast

import aiohttp
import pytest
from argon2 import PasswordHasher
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from agents.accounts.identity import Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from domain.facts import PbxLinkChanged, QueueChanged
from domain.queues import Queue, Waiting
from gateway.stream.hub import Hub
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView
from gateway.web.serve import serve_web
from tests.support.web import WebServices, create_app


async def ask(http: aiohttp.ClientSession, method: str, url: str, **more: Any) -> aiohttp.ClientResponse:
    async with http.request(method, url, **more) as response:
        await response.read()
        return response


async def test_from_login_to_logout(store: Any) -> None:
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts = AccountService(store, store, passwords=cheap)
    await accounts.create_account("zhang", "correct-horse", Role.AGENT, "1001")
    hub = Hub(LiveView())
    evil = "<script>\r\n13800138000"
    waiting = (Waiting("a-1", "1", 1, 1.0, evil),)
    hub.publish(QueueChanged(at=1.0, queue=Queue("q", "a", None, waiting)))
    none = cast(Any, None)
    app = create_app(WebServices(accounts, hub.view, none, none, none))
    async with (
        serve_web(app, "127.0.0.1", 0) as port,
        StreamServer(hub, authenticate=accounts.authenticate, page_port=lambda: port) as stream,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        accounts.on_revoked(stream.revoke)
        url, ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{stream.port}/"
        session = f"{url}/api/v1/session"
        assert (await ask(http, "get", f"{url}/api/v1/calls")).status == 401
        wrong = await ask(http, "post", session, json={"username": "zhang", "password": "x"})
        assert wrong.status == 401
        right = {"username": "zhang", "password": "correct-horse"}
        assert (await ask(http, "post", session, json=right, headers={"Origin": "http://evil"})).status == 403
        done = await ask(http, "post", session, json=right)
        csrf = (await done.json())["csrf"]
        cookie = {"Cookie": f"hotline_session={done.cookies['hotline_session'].value}"}
        assert (await ask(http, "get", f"{url}/api/v1/deliveries")).status == 403
        with pytest.raises(InvalidStatus, match="401"):
            await connect(ws)
        with pytest.raises(InvalidStatus, match="403"):
            await connect(ws, additional_headers=cookie, origin=cast(Any, "http://evil"))
        async with connect(ws, additional_headers=cookie, origin=cast(Any, url)) as client:
            hello = json.loads(await client.recv())
            snapshot = json.loads(await client.recv())
            caller = snapshot["items"][0]["value"]["waiting"][0]["caller"]
            assert caller == "<script>\r\n138****8000"
            hub.publish(PbxLinkChanged(at=2.0, pbx="a", up=True, reason=""))
            delta = json.loads(await client.recv())
            assert [c["topic"] for c in delta["changes"]] == ["pbx"]
            back = f"{ws}?epoch={hello['epoch']}&since={snapshot['seq']}"
            async with connect(back, additional_headers=cookie) as again:
                await again.recv()
                assert json.loads(await again.recv()) == delta
            assert (await ask(http, "delete", session)).status == 403
            assert (await ask(http, "delete", session, headers={"X-CSRF-Token": csrf})).status == 204
            await client.wait_closed()
            assert client.close_code == 4401
