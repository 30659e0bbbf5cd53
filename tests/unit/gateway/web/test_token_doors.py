"""API tokens at the doors of a whole gateway: what they open, what they never do, who hands them out."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from msgspec import structs

from agents.accounts.identity import Role, Scope
from domain.calls import Call, CallState, EndReason
from domain.facts import CallEnded
from domain.orders import FieldValue, Method, Order, OrderState
from gateway.facts.recorder import FactRecorder
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from tests.support.databases import put_order
from tests.support.http_api import Api, api_of_gateway
from tests.support.orders import AT, a_call

EVERY = tuple(Scope)
NUMBER = "13800138000"
FAR = {"X-Forwarded-For": "10.0.0.1"}
NEW = {"name": "共享平台", "scopes": ["orders:read"], "owner": "信息中心", "lines": ["yiqilai"]}


def ended(number: int, line: str) -> Call:
    over = {"state": CallState.ENDED, "ended_at": AT + 60, "end_reason": EndReason.COMPLETED}
    return structs.replace(a_call(number), line=line, **over)


def order_of(call: Call, number: int) -> Order:
    phone = FieldValue(NUMBER, 0.9, Method.RULE)
    identity = f"00000000-0000-5000-8000-{number:012}"
    return Order(identity, call.id, call.line or "", OrderState.SUBMITTED, {"phone": phone}, AT, AT, 1)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """With a call and its order on each of two lines."""
    async with api_of_gateway(tmp_path) as api:
        for number, line in ((1, "12345"), (2, "yiqilai")):
            call = ended(number, line)
            api.runtime.get(FactRecorder).record(CallEnded(at=AT + 60, call=call))
            await api.runtime.get(JournalWriter).flush()
            await put_order(api.runtime.get(Database), order_of(call, number))
        yield api


ORDER_1, ORDER_2 = (f"/api/v1/orders/00000000-0000-5000-8000-{number:012}" for number in (1, 2))
OPEN = {
    "/api/v1/history/calls": Scope.HISTORY_READ,
    "/api/v1/history/orders": Scope.HISTORY_READ,
    "/api/v1/calls/main-2": Scope.HISTORY_READ,
    ORDER_2: Scope.ORDERS_READ,
    "/metrics": Scope.METRICS_READ,
}


@pytest.mark.parametrize("path", OPEN)
async def test_a_scope_opens_what_it_names_and_nothing_else(api: Api, path: str) -> None:
    right = await api.system(OPEN[path])
    assert (await right.ask(path, headers=FAR)).status == 200
    others = await api.system(*(scope for scope in EVERY if scope is not OPEN[path]))
    refused = await others.ask(path, headers=FAR)
    assert (refused.status, refused.json["reason"]) == (403, "token_scope")
    assert refused.json["params"] == {"scope": str(OPEN[path])}
    assert refused.headers["Content-Type"] == "application/problem+json"


async def test_desk_administration_and_stream_are_closed_to_every_token(api: Api) -> None:
    holder = await api.system(*EVERY)
    for method, path, body in (
        ("GET", "/api/v1/admin/accounts", None),
        ("GET", "/api/v1/admin/tokens", None),
        ("POST", "/api/v1/admin/tokens", NEW),
        ("GET", "/api/v1/session", None),
        ("GET", "/api/v1/calls", None),
        ("GET", "/api/v1/audit", None),
        ("GET", "/api/v1/deliveries", None),
        ("POST", "/api/v1/commands", {"id": "x", "name": "pause"}),
        ("PATCH", f"{ORDER_1}/fields", {"fields": {"title": "x"}}),
        ("POST", f"{ORDER_1}/withdraw", {}),
        ("GET", "/api/v1/export/accounts.csv", None),
        ("GET", "/api/v1/export/orders.csv", None),
    ):
        answer = await holder.ask(path, method, json=body)
        assert (answer.status, answer.json["reason"]) == (403, "token_door"), path
    token = holder.headers["Authorization"]
    for more in ({"Authorization": token}, {"Cookie": f"hotline_session={token.partition(' ')[2]}"}):
        with pytest.raises(websockets.exceptions.InvalidStatus) as closed:
            async with websockets.connect(
                f"ws://127.0.0.1:{api.runtime.stream_port}/", additional_headers=more
            ):
                pass
        assert closed.value.response.status_code == 401


async def test_a_token_counts_in_the_header_alone(api: Api) -> None:
    token = (await api.system(*EVERY)).headers["Authorization"].partition(" ")[2]
    for query in ("access_token", "token", "bearer"):
        assert (await api.nobody.ask(f"{ORDER_2}?{query}={token}")).status == 401
    assert (await api.nobody.ask(ORDER_2, headers={"Cookie": f"hotline_session={token}"})).status == 401
    for wrong in (token[:-1] + "B", "x", "", "hotline_"):
        refused = await api.nobody.ask(ORDER_2, headers={"Authorization": f"Bearer {wrong}"})
        assert (refused.status, refused.json["reason"]) == (401, "token_wrong")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    # A proxy's own password is none of ours: whoever is signed in behind it stays so.
    ban = await api.person("ban", Role.SUPERVISOR)
    assert (await ban.ask(ORDER_2, headers={"Authorization": "Basic eDp5"})).status == 200
    lower = {"Authorization": f"bearer {token}"}
    assert (await api.nobody.ask(ORDER_2, headers=lower)).status == 200


async def test_a_token_of_a_line_opens_that_line_alone_and_masked(api: Api) -> None:
    holder = await api.system(*EVERY, lines=["yiqilai"])
    assert [(await holder.ask(path)).status for path in (ORDER_1, ORDER_2)] == [404, 200]
    assert [(await holder.ask(f"/api/v1/calls/main-{n}")).status for n in (1, 2)] == [404, 200]
    for path, whole in (("/api/v1/history/calls", "main-2"), ("/api/v1/history/orders", ORDER_2[-36:])):
        assert [one["id"] for one in (await holder.ask(path)).json["items"]] == [whole]
        assert (await holder.ask(f"{path}?line=12345")).json["items"] == []
    for path in (ORDER_2, "/api/v1/calls/main-2", "/api/v1/history/calls"):
        told = (await holder.ask(path)).body.decode()
        assert NUMBER not in told and "138****8000" in told


async def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with api_of_gateway(tmp_path) as api:
        http = api.runtime.settings.http.model_copy(update={"token_requests_per_minute": 6.0})
    async with api_of_gateway(tmp_path, {"http": http}) as api:
        holder, other = await api.system(*EVERY), await api.system(*EVERY)
        for _ in range(3):
            assert (await holder.ask("/api/v1/openapi.json")).status == 200
        refused = await holder.ask("/api/v1/openapi.json")
        assert (refused.status, refused.json["reason"]) == (429, "token_throttled")
        assert 1 <= int(refused.headers["Retry-After"]) <= 11
        assert (await other.ask("/api/v1/openapi.json")).status == 200


async def test_administrators_hand_tokens_out_and_take_them_back(api: Api) -> None:
    guan, ban = await api.person("guan", Role.ADMIN), await api.person("ban", Role.SUPERVISOR)
    path = "/api/v1/admin/tokens"
    for method, at in (("GET", path), ("POST", path), ("DELETE", f"{path}/0123456789ab")):
        assert (await ban.ask(at, method, json=NEW)).status == 403
        assert (await api.nobody.ask(at, method, json=NEW)).status == 401
    no_csrf = {"X-CSRF-Token": ""}
    assert (await guan.ask(path, "POST", json=NEW, headers=no_csrf)).status == 403
    made = await guan.ask(path, "POST", json=NEW)
    assert made.status == 201 and made.headers["Cache-Control"] == "no-store"
    token, identity = made.json["token"], made.json["id"]
    assert (await api.holder(token).ask(ORDER_2)).status == 200
    listed = await guan.ask(path)
    assert token not in listed.body.decode() and "secret" not in listed.body.decode()
    assert [(one["id"], one["created_by"]) for one in listed.json] == [(identity, "guan")]
    assert (await guan.ask(f"{path}/{identity}", "DELETE")).status == 204
    assert (await api.holder(token).ask(ORDER_2)).status == 401
    assert (await guan.ask(f"{path}/{identity}", "DELETE")).status == 404
    for wrong in ({"scopes": ["admin"]}, {"lines": ["nowhere"]}, {"name": ""}, {"expires_at": 1.0}):
        assert (await guan.ask(path, "POST", json={**NEW, **wrong})).status == 422
    entries = await api.runtime.get(CommandRepository).list_audit()
    noted = [(one.name, one.ok) for one in entries if one.name.startswith("token.")]
    assert noted[::-1][:3] == [("token.create", True), ("token.revoke", True), ("token.revoke", False)]
    told: Any = [one.args for one in entries]
    assert any(identity in args for args in told) and not any(token in args for args in told)
