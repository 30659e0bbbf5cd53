"""A whole gateway without PBXs, and clients of its HTTP API: people and systems."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import Struct

from agents.accounts.identity import Role, Scope
from agents.accounts.tokens import TokenService
from gateway.runtime import Runtime
from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from gateway.settings.orders import WorkOrderEndpoint
from tests.support.gateway import gateway_on

PASSWORD = "correct-horse"


class Answer(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes
    json: Any
    """`None`: it is none."""


class Client(Struct):
    """Somebody who asks, by these headers."""

    http: aiohttp.ClientSession
    url: str
    headers: dict[str, str]

    async def ask(self, path: str, method: str = "GET", **more: Any) -> Answer:
        headers = {**self.headers, **more.pop("headers", {})}
        async with self.http.request(method, self.url + path, headers=headers, **more) as response:
            body = await response.read()
            told = await response.json() if response.content_type.endswith("json") and body else None
            return Answer(response.status, response.headers, body, told)


class Api(Struct):
    """The API of a gateway that runs."""

    runtime: Runtime
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.runtime.web_port}"

    @property
    def nobody(self) -> Client:
        return Client(self.http, self.url, {})

    async def person(self, username: str, role: Role, agent: str | None = None) -> Client:
        await self.runtime.accounts.create_account(username, PASSWORD, role, agent)
        done = await self.runtime.accounts.login(username, PASSWORD, "test")
        headers = {"Cookie": f"hotline_session={done.token}", "X-CSRF-Token": done.identity.csrf}
        return Client(self.http, self.url, headers)

    def holder(self, token: str) -> Client:
        return Client(self.http, self.url, {"Authorization": f"Bearer {token}"})

    async def system(self, *scopes: Scope, **more: Any) -> Client:
        made = await self.runtime.get(TokenService).create("test", scopes, by="test", **more)
        return self.holder(made.text)


@asynccontextmanager
async def api_of_gateway(
    data: Path, changes: Mapping[str, Any] | None = None, workorders: Sequence[WorkOrderEndpoint] = ()
) -> AsyncIterator[Api]:
    """The gateway of the example configuration with these settings changed, without PBXs."""
    settings = load_settings(EXAMPLE).model_copy(update=changes or {})
    async with (
        gateway_on(settings, [], data, workorders) as runtime,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        yield Api(runtime, http)
