"""A gateway killed again and again while orders leave and what becomes of them is told.

Nothing is lost, nothing doubled, each order's revisions arrive in turn. The gateway is whole, the work-order
system a real HTTP server that loses requests and replies, and tells of each revision by signed call-backs,
each until it was answered.
"""

import asyncio
import json
import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import func, select

from domain.facts import OrderStatusTold
from domain.orders import OrderState
from gateway.asterisk.ports import spare_tcp
from gateway.storage.database import Database
from gateway.storage.order_status import OrderStatusRepository
from gateway.storage.tables import deliveries
from tests.support.databases import new_file
from tests.support.delivering import SECRET, serve
from tests.support.order_desk import Desk, desk
from tests.support.receiver import Receiver, listening
from tests.support.statuses import signed

KILLS = int(os.environ.get("HOTLINE_TEST_DELIVERY_KILLS", "15"))
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.support.delivering"])
STEPS = ("受理", "派单", "签收")


class System:
    """A work-order system: knows a repetition by `webhook-id`, takes and answers as networks let it."""

    def __init__(self, chance: random.Random, gateway: str) -> None:
        self.chance = chance
        self.inbound = f"{gateway}/api/v1/inbound/tickets/status"
        self.taken: dict[str, list[dict[str, Any]]] = {}
        """Of each order, what was taken of it, in the order in which it came."""
        self.bodies: dict[str, bytes] = {}
        """By `webhook-id`."""
        self.told: dict[str, list[str]] = {}
        """Of each order, the ids of what was told of it."""
        self.answers: Counter[int] = Counter()
        self.telling: set[asyncio.Task[None]] = set()
        self.refused: list[str] = []
        self.requests = self.repeated = 0
        self.http = aiohttp.ClientSession()

    async def busy(self) -> None:
        """Until the gateway delivers something."""
        before = self.requests
        async with asyncio.timeout(30):
            while self.requests == before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def take(self, request: web.Request, number: int) -> web.StreamResponse:
        self.requests, what = number + 1, self.chance.random()
        if what < 0.05:
            return _hung_up(request)  # nothing arrived
        if what < 0.10:
            return web.Response(status=503)
        body = await request.read()
        key, document = request.headers["webhook-id"], json.loads(body)
        order = str(document["id"])
        if key not in self.bodies:
            self.bodies[key] = body
            self.taken.setdefault(order, []).append(document)
            for at, step in enumerate(STEPS[: self.chance.randrange(1, 1 + len(STEPS))]):
                self._tell(order, f"{key}-{at}", step)
        else:
            self.repeated += 1
        assert self.bodies[key] == body, "a repetition says the same"
        await asyncio.sleep(self.chance.random() * 0.02)
        if what < 0.20:
            return _hung_up(request)  # it arrived, and we never hear of it
        return web.json_response({"id": f"GD-{list(self.taken).index(order)}"})

    def _tell(self, order: str, identity: str, step: str) -> None:
        self.told.setdefault(order, []).append(identity)
        task = asyncio.create_task(self._tell_until_answered(order, identity, step))
        self.telling.add(task)
        task.add_done_callback(self.telling.discard)

    async def _tell_until_answered(self, order: str, identity: str, step: str) -> None:
        said = {"id": identity, "order": order, "status": step, "unit": "区住建局", "at": time.time()}
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                # Signed anew each time; the message is the same by its id.
                headers, body = signed(SECRET, said, message_id=identity)
                timeout = aiohttp.ClientTimeout(total=5.0)
                async with self.http.post(
                    self.inbound, data=body, headers=headers, timeout=timeout
                ) as answer:
                    self.answers[answer.status] += 1
                    if answer.status in (200, 409):
                        return
                    if answer.status != 503:
                        self.refused.append(await answer.text())
                        return
            await asyncio.sleep(0.1 + self.chance.random() * 0.2)


def _hung_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@asynccontextmanager
async def system(chance: random.Random, gateway: str) -> AsyncIterator[tuple[System, str]]:
    made = System(chance, gateway)
    async with listening(Receiver(made.take)) as url:
        try:
            yield made, url
        finally:
            for task in list(made.telling):
                task.cancel()
            await made.http.close()


