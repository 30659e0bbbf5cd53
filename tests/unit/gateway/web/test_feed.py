"""The export for other systems, over HTTP on a whole gateway: incremental, masked, of its lines, harmless."""

import base64
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from agents.accounts.identity import Role, Scope
from domain.calls import CallState, EndReason
from domain.facts import CallEnded, OrderStatusTold
from domain.order_status import OrderStatus, Step
from domain.orders import FieldValue, Method, Order, OrderState, SentOrder
from gateway.facts.recorder import FactRecorder
from gateway.settings import PrivacySettings
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.order_status import OrderStatusRepository
from tests.support.databases import put_order
from tests.support.http_api import Answer, Api, Client, api_of_gateway
from tests.support.orders import AT, a_call
from workorders.forms import labels

NUMBER, NAME = "13800138000", "欧阳小芳"
FORMULA = '=HYPERLINK("http://x","y")'


def an_order(number: int, line: str = "12345", **fields: Any) -> Order:
    told = {"title": f"第 {number} 件", "phone": NUMBER, "caller_name": NAME, **fields}
    values = {name: FieldValue(value, 0.9, Method.AGENT) for name, value in told.items()}
    identity = f"00000000-0000-5000-8000-{number:012}"
    return Order(identity, f"main-{number}", line, OrderState.SUBMITTED, values, AT, AT + 1, 1, AT + 1)


async def put(api: Api, *orders: Order) -> None:
    for order in orders:
        await put_order(api.runtime.get(Database), order)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_of_gateway(tmp_path) as api:
        yield api


