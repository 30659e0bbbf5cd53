"""Several matters on one call, an order each, on real databases."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec import structs
from sqlalchemy import select

from domain.calls import Call, CallState, Side
from domain.facts import CallAnswered, CallEnded, UtteranceHeard
from domain.orders import Order, OrderState
from domain.transcripts import Utterance, utterance_id
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.tables import deliveries
from tests.support.orders import OrdersOfProcess, a_call
from workorders.errors import OrderRefusedError
from workorders.further import MOST_ORDERS
from workorders.outcomes import OutcomeChoice

LAMP = "我住刘桥镇，门口的路灯坏了半个月了。"
NAME = "我姓王，叫王建国。"
WAGES = "还有一件事，我在川姜镇的工地上干活，老板拖欠工资。"
SCHEMA = json.loads(Path("workorders/schema/order-v1.json").read_text(encoding="utf-8"))


class Scene:
    def __init__(self, database: Database, journal: JournalWriter) -> None:
        self.database, self.journal = database, journal
        self.now = 0.0
        self.process = OrdersOfProcess(database, journal, clock=lambda: self.now)
        self.orders = self.process.orders
        self.number = 0

    async def answered(self) -> Call:
        self.number += 1
        call = structs.replace(a_call(self.number), agent="1001")
        fact = CallAnswered(at=call.started_at, call=call, agent="1001", channel="c", waited=0.0)
        self.process.facts.record(fact)
        await self.journal.flush()
        await self.orders.on_call_answered(fact)
        return call

    async def says(self, call: Call, at: float, text: str) -> None:
        said = Utterance(utterance_id(call.id, Side.CALLER, at), call.id, Side.CALLER, at, at + 4, text)
        fact = UtteranceHeard(at=call.started_at + at, utterance=said)
        self.process.facts.record(fact)
        await self.journal.flush()
        await self.orders.on_utterance_heard(fact)

    async def add(self, call: Call, number: int = 2, begins: float | None = None) -> Order:
        made = await self.orders.add_order(call.id, number, begins=begins, by="wangfang")
        assert made is not None
        assert made in await self.of(call)
        return made

    async def over(self, call: Call, lasted: float = 60.0) -> list[Order]:
        ended = structs.replace(call, state=CallState.ENDED, ended_at=call.started_at + lasted)
        self.process.facts.record(CallEnded(at=call.started_at + lasted, call=ended))
        await self.journal.flush()
        return list(await self.orders.complete(ended, []))

    async def of(self, call: Call) -> list[Order]:
        return await self.process.repository.orders_of_call(call.id)

    async def sent(self, order: Order) -> list[dict[str, Any]]:
        query = select(deliveries.c.body).where(deliveries.c.order_id == order.id)
        async with self.database.reading() as connection:
            bodies = [json.loads(body) for body in await connection.scalars(query)]
        for body in bodies:
            jsonschema.validate(body, SCHEMA)
        return bodies


@pytest.fixture
async def scene(database: Database) -> AsyncIterator[Scene]:
    async with JournalWriter(database) as journal:
        yield Scene(database, journal)


def value(order: Order, name: str) -> Any:
    return order.fields[name].value if name in order.fields else None


async def test_each_matter_has_its_order_and_its_part_of_the_call(scene: Scene) -> None:
    call = await scene.answered()
    await scene.says(call, 2, NAME)
    await scene.says(call, 8, LAMP)
    await scene.says(call, 20, WAGES)
    (first,) = await scene.of(call)
    assert first.split is not None
    second = await scene.add(call, begins=first.split.at)
    await scene.says(call, 30, "一共拖欠了两万块钱。")

    first, second = await scene.over(call)
    assert (first.number, first.begins, first.ends, first.split) == (1, 0.0, 20.0, None)
    assert (second.number, second.begins, second.ends) == (2, 20.0, None)
    assert first.id != second.id
    assert (value(first, "town"), value(second, "town")) == ("刘桥镇", "川姜镇")
    assert "路灯" in value(first, "summary")
    assert "工资" not in value(first, "summary")
    assert "工资" in value(second, "summary")
    assert "路灯" not in value(second, "summary")
    # Who calls was said once, and is the same for both.
    for name in ("caller_name", "phone"):
        assert value(first, name) == value(second, name) is not None
    ((one,), (other,)) = await scene.sent(first), await scene.sent(second)
    assert (one["number"], one["part"]) == (1, {"begins_s": 0.0, "ends_s": 20.0})
    assert (other["number"], other["part"]) == (2, {"begins_s": 20.0, "ends_s": None})
    assert one["call"]["id"] == other["call"]["id"]


async def test_what_an_agent_typed_of_the_caller_goes_over_and_of_the_matter_does_not(scene: Scene) -> None:
    call = await scene.answered()
    await scene.says(call, 2, LAMP)
    typed = {"caller_name": "李四", "title": "路灯不亮"}
    await scene.orders.set_fields((await scene.of(call))[0].id, typed, revision=None, by="wangfang")
    scene.now = call.started_at + 15.0
    second = await scene.add(call)
    assert second.begins == 15.0
    assert (value(second, "caller_name"), value(second, "title")) == ("李四", None)
    await scene.says(call, 700, NAME + WAGES)
    _, second = await scene.of(call)
    assert value(second, "caller_name") == "李四"


async def test_asked_twice_it_is_opened_once(scene: Scene) -> None:
    call = await scene.answered()
    await scene.says(call, 2, LAMP)
    second = await scene.add(call, begins=5.0)
    assert (await scene.add(call, begins=9.0)).id == second.id
    assert len(await scene.of(call)) == 2


async def test_opened_by_many_at_once_there_is_one_of_each(database: Database) -> None:
    async with JournalWriter(database) as journal, JournalWriter(database) as another:
        scene = Scene(database, journal)
        processes = [scene.orders, *(OrdersOfProcess(database, one).orders for one in (journal, another))]
        call = await scene.answered()
        await scene.says(call, 2, LAMP)
        for number in (2, 3, 4):
            asked = [
                processes[n % 3].add_order(call.id, number, begins=number * 5.0, by=str(n)) for n in range(9)
            ]
            made = await asyncio.gather(*asked)
            assert len({one.id for one in made if one is not None}) == 1
        assert [one.number for one in await scene.of(call)] == [1, 2, 3, 4]
        assert [one.ends for one in await scene.of(call)] == [10.0, 15.0, 20.0, None]


async def test_what_cannot_be_opened_says_why(scene: Scene) -> None:
    call = await scene.answered()
    await scene.says(call, 2, LAMP)

    async def refused(call_id: str, number: int, begins: float | None) -> str:
        with pytest.raises(OrderRefusedError) as error:
            await scene.orders.add_order(call_id, number, begins=begins, by="wangfang")
        return error.value.message.code

    assert await refused(call.id, 3, None) == "order_number"
    await scene.add(call, begins=10.0)
    assert await refused(call.id, 3, 9.0) == "order_begins"
    for number in range(3, MOST_ORDERS + 1):
        await scene.add(call, number, begins=10.0 + number)
    assert await refused(call.id, MOST_ORDERS + 1, 50.0) == "order_many"
    assert await scene.orders.add_order("nothing", 2, begins=None, by="wangfang") is None
    rings = structs.replace(a_call(77), answered_at=None, conversations=(), state=CallState.RINGING)
    scene.process.facts.record(CallEnded(at=rings.started_at, call=rings))
    await scene.journal.flush()
    assert await refused(rings.id, 2, None) == "order_none"


async def test_after_the_call_it_can_still_be_opened_from_where_the_caller_came_to_it(scene: Scene) -> None:
    call = await scene.answered()
    await scene.says(call, 2, LAMP)
    await scene.says(call, 20, WAGES)
    (first,) = await scene.over(call)
    assert first.state is OrderState.SUBMITTED
    second = await scene.add(call, begins=20.0)
    assert second.state is OrderState.DRAFT
    assert "工资" in value(second, "summary")
    # What has left stays as it left.
    assert (await scene.of(call))[0] == first
    sent = await scene.orders.submit(second.id, by="wangfang")
    assert sent is not None
    assert sent.state is OrderState.SUBMITTED
    assert [len(await scene.sent(one)) for one in (first, second)] == [1, 1]


async def test_a_further_order_outlives_a_restart(scene: Scene) -> None:
    call = await scene.answered()
    await scene.says(call, 2, LAMP)
    await scene.add(call, begins=10.0)
    scene.orders.drafting.forget(call.id)
    await scene.says(call, 12, WAGES)
    first, second = await scene.of(call)
    assert "工资" not in value(first, "summary")
    assert "工资" in value(second, "summary")


async def test_two_matters_may_add_to_the_same_order(scene: Scene) -> None:
    earlier = (await scene.over(await scene.answered()))[0]
    call = await scene.answered()
    await scene.says(call, 2, LAMP)
    await scene.add(call, begins=10.0)
    for order, answer in zip(await scene.of(call), ("再补充一盏", "并且催一下"), strict=True):
        choice = OutcomeChoice(kind="joined", order_id=earlier.id, answer=answer)
        await scene.orders.conclusion.choose(order.id, choice, by="wangfang")
    assert {one.state for one in await scene.over(call)} == {OrderState.DROPPED}
    held = await scene.process.repository.get_order(earlier.id)
    assert held is not None
    assert [one.text for one in held.supplements] == ["再补充一盏", "并且催一下"]


@pytest.mark.parametrize("seed", range(4))
async def test_every_word_belongs_to_one_matter(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    call = await scene.answered()
    at, opened = 1.0, [0.0]
    for n in range(12):
        await scene.says(call, at, f"第{n}句话说的是刘桥镇的路灯。")
        at += 4.0 + chance.random() * 3
        if chance.random() < 0.3:
            opened.append(at)
            await scene.add(call, len(opened), begins=at)
    orders = await scene.over(call, 200.0)
    assert [one.begins for one in orders] == opened
    assert [one.ends for one in orders] == [*opened[1:], None]
    # In time order, none twice: what each quotes lies in its part.
    for order in orders:
        for name, field in order.fields.items():
            for evidence in field.evidence:
                assert order.begins < evidence.audio_end, name
                assert order.ends is None or evidence.audio_end <= order.ends, name
