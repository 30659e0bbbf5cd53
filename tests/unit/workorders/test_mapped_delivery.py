"""Mapped deliveries by the real outbox and worker, to real HTTP receivers: each revision once, in order."""

import asyncio
import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from msgspec import structs
from sqlalchemy import RowMapping, select

from domain.orders import OrderState
from gateway.modules.delivery import endpoint_of
from gateway.storage.database import Database
from gateway.storage.outbox import SqlOutbox
from gateway.storage.tables import deliveries
from tests.support.databases import put_order
from tests.support.receiver import Receiver, endpoint_settings, listening
from tests.support.samples import call, order
from tests.support.tickets import RequestTracker, Tickets, Zammad
from workorders.delivery.mapping.spec import merged
from workorders.delivery.sample import documents
from workorders.delivery.worker import DeliveryWorker

FULL, REVISED, SPARSE, WITHDRAWN = documents().values()
SECRET = "a secret"
ORDER = order(call(1, 1000.0), 1, OrderState.SUBMITTED)


def body_of(document: bytes, order_id: str, revision: int, title: str = "") -> bytes:
    made = json.loads(document) | {"id": order_id, "revision": revision}
    if title:
        made["fields"]["title"]["value"] = title
    return json.dumps(made, ensure_ascii=False).encode()


class Scene:
    """An outbox, and workers that empty it."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database, self.outbox = database, SqlOutbox(database)
        self.token = directory / "token"
        self.token.write_text("let me in\n")

    async def put(self, document: bytes, revision: int, number: int = 1, title: str = "") -> str:
        """One more revision in the outbox; its order's id."""
        made = order(call(number, 1000.0), number, OrderState.SUBMITTED)
        made = structs.replace(made, revision=revision)
        body = body_of(document, made.id, revision, title)
        await put_order(self.database, made, {"main": body}, 1000.0 + revision)
        return made.id

    @asynccontextmanager
    async def working(self, url: str, **more: Any) -> AsyncIterator[DeliveryWorker]:
        settings = endpoint_settings(url, **more)
        worker = DeliveryWorker(self.outbox, [endpoint_of(settings, "Asia/Shanghai")])
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, done: Callable[[Sequence[RowMapping]], bool]) -> Sequence[RowMapping]:
        async with asyncio.timeout(20):
            while True:
                async with self.database.reading() as connection:
                    query = select(deliveries).order_by(deliveries.c.order_id, deliveries.c.revision)
                    rows = (await connection.execute(query)).mappings().all()
                if done(rows):
                    return rows
                await asyncio.sleep(0.02)

    async def settled(self) -> Sequence[RowMapping]:
        return await self.until(lambda rows: all(row["state"] != "pending" for row in rows))


@pytest.fixture
def scene(database: Database, tmp_path: Path) -> Scene:
    return Scene(database, tmp_path)


async def ok(_: web.Request, __: int) -> web.StreamResponse:
    return web.json_response({"ticket": {"id": 4711}, "ok": True}, status=201)


TICKETS: dict[str, Any] = {
    "number": "create",
    "requests": {
        "create": {
            "for": "new", "json": {"title": "{{ fields.title }}", "order": "{{ order.id }}"},
            "id": "ticket.id", "success_if": "ok",
        },
        "change": {"for": "update", "method": "PATCH", "url": "{{ base }}/{{ number }}",
                   "json": {"title": "{{ fields.title }}", "changes": "{{ order.changes }}"}},
    },
}  # fmt: skip
"""A mapping as somebody might write it for a system that nobody knows."""


