"""Consumers: each call in order, no call behind another; an error stops nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import structs

from domain.facts import RESYNC, CallEnded, CallStarted, CallUpdated, UtteranceHeard
from gateway.facts.bus import LocalBus
from gateway.facts.consumers import Consumers
from tests.support.orders import AT, a_call, heard


@asynccontextmanager
async def running(consumers: Consumers) -> AsyncIterator[LocalBus]:
    bus = LocalBus()
    task = asyncio.create_task(consumers.run(consumers.follow(bus)))
    try:
        yield bus
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled(consumers: Consumers) -> None:
    async with asyncio.timeout(5):
        await asyncio.sleep(0)
        while consumers.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)


async def test_a_call_that_waits_holds_up_no_other() -> None:
    answered, done = asyncio.Event(), list[str]()

    async def listen(fact: CallStarted) -> None:
        if fact.call.id == "main-1":
            await answered.wait()  # a PBX that does not answer
        done.append(fact.call.id)

    consumers = Consumers()
    consumers.register(CallStarted, listen)
    async with running(consumers) as bus:
        for number in range(1, 50):
            bus.publish(CallStarted(at=AT, call=a_call(number)))
        await settled(consumers)
        assert done == [f"main-{number}" for number in range(2, 50)]
        answered.set()
        await settled(consumers)
        assert done[-1] == "main-1"


async def test_facts_of_one_call_are_handled_in_order_by_all_its_consumers() -> None:
    seen: list[tuple[str, str]] = []

    def noting(name: str, pause: float) -> Any:
        async def consumer(fact: Any) -> None:
            await asyncio.sleep(pause)
            seen.append((name, type(fact).__name__))

        return consumer

    consumers = Consumers()
    for kind in (CallStarted, CallUpdated, CallEnded):
        consumers.register(kind, noting("first", 0.01))
        consumers.register(kind, noting("second", 0.0))
    call = a_call(1)
    async with running(consumers) as bus:
        bus.publish(CallStarted(at=AT, call=call))
        bus.publish(CallUpdated(at=AT, call=call, what="line"))
        bus.publish(CallEnded(at=AT, call=call))
        await settled(consumers)
    kinds = ("CallStarted", "CallUpdated", "CallEnded")
    assert seen == [(name, kind) for kind in kinds for name in ("first", "second")]


async def test_an_error_stops_neither_the_next_consumer_nor_the_next_fact() -> None:
    seen: list[str] = []

    async def broken(_: CallStarted) -> None:
        raise RuntimeError("no good")

    async def noting(fact: CallStarted) -> None:
        seen.append(fact.call.id)

    consumers = Consumers()
    consumers.register(CallStarted, broken)
    consumers.register(CallStarted, noting)
    async with running(consumers) as bus:
        for number in (1, 1, 2):
            bus.publish(CallStarted(at=AT, call=a_call(number)))
        await settled(consumers)
    assert sorted(seen) == ["main-1", "main-1", "main-2"]


async def test_partial_texts_pass_by() -> None:
    seen: list[str] = []

    async def noting(fact: UtteranceHeard) -> None:
        seen.append(fact.utterance.text)

    consumers = Consumers()
    consumers.register(UtteranceHeard, noting)
    final = heard(a_call(1), "路灯坏了")
    partial = UtteranceHeard(at=AT, utterance=structs.replace(final.utterance, text="路灯", final=False))
    async with running(consumers) as bus:
        bus.publish(partial)
        bus.publish(final)
        await settled(consumers)
    assert seen == ["路灯坏了"]


async def test_a_lane_is_bounded_and_what_matters_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.facts.consumers.LANE", 10)
    going_on, done = asyncio.Event(), list[str]()

    async def slow(fact: Any) -> None:
        await going_on.wait()
        done.append(fact.what if isinstance(fact, CallUpdated) else type(fact).__name__)

    consumers = Consumers()
    for kind in (CallStarted, CallUpdated, CallEnded):
        consumers.register(kind, slow)
    call = a_call(1)
    async with running(consumers) as bus:
        bus.publish(CallStarted(at=AT, call=call))
        await asyncio.sleep(0.05)
        bus.publish(CallUpdated(at=AT, call=call, what=RESYNC))
        bus.publish(CallEnded(at=AT, call=call))
        for number in range(1000):
            bus.publish(CallUpdated(at=AT, call=call, what=str(number)))
        await asyncio.sleep(0.05)
        assert consumers.waiting == 10
        going_on.set()
        await settled(consumers)
    assert done == ["CallStarted", RESYNC, "CallEnded", *(str(number) for number in range(992, 1000))]
    assert consumers.left_out == 992


async def test_a_consumer_that_never_returns_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.facts.consumers.CONSUMER_S", 0.05)
    done: list[str] = []

    async def stuck(_: CallStarted) -> None:
        await asyncio.Event().wait()

    async def after(fact: CallStarted) -> None:
        done.append(fact.call.id)

    consumers = Consumers()
    consumers.register(CallStarted, stuck)
    consumers.register(CallStarted, after)
    async with running(consumers) as bus:
        bus.publish(CallStarted(at=AT, call=a_call(1)))
        async with asyncio.timeout(5):
            while not done:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert done == ["main-1"]