async def work(agents: Desk, chance: random.Random, over: asyncio.Event) -> None:
    """Orders written, corrected and withdrawn, for as long as there are kills."""
    written: list[str] = []
    for number in range(100_000):
        if over.is_set():
            return
        order = await agents.write(number)
        written.append(order.id)
        if number % 2:
            await agents.correct(chance.choice(written[-10:]), f"更正{number}")
        if number % 7 == 6:
            await agents.withdraw(written.pop(chance.randrange(len(written))))
        await asyncio.sleep(0.05)


@pytest.mark.timeout(300 + 12 * KILLS)
async def test_killed_at_any_moment_each_revision_and_each_status_is_there_once(
    database_url: str | None, tmp_path: Path
) -> None:
    url = database_url or new_file(tmp_path / "hotline.db")
    chance, port = random.Random(17), spare_tcp()
    async with system(chance, f"http://127.0.0.1:{port}") as (tickets, at), desk(url) as (agents, database):

        def started() -> Any:
            made = SERVER.Process(target=serve, args=(url, str(tmp_path / "data"), at, port), daemon=True)
            made.start()
            return made

        over = asyncio.Event()
        working = asyncio.create_task(work(agents, chance, over))
        gateway = started()
        try:
            for _ in range(KILLS):
                if chance.random() < 0.9:
                    await tickets.busy()
                # At whatever it is doing: starting, sending, noting, taking a status.
                await asyncio.sleep(chance.uniform(0.0, 0.8))
                gateway.kill()
                await asyncio.to_thread(gateway.join)
                assert not working.done()
                gateway = started()
            assert len(tickets.bodies) > KILLS, "it was killed at work"
            over.set()
            await working
            await _settled(database, tickets)
        finally:
            gateway.kill()
            gateway.join()
        await _compare(agents, database, tickets)


async def _settled(database: Database, tickets: System) -> None:
    """Until all is delivered and all that was to be told is answered."""
    deadline = time.monotonic() + 120 + 4 * KILLS
    while True:
        async with database.reading() as connection:
            query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
            states = {str(row[0]): int(row[1]) for row in await connection.execute(query)}
        if set(states) == {"delivered"} and not tickets.telling:
            return
        assert "dead" not in states
        assert time.monotonic() < deadline, (states, len(tickets.telling))
        await asyncio.sleep(0.2)


async def _compare(agents: Desk, database: Database, tickets: System) -> None:
    assert not tickets.refused
    assert set(tickets.taken) == set(agents.titles), "no order is lost, none is made up"
    statuses = OrderStatusRepository(database)
    revised = withdrawn = 0
    for number, (order_id, taken) in enumerate(tickets.taken.items()):
        revisions = [one["revision"] for one in taken]
        assert revisions == sorted(set(revisions)), "each revision once, in turn"
        assert taken[-1]["fields"]["title"]["value"] == agents.titles[order_id]
        kept = await agents.orders.get_order(order_id)
        assert kept is not None
        assert (kept.state, kept.external_id) == (OrderState.DELIVERED, f"GD-{number}")
        assert (taken[-1]["withdrawn"] is not None) == (kept.withdrawn is not None)
        assert kept.revision == revisions[-1]
        timeline = await statuses.timeline(order_id)
        assert len(timeline) == len(tickets.told[order_id]), "each status once"
        facts = [
            one.status.id
            for one in await agents.calls.facts_of(kept.call_id)
            if isinstance(one, OrderStatusTold) and one.status.order_id == order_id
        ]
        assert sorted(facts) == sorted(one.id for one in timeline), "each told on once"
        revised, withdrawn = revised + (len(revisions) > 1), withdrawn + (kept.withdrawn is not None)
    async with database.reading() as connection:
        made = await connection.scalar(select(func.count()).select_from(deliveries))
    assert made == len(tickets.bodies), "as many deliveries as were taken"
    assert revised >= KILLS // 4 and withdrawn >= KILLS // 20 and tickets.repeated >= KILLS // 10
    print(
        f"{KILLS} kills, {len(tickets.taken)} orders, {made} revisions, {tickets.repeated} repeated,"
        f" {sum(map(len, tickets.told.values()))} statuses, answers {dict(tickets.answers)}"
    )