# -- guarantees --------------------------------------------------------------------------------------------
async def test_new_orders_and_revisions_go_to_their_own_requests_signed(scene: Scene) -> None:
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request, _: int) -> web.StreamResponse:
        seen.append((request.method, request.path))
        return await ok(request, 0)

    receiver = Receiver(answer)
    order_id = await scene.put(FULL, 1)
    await scene.put(REVISED, 2)
    async with listening(receiver) as url, scene.working(url, mapping=TICKETS):
        rows = await scene.settled()
    assert seen == [("POST", "/orders"), ("PATCH", "/orders/4711")]
    assert [row["external_id"] for row in rows] == ["4711", "4711"]
    assert json.loads(receiver.bodies[0]) == {"title": "路灯不亮", "order": order_id}
    assert json.loads(receiver.bodies[1]) == {"title": "路灯不亮", "changes": ["supplements"]}
    for body, headers, identity in zip(
        receiver.bodies, receiver.headers, (f"{order_id}.1.create", f"{order_id}.2.change"), strict=True
    ):
        assert headers["webhook-id"] == identity
        signed = f"{identity}.{headers['webhook-timestamp']}.".encode() + body
        digest = b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{digest}"


async def test_one_order_that_cannot_be_mapped_holds_up_no_other_and_says_why(scene: Scene) -> None:
    receiver = Receiver(ok)
    tables = {"place": {"values": {"刘桥镇": "LQ"}}}
    request = {
        "json": {"title": "{{ fields.title }}", "place": "{{ fields.town | table('place') }}"},
        "id": "ticket.id",
    }
    mapping = {"requests": {"order": request}, "tables": tables}
    elsewhere = json.loads(FULL)
    elsewhere["fields"]["town"]["value"] = "五接镇"
    await scene.put(SPARSE, 1, number=1)
    await scene.put(json.dumps(elsewhere).encode(), 1, number=2)
    for number in range(3, 9):
        await scene.put(FULL, 1, number=number)
    async with listening(receiver) as url, scene.working(url, mapping=mapping, max_attempts=3):
        rows = await scene.settled()
    assert [row["state"] for row in rows] == ["dead", "dead"] + ["delivered"] * 6
    assert [(row["reason"], row["attempts"]) for row in rows[:2]] == [("map_missing", 3), ("map_no_code", 3)]
    assert all("requests.order.json.place" in row["error"] for row in rows[:2])
    assert "五接镇" in rows[1]["error"]
    assert "[tables.place]" in rows[1]["error"]
    # Once the table has it, the operator's retry delivers it.
    tables["place"]["values"]["五接镇"] = "WJ"
    async with listening(receiver) as url, scene.working(url, mapping=mapping, max_attempts=3) as worker:
        await scene.outbox.retry_delivery(rows[1]["id"])
        worker.wake()
        again = await scene.until(lambda found: found[1]["state"] == "delivered")
    assert again[0]["state"] == "dead"
    assert json.loads(receiver.bodies[-1])["place"] == "WJ"


async def test_later_revisions_wait_for_one_that_cannot_be_mapped_yet(scene: Scene) -> None:
    receiver = Receiver(ok)
    broken = merged(TICKETS, {"requests": {"create": {"json": {"a": "{{ fields.x }}"}}}})
    await scene.put(FULL, 1)
    await scene.put(REVISED, 2)
    async with listening(receiver) as url:
        async with scene.working(url, mapping=broken, max_attempts=1000):
            await scene.until(lambda rows: rows[0]["attempts"] >= 3)
        assert receiver.bodies == []
        async with scene.working(url, mapping=TICKETS):
            rows = await scene.settled()
    assert [row["state"] for row in rows] == ["delivered"] * 2
    assert [json.loads(body).get("changes") for body in receiver.bodies] == [None, ["supplements"]]


async def test_a_reply_without_a_number_does_not_make_a_second_ticket(scene: Scene) -> None:
    async def numberless(_: web.Request, __: int) -> web.StreamResponse:
        return web.json_response({"ok": True}, status=201)

    receiver = Receiver(numberless)
    await scene.put(FULL, 1)
    await scene.put(REVISED, 2)
    async with listening(receiver) as url, scene.working(url, mapping=TICKETS, max_attempts=2):
        rows = await scene.settled()
    assert [row["state"] for row in rows] == ["delivered", "dead"]
    assert "its number is not known" in rows[1]["error"]
    assert len(receiver.bodies) == 1