def records(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/jsonl"
    return [json.loads(line) for line in answer.body.splitlines()]


async def all_new(client: Client, cursor: str, limit: int = 2) -> tuple[list[str], str]:
    """The ids of what is new, page by page, and the cursor behind them."""
    found: list[str] = []
    while True:
        answer = await client.ask(
            f"/api/v1/export/orders?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        )
        found += [one["id"] for one in records(answer)]
        cursor = answer.headers["X-Next-Cursor"]
        if answer.headers["X-More"] == "false":
            return found, cursor


async def test_a_system_gets_what_is_new_and_nothing_twice(api: Api) -> None:
    holder = await api.system(Scope.EXPORT_READ)
    first = [an_order(number) for number in range(1, 6)]
    empty, cursor = await all_new(holder, "")
    assert empty == []
    await put(api, *first)
    assert (await all_new(holder, ""))[0] == [one.id for one in first]
    told, cursor = await all_new(holder, cursor)
    assert told == [one.id for one in first]
    assert (await all_new(holder, cursor)) == ([], cursor)
    again = structs.replace(first[1], revision=2, updated_at=AT + 9)
    await put(api, again, an_order(6))
    told, later = await all_new(holder, cursor)
    assert told == [again.id, an_order(6).id]
    # Who lost an answer asks again with the cursor it has.
    assert (await all_new(holder, cursor))[0] == told
    assert (await all_new(holder, later))[0] == []


async def test_it_is_masked_unless_the_policy_says_otherwise(api: Api, tmp_path: Path) -> None:
    await put(api, an_order(1, summary=f"{NAME}的电话是{NUMBER}"))
    for form in ("jsonl", "csv"):
        masked = (
            await (await api.system(Scope.EXPORT_READ)).ask(f"/api/v1/export/orders?format={form}")
        ).body
        assert NUMBER not in masked.decode() and NAME not in masked.decode()
        assert "138****8000" in masked.decode()
    whole = PrivacySettings(whole_numbers=["system"], whole_names=["system"])
    async with api_of_gateway(tmp_path / "other", {"privacy": whole}) as other:
        await put(other, an_order(1))
        (one,) = records(await (await other.system(Scope.EXPORT_READ)).ask("/api/v1/export/orders"))
        assert one["fields"]["phone"] == NUMBER and one["fields"]["caller_name"] == NAME


async def test_only_of_the_lines_of_the_token_and_only_with_the_scope(api: Api) -> None:
    await put(api, an_order(1, "12345"), an_order(2, "yiqilai"))
    limited = await api.system(Scope.EXPORT_READ, lines=["yiqilai"])
    assert [one["line"] for one in records(await limited.ask("/api/v1/export/orders"))] == ["yiqilai"]
    others = await api.system(*(scope for scope in Scope if scope is not Scope.EXPORT_READ))
    for kind in ("orders", "calls", "statuses"):
        refused = await others.ask(f"/api/v1/export/{kind}")
        assert (refused.status, refused.json["reason"]) == (403, "token_scope")
    agent, ban = await api.person("zhang", Role.AGENT, "1001"), await api.person("ban", Role.SUPERVISOR)
    assert (await agent.ask("/api/v1/export/orders")).status == 403
    assert len(records(await ban.ask("/api/v1/export/orders"))) == 2


async def test_calls_and_statuses_are_exported_with_their_own_cursors(api: Api) -> None:
    over = {"state": CallState.ENDED, "ended_at": AT + 61, "end_reason": EndReason.COMPLETED}
    call = structs.replace(a_call(1), **over)
    api.runtime.get(FactRecorder).record(CallEnded(at=AT + 61, call=call))
    await api.runtime.get(JournalWriter).flush()
    order = an_order(1)
    await put(api, order)
    status = OrderStatus("main/1", order.id, "main", Step.RETURNED, AT + 70, AT + 71, text=f"请致电{NUMBER}")
    told = OrderStatusTold(at=AT, call_id=call.id, line="12345", status=status)
    await OrderStatusRepository(api.runtime.get(Database)).keep(told, stamp=1, digest="x")
    holder = await api.system(Scope.EXPORT_READ)
    (one,) = records(await holder.ask("/api/v1/export/calls"))
    assert (one["id"], one["caller_number"], one["ended_at"]) == (
        call.id,
        "138****8000",
        "2026-05-28T20:27:41.000Z",
    )
    assert one["agents"] == ["1001"]
    (told_status,) = records(await holder.ask("/api/v1/export/statuses"))
    assert (told_status["step"], told_status["text"]) == ("returned", "请致电138****8000")
    (told_order,) = records(await holder.ask("/api/v1/export/orders"))
    assert told_order["step"] == "returned"
    cursor = (await holder.ask("/api/v1/export/calls")).headers["X-Next-Cursor"]
    refused = await holder.ask(f"/api/v1/export/orders?cursor={cursor}")
    assert (refused.status, refused.json["reason"]) == (422, "export_cursor")


@pytest.mark.parametrize(
    "text", ["x", "orders:1", "b3JkZXJzOi0x", "b3JkZXJzOjE=", "b3JkZXJzOjAx", "路", "b3JkZXJz"]
)
async def test_a_cursor_that_is_none_of_ours_is_refused(api: Api, text: str) -> None:
    holder = await api.system(Scope.EXPORT_READ)
    refused = await holder.ask("/api/v1/export/orders", params={"cursor": text})
    assert (refused.status, refused.json["reason"]) == (422, "export_cursor")
    huge = base64.urlsafe_b64encode(b"orders:" + b"9" * 30).decode().rstrip("=")
    assert (await holder.ask(f"/api/v1/export/orders?cursor={huge}")).status == 422


async def test_csv_has_a_column_for_each_field_and_evaluates_nothing(api: Api) -> None:
    await put(api, an_order(1, title=FORMULA, summary='a "b",\nc', keywords=["x", "y"], urgent=True))
    answer = await (await api.system(Scope.EXPORT_READ)).ask("/api/v1/export/orders?format=csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert {f"field.{name}" for name in labels()} <= set(row)
    assert row["field.title"] == f"'{FORMULA}" and row["field.summary"] == 'a "b",\nc'
    assert (row["field.keywords"], row["field.urgent"], row["revision"]) == ("x、y", "true", "1")
    assert row["created_at"] == "2026-05-28T20:26:40.000Z" and row["withdrawn_at"] == ""


async def test_what_is_being_corrected_is_told_as_it_left(api: Api) -> None:
    left = an_order(1)
    await put(api, left)
    half = {**left.fields, "title": FieldValue("改了一半", 0.9, Method.AGENT)}
    sent = SentOrder(left.state, left.fields, left.outcome)
    await put(api, structs.replace(left, state=OrderState.DRAFT, fields=half, sent=sent))
    (one,) = records(await (await api.system(Scope.EXPORT_READ)).ask("/api/v1/export/orders"))
    assert (one["state"], one["fields"]["title"]) == ("submitted", "第 1 件")


async def test_what_leaves_is_in_the_audit(api: Api) -> None:
    holder = await api.system(Scope.EXPORT_READ)
    await holder.ask("/api/v1/export/orders")
    await put(api, an_order(1))
    await holder.ask("/api/v1/export/orders?format=csv")
    entries = await api.runtime.get(CommandRepository).list_audit()
    (entry,) = [one for one in entries if one.name == "export.feed.orders"]
    assert entry.username.startswith("token:") and entry.role == "system"
    assert json.loads(entry.args)["rows"] == 1
