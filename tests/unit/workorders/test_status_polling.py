"""A work-order system that cannot call is asked what became of its orders: real HTTP, real databases."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from msgspec import structs

from domain.calls import CallState
from domain.facts import CallStarted, OrderStatusTold
from domain.order_status import Step
from gateway.facts.recorder import FactRecorder
from gateway.modules.order_status import polled
from gateway.runtime import Runtime
from gateway.storage.calls import CallRepository
from gateway.storage.journal import JournalWriter
from gateway.storage.order_status import OrderStatusRepository
from tests.support.at_the_desk import CALL, Supervisor, at_the_desk
from tests.support.databases import new_file
from tests.support.receiver import Receiver, endpoint_settings, listening
from workorders.delivery.mapping.compiled import OrderMapping
from workorders.delivery.mapping.errors import MappingFaultsError
from workorders.delivery.mapping.spec import read_spec
from workorders.inbound.polling import PollError, StatusPolling

MAPPING: dict[str, Any] = {
    "requests": {"order": {"json": "{{ order }}"}},
    "poll": {
        "url": "{{ base }}/changed",
        "query": {"since": "{{ since | time('%Y-%m-%d %H:%M:%S', 'UTC') }}", "page": "{{ page }}"},
        "items": "tickets",
        "changed": "changed",
        "page_size": 2,
        "places": {"order": "ref", "status": "state", "unit": "unit", "text": "note", "deadline": "due"},
        "words": {"busy": "handled", "done": "closed"},
    },
}


class Desk:
    """A ticket system that is only asked."""

    def __init__(self) -> None:
        self.tickets: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.was_asked = asyncio.Event()
        self.instead: bytes | int | None = None
        """What is answered in place of the tickets."""
        self.receiver = Receiver(self._answer)

    async def _answer(self, request: web.Request, _: int) -> web.StreamResponse:
        if request.method == "POST":
            return web.json_response({"id": "T-1"})
        self.asked.append(dict(request.query))
        self.was_asked.set()
        if isinstance(self.instead, int):
            return web.Response(status=self.instead)
        if self.instead is not None:
            return web.Response(body=self.instead, content_type="application/json")
        since, page = request.query["since"], int(request.query["page"])
        changed = sorted((one for one in self.tickets if one["changed"] >= since), key=lambda o: o["changed"])
        return web.json_response({"tickets": changed[2 * (page - 1) : 2 * page]})

    def change(self, ref: str, state: str, ago_s: float = 0.0, **more: Any) -> None:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - ago_s))
        self.tickets = [one for one in self.tickets if one["ref"] != ref]
        self.tickets.append({"ref": ref, "state": state, "changed": at + "+00:00", **more})


class Asking:
    """A gateway with an order, and the system that has it."""

    def __init__(self, gateway: Runtime, supervisor: Supervisor, order_id: str, desk: Desk) -> None:
        self.gateway, self.supervisor, self.order_id, self.desk = gateway, supervisor, order_id, desk
        self.told: list[OrderStatusTold] = []
        self.store = gateway.get(OrderStatusRepository)
        self.polling = StatusPolling(polled(gateway.settings), self.store, self.told.append)

    async def ask(self) -> int:
        (system,) = self.polling.systems
        async with aiohttp.ClientSession() as http:
            return await self.polling.ask(http, system, 0.0)

    async def steps(self) -> list[tuple[Step, str]]:
        return [(one.step, one.unit) for one in await self.store.timeline(self.order_id)]


@asynccontextmanager
async def asking_of(url: str, path: Path) -> AsyncIterator[Asking]:
    """The gateway itself asks once at its start, and then not for a day, unless somebody calls."""
    desk = Desk()
    async with listening(desk.receiver) as at:
        endpoints = [endpoint_settings(at, mapping=MAPPING, inbound={"poll_s": 86_400})]
        async with at_the_desk(path, url, workorders=endpoints) as (gateway, supervisor, order_id):
            async with asyncio.timeout(30):
                await desk.was_asked.wait()
            yield Asking(gateway, supervisor, order_id, desk)


@pytest.fixture
async def asking(database_url: str, tmp_path: Path) -> AsyncIterator[Asking]:
    async with asking_of(database_url, tmp_path) as asking:
        yield asking


@pytest.fixture
async def asking_on_sqlite(tmp_path: Path) -> AsyncIterator[Asking]:
    async with asking_of(new_file(tmp_path / "hotline.db"), tmp_path) as asking:
        yield asking


async def test_what_changed_is_told_once_and_what_is_not_ours_is_left_alone(asking: Asking) -> None:
    desk, order_id = asking.desk, asking.order_id
    for number in range(5):
        desk.change(f"somebody-{number}", "busy", ago_s=300 + number)
    desk.change(order_id, "busy", ago_s=200, unit="区住建局", note="已派人")
    assert await asking.ask() == 1
    assert await asking.ask() == 0, "asked again, it says what it said"
    assert {one["page"] for one in desk.asked} >= {"1", "2", "3", "4"}, "page by page"
    # It changes, but not in what it says of the order.
    desk.change(order_id, "busy", ago_s=150, unit="区住建局", note="已派人")
    assert await asking.ask() == 0
    desk.change(order_id, "done", ago_s=100, unit="区住建局", note="已修好")
    assert await asking.ask() == 1
    desk.change(order_id, "busy", ago_s=50, unit="区住建局", note="又坏了")
    assert await asking.ask() == 1
    assert await asking.steps() == [
        (Step.HANDLED, "区住建局"),
        (Step.CLOSED, "区住建局"),
        (Step.HANDLED, "区住建局"),
    ]
    facts = await asking.gateway.get(CallRepository).facts_of(CALL.id)
    assert [one.status.text for one in facts if isinstance(one, OrderStatusTold)] == [
        "已派人",
        "已修好",
        "又坏了",
    ]
    assert [one.status.text for one in asking.told] == ["已派人", "已修好", "又坏了"]
    # What it is asked for goes on from the newest change, and overlaps.
    since = desk.asked[-1]["since"]
    assert since < time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 500))
    assert since > time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 900))


async def test_many_that_ask_at_once_keep_it_once(asking: Asking) -> None:
    asking.desk.change(asking.order_id, "done", ago_s=10)
    assert sum(await asyncio.gather(*(asking.ask() for _ in range(8)))) == 1
    assert await asking.steps() == [(Step.CLOSED, "")]
    # Each system for itself, and who was asked just now is not asked again.
    for endpoint in ("main", "another"):
        assert await asking.store.claim(endpoint, 0.0)
        assert not any(await asyncio.gather(*(asking.store.claim(endpoint, 30.0) for _ in range(5))))


async def test_an_answer_that_is_none_is_a_failure_and_the_next_is_read(asking_on_sqlite: Asking) -> None:
    asking, desk = asking_on_sqlite, asking_on_sqlite.desk
    desk.change(asking.order_id, "done", ago_s=10)
    for instead in (500, 401, 302, b"", b"<html>", b"{}", b'{"tickets": "none"}', b"[" * 100_000):
        desk.instead = instead
        with pytest.raises(PollError):
            await asking.ask()
    desk.instead = b'{"tickets": [1, null, [], "x", {}]}'
    assert await asking.ask() == 0, "a list of nothing that is understood"
    desk.instead = None
    # One that is not understood holds up no other.
    for ref, state, due in (
        ("a", "nobody knows", None),
        ("b", "done", "the day after tomorrow"),
        ("c\ud800", "\udfff", None),
        ("d", "done", "9999-99-99"),
    ):
        desk.change(ref, state, due=due)
    desk.change(asking.order_id, "done", ago_s=5, note="a\x00b\ud800", unit="单" * 500)
    assert await asking.ask() == 1
    ((step, unit),) = await asking.steps()
    assert (step, len(unit)) == (Step.CLOSED, 200)


async def test_when_somebody_calls_it_is_asked_and_the_pop_has_what_changed(asking_on_sqlite: Asking) -> None:
    asking = asking_on_sqlite
    asking.desk.change(asking.order_id, "done", note="路灯已修好")
    again = structs.replace(CALL, id="main-2", linkedid="2", started_at=time.time(), state=CallState.RINGING)
    asking.gateway.get(FactRecorder).record(CallStarted(at=again.started_at, call=again))
    await asking.gateway.get(JournalWriter).flush()
    async with asyncio.timeout(20):
        while True:
            _, _, pop = await asking.supervisor.ask("GET", f"/api/v1/calls/{again.id}/pop")
            if pop["orders"] and (status := pop["orders"][0]["status"]):
                break
            await asyncio.sleep(0.05)
    assert (status["step"], status["text"]) == ("closed", "路灯已修好")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"items": "]["}, "poll.items"),
        ({"places": {"status": "s"}}, "poll.places: needs status, and order or number"),
        ({"places": {"order": "o", "status": "s", "stat": "x"}}, "poll.places.stat"),
        ({"words": {"x": "finished"}}, "'finished' is no step"),
        ({"timezone": "Beijing"}, "poll.timezone"),
        ({"query": {"since": "{{ order.id }}"}}, "order is not known here"),
        ({"url": "{{ base }}/{{ secrets.token }}"}, "a secret must not be part of a URL"),
        ({"page_sise": 3}, "unknown key page_sise"),
        ({"headers": {"X-Api-Key": "abc"}}, "a secret must not be in this file"),
    ],
)
def test_a_mapping_that_cannot_ask_is_refused_with_the_place(change: dict[str, Any], said: str) -> None:
    with pytest.raises(MappingFaultsError, match=said.replace("[", r"\[").replace("]", r"\]")):
        OrderMapping(read_spec({**MAPPING, "poll": {**MAPPING["poll"], **change}}))