@pytest.mark.parametrize(
    ("status", "reply", "state", "words"),
    [
        (200, {"ok": False}, "dead", "not accepted"), (409, {}, "dead", "request create: HTTP 409"),
        (400, {"error": "let me in?"}, "dead", "request create: HTTP 400"),
        (503, {}, "dead", "given up after 2"),
    ],
)  # fmt: skip
async def test_replies_are_judged_and_told_without_secrets(
    scene: Scene, status: int, reply: Any, state: str, words: str
) -> None:
    async def answer(_: web.Request, __: int) -> web.StreamResponse:
        return web.json_response(reply, status=status)

    headers = {"authorization": "Bearer {{ secrets.token }}"}
    mapping = {**TICKETS, "headers": headers, "secrets": ["token"]}
    receiver = Receiver(answer)
    await scene.put(FULL, 1)
    secrets = {"token": scene.token}
    async with (
        listening(receiver) as url,
        scene.working(url, mapping=mapping, max_attempts=2, secret_files=secrets),
    ):
        (row,) = await scene.settled()
    assert (row["state"], row["external_id"]) == (state, None)
    assert words in row["error"]
    assert "let me in" not in row["error"]
    assert receiver.headers[0]["authorization"] == "Bearer let me in"


async def test_without_signing_no_secret_is_needed(scene: Scene) -> None:
    receiver = Receiver(ok)
    await scene.put(FULL, 1)
    async with listening(receiver) as url, scene.working(url, mapping=TICKETS, sign=False, secret=None):
        await scene.settled()
    assert not any(name.startswith("webhook-") for name in receiver.headers[0])


