"""What comes back from work-order systems, over real HTTP into real databases."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import structs
from pydantic import AnyHttpUrl, SecretStr
from sqlalchemy import func, select

from domain.calls import CallState
from domain.facts import CallStarted, OrderStatusTold
from domain.order_status import Step
from gateway.facts.recorder import FactRecorder
from gateway.runtime import Runtime
from gateway.settings import InboundSettings, WorkOrderEndpoint
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.order_status import OrderStatusRepository
from gateway.storage.outbox import SqlOutbox
from gateway.storage.tables import order_statuses
from tests.support.at_the_desk import CALL, Supervisor, at_the_desk
from tests.support.statuses import signed

SECRET = "a secret of this test"
BUREAU = "区住建局"


def endpoint(name: str, **more: Any) -> WorkOrderEndpoint:
    # Nobody listens there: what is delivered does not matter here.
    return WorkOrderEndpoint(
        id=name, url=AnyHttpUrl("http://127.0.0.1:9/"), secret=SecretStr(SECRET + name), **more
    )


ENDPOINTS = [
    endpoint("main"),
    endpoint(
        "tickets",
        inbound=InboundSettings(
            places={"number": "ticket.id", "status": "ticket.state"}, words={"resolved": Step.CLOSED}
        ),
    ),
]


class System:
    """A work-order system that tells of its orders."""

    def __init__(self, gateway: Runtime, supervisor: Supervisor, order_id: str) -> None:
        self.gateway, self.supervisor, self.order_id = gateway, supervisor, order_id
        self.url = f"http://127.0.0.1:{gateway.web_port}/api/v1/inbound"

    async def send(
        self, headers: dict[str, str], body: bytes, to: str = "main"
    ) -> tuple[int, dict[str, Any]]:
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}/{to}/status", data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json()

    async def tell(self, status: str, to: str = "main", **more: Any) -> tuple[int, dict[str, Any]]:
        return await self.send(*signed(SECRET + to, {"order": self.order_id, "status": status, **more}), to)

    async def order(self) -> dict[str, Any]:
        code, _, order = await self.supervisor.ask("GET", f"/api/v1/orders/{self.order_id}")
        assert code == 200
        return dict(order)

    async def timeline(self) -> list[tuple[str, str]]:
        return [(one["step"], one["unit"]) for one in (await self.order())["statuses"]]

    async def count(self) -> int:
        async with self.gateway.get(Database).reading() as connection:
            return int(await connection.scalar(select(func.count()).select_from(order_statuses)) or 0)

    async def journalled(self) -> list[OrderStatusTold]:
        facts = await self.gateway.get(CallRepository).facts_of(CALL.id)
        return [fact for fact in facts if isinstance(fact, OrderStatusTold)]


@pytest.fixture
async def system(database_url: str, tmp_path: Path) -> AsyncIterator[System]:
    async with told_to(database_url, tmp_path) as system:
        yield system


@asynccontextmanager
async def told_to(url: str, path: Path) -> AsyncIterator[System]:
    async with at_the_desk(path, url, workorders=ENDPOINTS) as (gateway, supervisor, order_id):
        yield System(gateway, supervisor, order_id)


async def test_a_timeline_grows_as_it_happens_and_the_next_pop_shows_the_latest(system: System) -> None:
    at = time.time() - 3600
    assert await system.tell("dispatched", at=at, unit=BUREAU) == (
        200,
        {"order": system.order_id, "step": "dispatched", "known": False},
    )
    began = time.monotonic()
    code, _ = await system.tell("签收", at=at + 60, unit=BUREAU, person="李工", deadline=at + 86_400)
    assert code == 200
    # Told late, it stands where it belongs.
    await system.tell("accepted", at=at - 60, unit="中心")
    assert await system.timeline() == [
        ("accepted", "中心"),
        ("dispatched", BUREAU),
        ("signed", BUREAU),
    ]
    again = structs.replace(CALL, id="main-2", linkedid="2", started_at=time.time(), state=CallState.RINGING)
    system.gateway.get(FactRecorder).record(CallStarted(at=again.started_at, call=again))
    await system.gateway.get(JournalWriter).flush()
    _, _, pop = await system.supervisor.ask("GET", f"/api/v1/calls/{again.id}/pop")
    assert time.monotonic() - began < 2.0
    (shown,) = pop["orders"]
    assert (shown["id"], shown["status"]["step"], shown["status"]["unit"]) == (
        system.order_id,
        "signed",
        BUREAU,
    )
    assert shown["status"]["deadline"] == pytest.approx(at + 86_400)
    _, _, page = await system.supervisor.ask("GET", "/api/v1/history/orders?step=signed")
    assert [one["status"]["person"] for one in page["items"]] == ["李工"]
    _, _, none = await system.supervisor.ask("GET", "/api/v1/history/orders?step=closed")
    assert none["items"] == []
    assert [fact.status.step for fact in await system.journalled()] == [
        Step.DISPATCHED,
        Step.SIGNED,
        Step.ACCEPTED,
    ]


async def test_told_at_the_same_moment_each_is_kept(system: System) -> None:
    words = ("受理", "派单", "签收", "办理", "反馈", "办结") * 3
    told = await asyncio.gather(*(system.tell(word, id=f"1-{n}") for n, word in enumerate(words)))
    assert [code for code, _ in told] == [200] * len(words)
    assert len(await system.timeline()) == len(words)


async def test_a_deadline_stands_until_the_order_is_closed(system: System) -> None:
    store, at = system.gateway.get(OrderStatusRepository), time.time() - 60
    await system.tell("signed", at=at, deadline=at + 600)
    await system.tell("handled", at=at + 1)
    (open_,) = await store.open_deadlines()
    assert (open_.order_id, open_.call_id) == (system.order_id, CALL.id)
    assert open_.deadline == pytest.approx(at + 600)
    await system.tell("extended", at=at + 2, deadline=at + 900)
    # Told late, an earlier one does not count any more.
    await system.tell("dispatched", at=at - 1, deadline=at + 10)
    assert [one.deadline for one in await store.open_deadlines()] == [pytest.approx(at + 900)]
    await system.tell("closed", at=at + 3)
    assert await store.open_deadlines() == []


async def test_told_again_it_is_one_and_nobody_else_can_tell_it(system: System) -> None:
    """A thousand messages that are repeated by somebody without the secret, or altered: none is taken."""
    chance = random.Random(12345)
    body = {"order": system.order_id, "status": "closed", "text": "路灯已修好"}
    headers, data = signed(SECRET + "main", body, message_id="m-1", stamp=time.time() - 100)
    assert (await system.send(headers, data))[0] == 200
    refused = 0
    async with aiohttp.ClientSession() as http:
        for _ in range(1000):
            kind = chance.choice(["replay", "body", "id", "stamp", "signature", "old", "unsigned", "other"])
            sent, content = dict(headers), data
            if kind == "body":
                place = chance.randrange(len(content))
                content = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            elif kind == "id":
                sent["webhook-id"] = f"m-{chance.randrange(10**6)}x"
            elif kind == "stamp":
                sent["webhook-timestamp"] = str(int(sent["webhook-timestamp"]) + chance.randrange(1, 90))
            elif kind == "signature":
                sent["webhook-signature"] = "v1," + "A" * chance.randrange(60)
            elif kind == "old":
                sent, content = signed(
                    SECRET + "main", body, stamp=time.time() - 301 - chance.randrange(10**6)
                )
            elif kind == "unsigned":
                del sent[chance.choice(["webhook-id", "webhook-timestamp", "webhook-signature"])]
            elif kind == "other":
                sent, content = signed("another secret", body)
            async with http.post(f"{system.url}/main/status", data=content, headers=sent) as reply:
                refused += reply.status in (401, 409, 422)
    assert refused == 1000
    assert await system.timeline() == [("closed", "")]
    # Whoever got no answer signs it anew: it is one.
    code, answer = await system.send(*signed(SECRET + "main", body, message_id="m-1"))
    assert (code, answer["known"]) == (200, True)
    code, answer = await system.send(
        *signed(SECRET + "main", {**body, "text": "另一条"}, message_id="m-1", stamp=time.time() + 5)
    )
    assert (code, answer["reason"]) == (409, "status_id_reused")
    assert await system.count() == len(await system.journalled()) == 1


async def test_another_system_by_its_number_and_words(system: System) -> None:
    outbox = system.gateway.get(SqlOutbox)
    await system.gateway.orders.submit(system.order_id, by="ban")
    # As if it had arrived there.
    (sent,) = [one for one in await outbox.list_deliveries() if one.endpoint == "tickets"]
    await outbox.delivered(sent.id, 201, "4711")
    message = {"ticket": {"id": 4711, "state": "resolved"}}
    code, answer = await system.send(*signed(SECRET + "tickets", message), "tickets")
    assert (code, answer["order"]) == (200, system.order_id)
    # The number is that system's own: another's is another order.
    code, answer = await system.send(*signed(SECRET + "main", {"external_id": "4711", "status": "closed"}))
    assert (code, answer["reason"]) == (404, "status_order_unknown")


@pytest.mark.parametrize(
    ("body", "to", "expected"),
    [
        (
            {"order": "6f0c8f6e-3b7e-5d1a-9c55-12345c0ffee5", "status": "closed"},
            "main",
            (404, "status_order_unknown"),
        ),
        ({"order": "x' OR 1=1 --", "status": "closed"}, "main", (404, "status_order_unknown")),
        ({"status": "closed"}, "main", (422, "status_no_order")),
        ({"order": "o", "status": "办完啦"}, "main", (422, "status_unknown")),
        (b"[1]", "main", (422, "status_no_json")),
        (b"{", "main", None),
        ({"order": "o", "status": "closed"}, "nobody", (401, "sender_unknown")),
        ({"order": "o\u0000", "status": "closed"}, "main", (422, "text_unstorable")),
    ],
)
async def test_what_cannot_be_taken_says_why(
    system: System, body: Any, to: str, expected: tuple[int, str] | None
) -> None:
    code, answer = await system.send(*signed(SECRET + to, body), to)
    if expected is None:
        assert code == 422
    else:
        assert (code, answer["reason"]) == expected
    assert await system.count() == 0


async def test_what_is_told_survives_a_restart(database_url: str, tmp_path: Path) -> None:
    async with told_to(database_url, tmp_path) as system:
        await system.tell("returned", unit="某街道", text="不属于本单位职责")
        order_id = system.order_id
    async with told_to(database_url, tmp_path) as system:
        assert order_id == system.order_id
        (status,) = (await system.order())["statuses"]
        assert (status["step"], status["text"]) == ("returned", "不属于本单位职责")
    assert json.dumps(status, ensure_ascii=False)
