"""Orders and their revisions in a real ticket system: each once, in order, whatever is lost on the way."""

import asyncio
import multiprocessing
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import func, select

from domain.facts import CallStarted
from domain.orders import OrderState
from gateway.facts.recorder import FactRecorder
from gateway.runtime import Runtime
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.tables import deliveries
from tests.support.at_the_desk import CALL, Supervisor, at_the_desk
from tests.support.databases import new_file
from tests.support.delivering import deliver
from tests.support.order_desk import Desk, desk
from tests.support.receiver import endpoint_settings
from tests.support.roundup import PASSWORD, Roundup, roundup

ORDERS = int(os.environ.get("HOTLINE_TEST_ROUNDUP_ORDERS", "100"))
SPAWN = multiprocessing.get_context("spawn")


@pytest.mark.timeout(900)
async def test_each_revision_once_on_one_issue_though_replies_are_lost_and_workers_killed(
    tmp_path: Path,
) -> None:
    url = new_file(tmp_path / "hotline.db")
    secret = tmp_path / "roundup.password"
    secret.write_text(PASSWORD)
    chance = random.Random(7)
    async with roundup(tmp_path / "tracker", breaks=0.08) as tracker, desk(url) as (agents, database):
        arguments = (url, tracker.url, "roundup", {"password": str(secret)})
        worker = SPAWN.Process(target=deliver, args=arguments, daemon=True)
        worker.start()
        killed = 0
        try:
            written = []
            for number in range(ORDERS):
                order = await agents.write(number)
                written.append(order.id)
                # Earlier ones are changed while they are on their way, or there already.
                if number % 3 == 0:
                    await agents.correct(chance.choice(written[-20:]), f"更正{number}")
                if number % 10 == 9:
                    await agents.withdraw(written.pop(chance.randrange(len(written))))
                if number % (ORDERS // 5) == ORDERS // 7:
                    worker.kill()
                    worker.join()
                    await tracker.door.quiet()
                    killed += 1
                    worker = SPAWN.Process(target=deliver, args=arguments, daemon=True)
                    worker.start()
            await _delivered(database)
        finally:
            worker.kill()
            worker.join()
        assert killed >= 4
        assert len([one for one in tracker.door.broken if one[0] == "POST"]) >= 5, (
            "creates whose reply was lost"
        )
        await _compare(tracker, agents, database)


async def _delivered(database: Database) -> None:
    deadline = time.monotonic() + 60 + ORDERS
    while True:
        async with database.reading() as connection:
            query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
            states = {str(row[0]): int(row[1]) for row in await connection.execute(query)}
            if set(states) == {"delivered"}:
                return
            failing = await connection.scalar(select(deliveries.c.error).where(deliveries.c.state == "dead"))
        assert failing is None, failing
        assert time.monotonic() < deadline, states
        await asyncio.sleep(0.2)


async def _compare(tracker: Roundup, agents: Desk, database: Database) -> None:
    """The tracker has each order once, with all its revisions, and the gateway knows its number."""
    async with database.reading() as connection:
        query = select(deliveries.c.order_id, deliveries.c.key, deliveries.c.external_id)
        rows = (await connection.execute(query.order_by(deliveries.c.order_id, deliveries.c.revision))).all()
    revisions: dict[str, list[str]] = {}
    numbers: dict[str, set[str | None]] = {}
    for order_id, key, number in rows:
        revisions.setdefault(order_id, []).append(f"<{key}@hotline>")
        numbers.setdefault(order_id, set()).add(number)
    issues = tracker.issues()
    assert len(issues) == len(revisions) == ORDERS
    assert sorted(tracker.messages()) == sorted(key for keys in revisions.values() for key in keys)
    assert sum(len(keys) > 1 for keys in revisions.values()) > ORDERS // 5
    for order_id, keys in revisions.items():
        (number,) = numbers[order_id]
        assert number is not None
        title, status, messages = issues[number]
        assert messages == keys, "in this order, each once"
        assert title == agents.titles[order_id]
        kept = await agents.orders.get_order(order_id)
        assert kept is not None
        assert (kept.state, kept.external_id) == (OrderState.DELIVERED, number)
        assert (status == "resolved") == (kept.withdrawn is not None)


async def test_a_reply_that_was_lost_is_found_again_whichever_it_was(tmp_path: Path) -> None:
    """The one request whose reply is lost is done once, and what follows it lands on the same issue."""
    url = new_file(tmp_path / "hotline.db")
    secret = tmp_path / "roundup.password"
    secret.write_text(PASSWORD)
    lost = (("POST", "/rest/data/msg"), ("POST", "/rest/data/issue"), ("PUT", "/rest/data/issue"))
    async with roundup(tmp_path / "tracker") as tracker, desk(url) as (agents, database):
        arguments = (url, tracker.url, "roundup", {"password": str(secret)})
        worker = SPAWN.Process(target=deliver, args=arguments, daemon=True)
        worker.start()
        try:
            for number, (method, path) in enumerate(lost):
                tracker.door.break_once(method, path)
                order = await agents.write(number)
                await agents.correct(order.id, f"更正{number}")
                await _delivered(database)
                assert len(tracker.door.broken) == number + 1
        finally:
            worker.kill()
            worker.join()
        issues = tracker.issues().values()
        assert [(title, len(messages)) for title, _, messages in issues] == [
            (f"更正{number}", 2) for number in range(len(lost))
        ]
        assert len(tracker.messages()) == 2 * len(lost)


async def test_what_somebody_does_at_the_tracker_is_in_the_pop_of_the_next_call(tmp_path: Path) -> None:
    url = new_file(tmp_path / "hotline.db")
    secret = tmp_path / "roundup.password"
    secret.write_text(PASSWORD)
    async with roundup(tmp_path / "tracker") as tracker:
        endpoint = endpoint_settings(
            tracker.url,
            preset="roundup",
            sign=False,
            secret_files={"password": secret},
            inbound={"poll_s": 86_400},
        )
        async with at_the_desk(tmp_path, url, workorders=[endpoint]) as (gateway, supervisor, order_id):
            said = {"title": "路灯不亮", "summary": "门口的路灯不亮"}
            await gateway.orders.set_fields(order_id, said, revision=None, by="1001")
            await gateway.orders.submit(order_id, by="1001")
            number = await _number(gateway, order_id)
            # As many times as people call: each time what is true by then.
            for linkedid, status, step in (("2", "in-progress", "handled"), ("3", "resolved", "closed")):
                await asyncio.to_thread(tracker.work_on, number, status, "ligong")
                changed = time.monotonic()
                again = structs.replace(
                    CALL, id=f"main-{linkedid}", linkedid=linkedid, started_at=time.time()
                )
                gateway.get(FactRecorder).record(CallStarted(at=again.started_at, call=again))
                await gateway.get(JournalWriter).flush()
                shown = await _shown(supervisor, again.id, step)
                print(f"in the pop after {time.monotonic() - changed:.2f} s")
                assert (shown["person"], shown["word"]) == ("ligong", status)


async def _number(gateway: Runtime, order_id: str) -> str:
    async with asyncio.timeout(60):
        while True:
            order = await gateway.orders.get_order(order_id)
            if order is not None and order.external_id is not None:
                return order.external_id
            await asyncio.sleep(0.1)


async def _shown(supervisor: Supervisor, call_id: str, step: str) -> dict[str, Any]:
    """What the pop says of the order, as soon as it has come to that step."""
    async with asyncio.timeout(30):
        while True:
            _, _, pop = await supervisor.ask("GET", f"/api/v1/calls/{call_id}/pop")
            status: dict[str, Any] = pop["orders"][0]["status"] if pop["orders"] else {}
            if status and status["step"] == step:
                return status
            await asyncio.sleep(0.02)
