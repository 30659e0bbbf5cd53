"""Matters that are no calls, sent to a whole gateway: each becomes one order, filled and sent like others."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import select

from agents.accounts.identity import Role, Scope
from domain.calls import Call, CallState, Direction, Party
from domain.facts import CallStarted
from domain.intake import Matter, MatterSource, words_of
from domain.orders import OrderState
from gateway.facts.recorder import FactRecorder
from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from gateway.settings.orders import WorkOrderEndpoint
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.orders import OrderRepository
from gateway.storage.tables import deliveries, orders
from tests.support.http_api import Answer, Api, Client, api_of_gateway
from workorders.service import OrderService

SCHEMA = json.loads((Path("workorders") / "schema" / "order-v1.json").read_text(encoding="utf-8"))
LAMP = {
    "source": "app",
    "line": "12345",
    "text": "我是王先生。人民路的路灯坏了三天，晚上很黑！希望尽快修好。",
    "number": "13800138000",
}


def lines_with(**changes: Any) -> dict[str, Any]:
    """The lines of the example configuration, changed."""
    return {"lines": [line.model_copy(update=changes) for line in load_settings(EXAMPLE).lines]}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """Orders leave at once, to a work-order system that is away."""
    async with api_of_gateway(tmp_path, lines_with(send_after_s=0.0)) as api:
        yield api


async def send(client: Client, key: str = "k-1", **more: Any) -> Answer:
    return await client.ask("/api/v1/intake", "POST", json={**LAMP, **more}, headers={"Idempotency-Key": key})


async def count(api: Api) -> int:
    async with api.runtime.get(Database).reading() as connection:
        return len((await connection.execute(select(orders.c.id))).all())


def test_a_text_is_told_sentence_by_sentence() -> None:
    def said(text: str) -> list[str]:
        matter = Matter(id="m", source=MatterSource.APP, line="12345", text=text, at=1.0)
        return [one.text for one in words_of(matter)]

    assert said("一。二！三？\n四\n\n 五; six") == ["一。", "二！", "三？", "四", "五; six"]
    assert said("\n \n") == []
    assert said("。" * 3) == ["。", "。", "。"]


@pytest.mark.parametrize("source", MatterSource)
async def test_a_matter_becomes_an_order_filled_from_its_text(api: Api, source: MatterSource) -> None:
    holder = await api.system(Scope.INTAKE_WRITE)
    taken = await send(holder, source=source.value, fields={"wish": "尽快修好"})
    assert taken.status == 201, taken.body
    assert (taken.json["source"], taken.json["known"], taken.json["state"]) == (
        source.value,
        False,
        "submitted",
    )
    order = await api.runtime.get(OrderService).get_order(taken.json["order"])
    assert order is not None and order.source == source.value and order.state is OrderState.SUBMITTED
    assert order.fields["phone"].value == "13800138000" and "路灯" in str(order.fields["summary"].value)
    assert order.fields["wish"].value == "尽快修好"
    assert order.fields["category"].confidence > 0


async def test_sent_again_it_is_the_same_order(api: Api) -> None:
    holder, other = await api.system(Scope.INTAKE_WRITE), await api.system(Scope.INTAKE_WRITE)
    answers = await asyncio.gather(*(send(holder) for _ in range(5)))
    assert sorted(one.status for one in answers) == [200, 200, 200, 200, 201]
    assert len({one.json["order"] for one in answers}) == 1 and await count(api) == 1
    refused = await send(holder, text="另一件事")
    assert (refused.status, refused.json["reason"]) == (409, "intake_key_reused")
    # A key is its sender's own.
    assert (await send(other)).status == 201 and await count(api) == 2
    assert (await send(holder, "k-2")).json["order"] not in {one.json["order"] for one in answers}


async def test_an_earlier_order_of_the_same_number_is_found(api: Api) -> None:
    holder = await api.system(Scope.INTAKE_WRITE)
    first = (await send(holder)).json
    again = (await send(holder, "k-2", number="+86 138 0013 8000", text="路灯还没修，请催一下。")).json
    assert [one["order_id"] for one in again["related"]] == [first["order"]]
    assert again["related"][0]["reason"] == "caller"
    assert (await send(holder, "k-3", number="13900139000", text="我要表扬一下你们。")).json["related"] == []


async def test_who_calls_after_it_has_its_order_in_the_pop_told_with_its_source(api: Api) -> None:
    holder = await api.system(Scope.INTAKE_WRITE)
    order = (await send(holder, source="website")).json["order"]
    await send(holder, "k-2", number="13900139000")
    caller = Call(
        "main-9", "main", "9", Direction.INBOUND, CallState.TALKING, Party("+86 138 0013 8000"), "12345",
        time.time(), line="12345", agent="1001",
    )  # fmt: skip
    api.runtime.get(FactRecorder).record(CallStarted(at=time.time(), call=caller))
    await api.runtime.get(JournalWriter).flush()
    agent = await api.person("zhang", Role.AGENT, "1001")
    pop = (await agent.ask("/api/v1/calls/main-9/pop")).json
    assert [(one["id"], one["source"]) for one in pop["orders"]] == [(order, "website")]
    assert pop["calls"] == [] and pop["alerts"] == [], "it was no call"
    supervisor = await api.person("ban", Role.SUPERVISOR)
    listed = (await supervisor.ask("/api/v1/history/orders")).json["items"]
    assert {one["source"] for one in listed} == {"website", "app"}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"line": "nowhere"}, "line_unknown"),
        ({"fields": {"nothing": "x"}}, "field_unknown"),
        ({"fields": {"request_type": "x"}}, "field_choice"),
        ({"fields": {"urgent": "yes"}}, "field_yes_no"),
        ({"source": "fax"}, "bad_request"),
        ({"text": ""}, "bad_request"),
        ({"text": "x" * 10_001}, "bad_request"),
        ({"texts": "x"}, "bad_request"),
    ],
)
async def test_what_cannot_be_is_refused_and_leaves_nothing(
    api: Api, more: dict[str, Any], code: str
) -> None:
    holder = await api.system(Scope.INTAKE_WRITE)
    refused = await send(holder, **more)
    assert (refused.status, refused.json["reason"]) == (422, code)
    assert await count(api) == 0
    # The key is free: what was mended is taken.
    assert (await send(holder)).status == 201


async def test_it_takes_the_scope_the_line_and_a_key(api: Api) -> None:
    others = await api.system(*(scope for scope in Scope if scope is not Scope.INTAKE_WRITE))
    assert (await send(others)).json["reason"] == "token_scope"
    limited = await api.system(Scope.INTAKE_WRITE, lines=["yiqilai"])
    assert (await send(limited)).json["reason"] == "line_unknown"
    assert (await send(limited, line="yiqilai")).status == 201
    agent, ban = await api.person("zhang", Role.AGENT, "1001"), await api.person("ban", Role.SUPERVISOR)
    assert (await send(agent)).status == 403 and (await send(ban)).status == 201
    for key in ("", " ", "路", "x" * 256):
        bare = {"Idempotency-Key": key} if key.isascii() and key.strip() else {}
        assert (await limited.ask("/api/v1/intake", "POST", json=LAMP, headers=bare)).status == 422


async def test_supervisors_read_it_like_a_call_and_it_is_exported_with_its_source(api: Api) -> None:
    taken = (await send(await api.system(Scope.INTAKE_WRITE))).json
    ban = await api.person("ban", Role.SUPERVISOR)
    (listed,) = (await ban.ask("/api/v1/history/orders")).json["items"]
    assert listed["id"] == taken["order"]
    detail = (await ban.ask(f"/api/v1/calls/{listed['call_id']}")).json
    assert detail["call"]["caller"]["number"] == "13800138000" and detail["orders"][0]["source"] == "app"
    assert "".join(one["text"] for one in detail["utterances"]) == LAMP["text"]
    # It is no call: neither in the list of calls nor among the calls that are exported.
    assert (await ban.ask("/api/v1/history/calls")).json["items"] == []
    assert (await ban.ask("/api/v1/export/calls")).body == b""
    exported = json.loads((await ban.ask("/api/v1/export/orders")).body)
    assert (exported["id"], exported["source"]) == (taken["order"], "app")
    noted = [
        one for one in await api.runtime.get(CommandRepository).list_audit() if one.name == "intake.take"
    ]
    assert len(noted) == 1 and "13800138000" not in noted[0].args


async def test_it_is_delivered_with_its_source_and_its_text(tmp_path: Path) -> None:
    away = {"id": "main", "url": "http://127.0.0.1:9/", "secret": "x" * 32}
    endpoint = WorkOrderEndpoint.model_validate(away)
    async with api_of_gateway(tmp_path, lines_with(send_after_s=0.0), [endpoint]) as api:
        taken = (await send(await api.system(Scope.INTAKE_WRITE))).json
        async with api.runtime.get(Database).reading() as connection:
            (body,) = (await connection.execute(select(deliveries.c.body))).scalars().all()
    told = json.loads(body)
    jsonschema.Draft202012Validator(SCHEMA).validate(told)
    assert (told["id"], told["source"], told["line"]) == (taken["order"], "app", "12345")
    assert "".join(one["text"] for one in told["transcript"]) == LAMP["text"]
    assert told["call"]["caller_number"] == "13800138000"


async def test_where_an_agent_submits_it_waits_as_a_draft(tmp_path: Path) -> None:
    async with api_of_gateway(tmp_path, lines_with(submit="agent")) as api:
        taken = (await send(await api.system(Scope.INTAKE_WRITE))).json
        assert taken["state"] == "draft"
        (waiting,) = await api.runtime.get(OrderRepository).unsubmitted_orders()
        assert waiting.order_id == taken["order"] and waiting.ended_at is not None
        ban = await api.person("ban", Role.SUPERVISOR)
        path = f"/api/v1/orders/{taken['order']}"
        edited = await ban.ask(f"{path}/fields", "PATCH", json={"fields": {"title": "路灯不亮"}})
        assert edited.status == 200, edited.body
        sent = await ban.ask(f"{path}/submit", "POST")
        assert sent.status == 200 and sent.json["fields"]["title"]["value"] == "路灯不亮"
