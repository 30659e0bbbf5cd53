"""The HTTP API on a real socket, on a desk in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
from argon2 import PasswordHasher
from msgspec import Struct

from agents.accounts.identity import Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from domain.audit import AuditEntry
from domain.orders import Order, OrderState
from domain.screen_pop import PopCaller, ScreenPop
from gateway.stream.state import LiveView
from gateway.web.routes.screen_pop import ScreenPops as PopPort
from gateway.web.serve import serve_web
from tests.support.web import WebServices, create_app
from workorders.errors import OrderRefusedError
from workorders.forms import FORMS

PASSWORD = "correct-horse"


class Row(Struct, frozen=True):
    id: str
    agent: str | None = None
    call_id: str = ""
    legs: tuple[Any, ...] = ()
    conversations: tuple[Any, ...] = ()
    related: tuple[Any, ...] = ()
    line: str = "12345"

    @property
    def agents(self) -> tuple[str | None, ...]:
        return (self.agent, *(talk.agent for talk in self.conversations))


class Desk:
    """Calls, orders and deliveries of two agents, as the ports give them."""

    def __init__(self) -> None:
        self.set: list[tuple[str, Any, int | None, str]] = []
        self.submitted: list[tuple[str, str]] = []
        self.retried: list[str] = []
        self.marked: list[tuple[str, str | None, str]] = []
        self.kept: dict[str, dict[str, str]] = {}
        self.noted: list[AuditEntry] = []

    async def get_call(self, call_id: str) -> Row | None:
        if call_id == "broken":
            raise RuntimeError("secret inside")
        return {"c1": Row("c1", "1001"), "c2": Row("c2", "1002")}.get(call_id)

    async def list_calls(self, *, agent: str | None = None, **_: Any) -> Sequence[Row]:
        return [row for row in (Row("c1", "1001"), Row("c2", "1002")) if agent in (None, row.agent)]

    async def list_utterances(self, call_id: str) -> Sequence[Row]:
        return []

    async def get_order(self, order_id: str) -> Order | None:
        call = {"o1": "c1", "o2": "c2", "o3": "c1"}.get(order_id)
        return None if call is None else Order(order_id, call, "12345", OrderState.DRAFT, {}, 1.0, 1.0)

    async def orders_of_call(self, call_id: str) -> list[Row]:
        return {"c1": [Row("o1", None, "c1")]}.get(call_id, [])

    async def set_fields(
        self, order_id: str, fields: Any, *, revision: int | None, by: str, seen: Any
    ) -> Order | None:
        if revision == 0:
            raise OrderRefusedError("order_stale", revision=2, asked=revision or 0)
        self.set.append((order_id, fields, revision, by))
        return await self.get_order(order_id)

    async def mark_duplicate(self, order_id: str, original: str | None, *, by: str) -> Order | None:
        self.marked.append((order_id, original, by))
        return await self.get_order(order_id)

    async def get_unsaved(self, order_id: str) -> dict[str, str]:
        return self.kept.get(order_id, {})

    async def keep_unsaved(self, order_id: str, texts: Mapping[str, str | None], *, by: str) -> None:
        merged = {**self.kept.get(order_id, {}), **texts}
        self.kept[order_id] = {name: text for name, text in merged.items() if text is not None}

    async def note(self, entry: AuditEntry) -> None:
        self.noted.append(entry)

    async def submit(self, order_id: str, *, by: str) -> Order | None:
        self.submitted.append((order_id, by))
        return await self.get_order(order_id)

    async def list_deliveries(self, **_: Any) -> Sequence[Row]:
        return [Row("d1")]

    async def retry_delivery(self, delivery_id: str) -> Row | None:
        self.retried.append(delivery_id)
        return Row(delivery_id) if delivery_id == "d1" else None


class Popping(Struct):
    """Notes what was asked for, and answers."""

    asked: list[tuple[Any, Role]]

    async def pop(self, call: Any, role: Role) -> ScreenPop:
        self.asked.append((call, role))
        return ScreenPop(call.id, PopCaller("1", ""))


class House(Struct):
    url: str
    app: Any
    desk: Any
    accounts: AccountService

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any, Any]:
        """(status, headers, JSON or text)."""
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.request(method, self.url + path, **more) as response,
        ):
            body = await (response.json() if "json" in response.content_type else response.text())
            return response.status, response.headers, body

    async def sign_in(self, username: str) -> dict[str, str]:
        done = await self.accounts.login(username, PASSWORD, "test")
        return {"Cookie": f"hotline_session={done.token}", "X-CSRF-Token": done.identity.csrf}


@asynccontextmanager
async def house(
    store: Any, *, live: Mapping[str, Any] | None = None, pops: PopPort | None = None, **more: Any
) -> AsyncIterator[House]:
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts = AccountService(store, store, passwords=cheap, **more)
    await accounts.create_account("zhang", PASSWORD, Role.AGENT, "1001")
    await accounts.create_account("ban", PASSWORD, Role.SUPERVISOR, None)
    desk = cast(Any, Desk())
    live_call = cast(Any, (live or {}).get)
    app = create_app(
        WebServices(
            accounts,
            LiveView(),
            desk,
            desk,
            desk,
            live_call=live_call,
            pops=pops,
            drafts=desk,
            audit=desk,
            forms=FORMS,
        )
    )
    async with serve_web(app, "127.0.0.1", 0) as port:
        yield House(f"http://127.0.0.1:{port}", app, desk, accounts)