# -- each order once, though replies are lost --------------------------------------------------------------
@pytest.mark.parametrize("lose", [(), (0,), (1, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize(("kind", "preset"), [(RequestTracker, "request-tracker"), (Zammad, "zammad")])
async def test_a_ticket_for_each_order_and_a_note_for_each_revision(
    scene: Scene, kind: type[Tickets], preset: str, lose: tuple[int, ...]
) -> None:
    system = kind(lose=lose)
    for number in (1, 2):
        await scene.put(FULL, 1, number, title="路灯")
        await scene.put(REVISED, 2, number, title="路灯两盏")
        await scene.put(WITHDRAWN, 3, number, title="路灯两盏")
    receiver = Receiver(lambda request, _: system.handle(request))
    secrets = {"token": scene.token}
    async with (
        listening(receiver) as url,
        scene.working(url, preset=preset, secret_files=secrets, max_attempts=9),
    ):
        rows = await scene.settled()
    assert [row["state"] for row in rows] == ["delivered"] * 6, [row["error"] for row in rows]
    assert len({row["external_id"] for row in rows}) == len(system.tickets) == 2
    for ticket in system.tickets:
        own = 2 if kind is RequestTracker else 3  # there, what opens a ticket is no comment
        assert len(ticket["notes"]) == own
        assert ticket.get("Subject", ticket.get("title")) == "路灯两盏"
        assert ticket.get("Status", ticket.get("state")) in ("rejected", "closed")


async def test_a_revision_whose_first_never_got_an_answer_finds_the_ticket(scene: Scene) -> None:
    """The create arrived, its delivery was given up; the next revision lands on the same ticket."""
    system = RequestTracker(lose=(0,))
    await scene.put(FULL, 1)
    receiver = Receiver(lambda request, _: system.handle(request))
    more: dict[str, Any] = {"preset": "request-tracker", "secret_files": {"token": scene.token}}
    async with listening(receiver) as url:
        async with scene.working(url, max_attempts=1, **more):
            assert [row["state"] for row in await scene.settled()] == ["dead"]
        await scene.put(REVISED, 2)
        async with scene.working(url, **more):
            rows = await scene.until(lambda found: found[1]["state"] == "delivered")
    assert len(system.tickets) == 1
    assert (rows[1]["external_id"], len(system.tickets[0]["notes"])) == ("1", 1)


async def test_without_doubt_nothing_is_looked_up(scene: Scene) -> None:
    system = Zammad()
    await scene.put(FULL, 1)
    receiver = Receiver(lambda request, _: system.handle(request))
    async with (
        listening(receiver) as url,
        scene.working(url, preset="zammad", secret_files={"token": scene.token}),
    ):
        await scene.settled()
    assert len(receiver.bodies) == 1


@pytest.mark.parametrize(("found", "tickets"), [(500, 0), (401, 0), (404, 1), (200, 1)])
async def test_who_cannot_look_does_not_create(scene: Scene, found: int, tickets: int) -> None:
    """Where it cannot be found out whether the order is there, it is not sent again."""
    created: list[bytes] = []
    tries = 0

    async def answer(request: web.Request, _: int) -> web.StreamResponse:
        nonlocal tries
        if request.method == "GET":
            return web.json_response([], status=found)
        tries += 1
        if tries == 1:
            return web.Response(status=502)
        created.append(await request.read())
        return await ok(request, 0)

    look = {"query": {"ref": "{{ order.id }}"}, "id": "[0].id"}
    mapping = {"requests": {"order": {"json": {}, "id": "ticket.id", "find": look}}}
    await scene.put(FULL, 1)
    async with listening(Receiver(answer)) as url, scene.working(url, mapping=mapping, max_attempts=4):
        (row,) = await scene.settled()
    assert len(created) == tickets
    assert row["state"] == ("delivered" if tickets else "dead")
    if not tickets:
        assert "request order.find: HTTP" in row["error"]


async def test_a_worker_that_was_killed_while_sending_looks_before_it_sends_again(scene: Scene) -> None:
    system = RequestTracker()
    arrived = asyncio.Event()

    async def slow(request: web.Request, _: int) -> web.StreamResponse:
        answer = await system.handle(request)
        if len(system.writes) == 1 and not arrived.is_set():
            arrived.set()
            await asyncio.sleep(30)
        return answer

    await scene.put(FULL, 1)
    more: dict[str, Any] = {"preset": "request-tracker", "secret_files": {"token": scene.token}}
    async with listening(Receiver(slow)) as url:
        async with scene.working(url, **more):
            await asyncio.wait_for(arrived.wait(), 10)
        # As after a kill: nothing was noted of the try, its lease is ended by the next start.
        await scene.outbox.release()
        async with scene.working(url, **more):
            (row,) = await scene.settled()
    assert (row["external_id"], len(system.tickets)) == ("1", 1)


# -- presets -----------------------------------------------------------------------------------------------
async def test_cloudevents_in_structured_mode(scene: Scene) -> None:
    receiver = Receiver(ok)
    order_id = await scene.put(FULL, 1)
    mapping = {"vars": {"source": "/12345/example"}}
    async with listening(receiver) as url, scene.working(url, preset="cloudevents", mapping=mapping):
        await scene.settled()
    event = json.loads(receiver.bodies[0])
    assert receiver.headers[0]["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert (event["specversion"], event["id"], event["source"]) == ("1.0", f"{order_id}.1", "/12345/example")
    assert (event["type"], event["subject"]) == ("cn.hotline.order.open", order_id)
    assert event["data"] == json.loads(body_of(FULL, order_id, 1))
    assert all(name.isalnum() and name.islower() for name in event), "names of attributes"
    assert receiver.headers[0]["webhook-id"] == f"{order_id}.1"


async def test_a_plain_form_post(scene: Scene) -> None:
    receiver = Receiver(ok)
    order_id = await scene.put(SPARSE, 1)
    mapping = {
        "requests": {"order": {"form": {"town": "{{ fields.town | default('不详') }}", "unit": "{{ omit }}"}}}
    }
    async with listening(receiver) as url, scene.working(url, preset="form", mapping=mapping):
        await scene.settled()
    form = dict(parse_qsl(receiver.bodies[0].decode(), keep_blank_values=True))
    assert (form["key"], form["title"], form["town"]) == (f"{order_id}.1", "路灯不亮", "不详")
    assert "unit" not in form


async def test_our_own_is_the_document_as_it_is_whatever_else_is_configured(scene: Scene) -> None:
    receiver = Receiver(ok)
    await scene.put(FULL, 1)
    async with listening(receiver) as url, scene.working(url):
        await scene.settled()
    async with scene.database.reading() as connection:
        (body,) = (await connection.scalars(select(deliveries.c.body))).all()
    assert receiver.bodies == [body]
    assert receiver.headers[0]["content-type"] == "application/json; charset=utf-8"
