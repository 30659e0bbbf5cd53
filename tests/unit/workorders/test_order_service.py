"""Orders while they grow, on a real database: alerts once, offers beside what was typed, earlier orders, a
model's help.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from domain.calls import Call, CallState, Conversation, Direction, Party, Side
from domain.facts import (
    AnyFact,
    CallAnswered,
    CallEnded,
    LifeSafetyAlert,
    OrderChanged,
    UtteranceHeard,
)
from domain.orders import FieldValue, Method, Order, OrderState
from domain.transcripts import Utterance, utterance_id
from gateway.facts.bus import LocalBus
from gateway.facts.order_writer import DatabaseOrderWriter
from gateway.facts.recorder import FactRecorder
from gateway.modules.orders import order_rules
from gateway.settings import Settings, load_settings
from gateway.settings.load import EXAMPLE
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.orders import OrderRepository
from gateway.stream.audience import Audience
from gateway.stream.state import LiveView
from tests.support.databases import new_file
from workorders.directories.reference import Reference, load_reference
from workorders.drafting import Understanding
from workorders.errors import OrderRefusedError
from workorders.extraction.classifier import load_classifier
from workorders.forms import check_value
from workorders.knowledge import load_knowledge
from workorders.service import OrderService

REFERENCE = load_reference()
NUMBER = "13912340000"
AT = 1_780_000_000.0


class Helper:
    """Stands where the language model's endpoint does; answers when let."""

    def __init__(self, values: dict[str, FieldValue]) -> None:
        self.values, self.asked, self.let = values, 0, asyncio.Event()

    async def ask(self, form: str, said: Sequence[Utterance], reference: Reference) -> dict[str, FieldValue]:
        self.asked += 1
        await self.let.wait()
        return self.values


class Stage:
    def __init__(self, database: Database, journal: JournalWriter, settings: Settings, model: Any) -> None:
        self.bus = LocalBus()
        self.facts: list[AnyFact] = []
        self.bus.listen(self.facts.append)
        self.journal = journal
        self.calls = CallRepository(database)
        self.repository = OrderRepository(database)
        self.orders = OrderService(
            order_rules(settings),
            Understanding(REFERENCE, load_classifier(), load_knowledge(), model),
            FactRecorder(journal, self.bus),
            self.calls,
            self.repository,
            DatabaseOrderWriter(self.repository, self.bus),
        )

    async def answered(self, number: int, caller: str = NUMBER) -> Call:
        call = Call(
            id=f"main-{number}",
            pbx="main",
            linkedid=str(number),
            direction=Direction.INBOUND,
            state=CallState.TALKING,
            caller=Party(caller, ""),
            called="12345",
            started_at=AT + number,
            answered_at=AT + number,
            line="12345",
            agent="1001",
            conversations=(Conversation("1001", "PJSIP/1001-1", AT + number),),
        )
        fact = CallAnswered(at=AT + number, call=call, agent="1001", channel="PJSIP/1001-1", waited=1.0)
        self.journal.put(fact)
        self.bus.publish(fact)
        await self.orders.on_call_answered(fact)
        return call

    async def say(self, call: Call, at: float, text: str, side: Side = Side.CALLER) -> Order:
        said = Utterance(utterance_id(call.id, side, at), call.id, side, at, at + 3, text)
        fact = UtteranceHeard(at=call.started_at + at, utterance=said)
        self.journal.put(fact)
        await self.orders.on_utterance_heard(fact)
        await self.journal.flush()
        return await self.order(call)

    async def order(self, call: Call) -> Order:
        return await self.orders.of_call(call)


@asynccontextmanager
async def staged(path: Path, model: Any = None) -> AsyncIterator[Stage]:
    database = Database(new_file(path / "test.db"))
    settings = load_settings(EXAMPLE)
    # Orders leave at once: when they do otherwise is another test's matter.
    lines = [line.model_copy(update={"send_after_s": 0.0}) for line in settings.lines]
    settings = settings.model_copy(update={"lines": lines})
    async with JournalWriter(database) as journal:
        yield Stage(database, journal, settings, model)
    await database.close()


async def test_danger_to_life_is_told_once_and_stands_on_the_supervisors_screen(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        call = await stage.answered(1)
        await stage.say(call, 1, "快点，刘桥镇英雄村有房子着火了，有人被困！")
        await stage.say(call, 6, "快来人啊，火很大！")
        alerts = [fact for fact in stage.facts if isinstance(fact, LifeSafetyAlert)]
        assert len(alerts) == 1
        assert alerts[0].alert.quote in ("着火", "被困")
        assert any(isinstance(fact, LifeSafetyAlert) for fact in await stage.calls.facts_of(call.id))
        view = LiveView()
        for fact in stage.facts:
            view.apply(fact)
        for audience, sees in (
            (Audience(sees_all=True, agent=None), True),
            (Audience(sees_all=False, agent="1001"), True),
            (Audience(sees_all=False, agent="1002"), False),
        ):
            assert (b'"topic":"alerts"' in view.snapshot(audience)) == sees


async def test_danger_that_was_typed_is_told_though_the_order_has_left(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        call = await stage.answered(1)
        order = await stage.say(call, 1, "刘桥镇英雄村这边出事了。")
        await stage.orders.set_fields(order.id, {"life_safety": True}, revision=None, by="wang")
        left = await stage.orders.submit(order.id, by="wang")
        assert left is not None
        assert left.state is OrderState.SUBMITTED
        await stage.say(call, 6, "我在路口等。")
        assert len([fact for fact in stage.facts if isinstance(fact, LifeSafetyAlert)]) == 1


async def test_what_contradicts_the_agent_is_offered_and_never_replaces(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        call = await stage.answered(1)
        order = await stage.say(call, 1, "我要投诉，刘桥镇有个养猪场往河里排粪水。")
        typed = await stage.orders.set_fields(order.id, {"town": "平潮镇"}, revision=None, by="wang")
        assert typed is not None
        assert typed.offers["town"][0].value == "刘桥镇"
        order = await stage.say(call, 6, "就在刘桥镇英雄村。")
        assert (order.fields["town"].value, order.fields["town"].method) == ("平潮镇", Method.AGENT)
        assert [one.value for one in order.offers["town"]] == ["刘桥镇"]
        assert order.offers["town"][0].evidence
        agreed = await stage.orders.set_fields(order.id, {"town": "刘桥镇"}, revision=None, by="wang")
        assert agreed is not None
        assert "town" not in agreed.offers


async def test_two_desks_do_not_overwrite_each_other_and_the_extraction_stops_neither(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        call = await stage.answered(1)
        order = await stage.say(call, 1, "我要投诉，刘桥镇有个养猪场往河里排粪水。")
        shown = order.fields["town"].value

        async def typed(value: str, seen: str) -> Order | None:
            fields = {"town": value}
            return await stage.orders.set_fields(
                order.id, fields, revision=None, by="wang", seen={"town": seen}
            )

        # Both desks began when the extraction's value was shown; it goes on meanwhile.
        first = await typed("平潮镇", shown)
        await stage.say(call, 6, "就在刘桥镇英雄村。")
        assert first is not None
        with pytest.raises(OrderRefusedError, match="town") as refused:
            await typed("石港镇", shown)
        assert (refused.value.status, refused.value.code) == (409, "overtaken")
        assert (await stage.order(call)).fields["town"].value == "平潮镇"
        # Saving the same once more, or after having seen the other's word, is no conflict.
        assert await typed("平潮镇", shown) is not None
        last = await typed("石港镇", "平潮镇")
        assert last is not None
        assert last.fields["town"].value == "石港镇"
        with pytest.raises(OrderRefusedError) as stale:
            await stage.orders.set_fields(order.id, {"title": "x"}, revision=first.revision, by="wang")
        assert stale.value.code == "stale"


async def test_a_duplicate_names_the_first_and_is_delivered_with_it(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        orders = [await stage.order(await stage.answered(number)) for number in (1, 2, 3)]
        first, second, third = orders
        mark = stage.orders.mark_duplicate
        for wrong in (second.id, "no-such-order"):
            with pytest.raises(OrderRefusedError) as refused:
                await mark(second.id, wrong, by="wang")
            assert refused.value.status == 422
        assert await mark("no-such-order", first.id, by="wang") is None
        marked = await mark(second.id, first.id, by="wang")
        assert marked is not None
        assert (marked.duplicate_of, marked.revision) == (first.id, second.revision + 1)
        again = await mark(second.id, first.id, by="wang")
        assert again == marked
        # A duplicate of a duplicate is one of the first; the first cannot become one of itself.
        chained = await mark(third.id, second.id, by="wang")
        assert chained is not None
        assert chained.duplicate_of == first.id
        with pytest.raises(OrderRefusedError):
            await mark(first.id, second.id, by="wang")
        undone = await mark(third.id, None, by="wang")
        assert undone is not None
        assert undone.duplicate_of is None
        sent = await stage.orders.submit(second.id, by="wang")
        assert sent is not None
        with pytest.raises(OrderRefusedError) as refused:
            await mark(second.id, None, by="wang")
        assert (refused.value.status, refused.value.code) == (409, "submitted")
        await stage.journal.flush()
        stored = await stage.repository.get_order(second.id)
        assert stored is not None
        assert stored.duplicate_of == first.id
        marks = [
            fact.order.duplicate_of
            for fact in await stage.calls.facts_of(second.call_id)
            if isinstance(fact, OrderChanged)
        ]
        assert first.id in marks


async def test_who_withholds_the_number_has_no_earlier_orders(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for number in (1, 2):
            call = await stage.answered(number, caller="anonymous")
            order = await stage.say(call, 1, f"你好，我想问问第{number}件事。")
        assert order.related == ()


async def test_earlier_orders_of_the_caller_and_of_the_matter_and_articles_stand_beside(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path) as stage:
        first = await stage.answered(1)
        await stage.say(first, 1, "我要投诉，刘桥镇英雄村养猪场往河里偷排粪水，臭味很大。")
        other = await stage.answered(2, caller="13700000000")
        order = await stage.say(other, 1, "举报一下，刘桥镇英雄村养猪场偷排粪水，河水发黑，污染严重。")
        assert [(one.reason, one.order_id) for one in order.related] == [
            ("matter", (await stage.order(first)).id)
        ]
        again = await stage.answered(3)
        order = await stage.say(again, 1, "我想问一下稳岗补贴怎么申请。")
        assert [one.reason for one in order.related] == ["caller"]
        assert order.related[0].title
        assert order.knowledge[0].title == "稳岗返还（稳岗补贴）"
        assert order.related[0].order_id != order.id
        stranger = await stage.answered(4, caller="")
        order = await stage.say(stranger, 1, "你好，请问医保卡在哪里办。")
        assert order.related == ()


async def test_a_models_answer_comes_beside_the_call_and_is_not_waited_for(tmp_path: Path) -> None:
    helper = Helper(
        {"wish": FieldValue("尽快修好", 0.6, Method.LLM), "town": FieldValue("西亭镇", 0.6, Method.LLM)}
    )
    async with staged(tmp_path, helper) as stage:
        call = await stage.answered(1)
        order = await stage.say(call, 1, "我在刘桥镇，路灯坏了。")
        assert helper.asked == 1
        assert "wish" not in order.fields
        await stage.say(call, 6, "晚上看不见。")
        assert helper.asked == 1
        helper.let.set()
        async with asyncio.timeout(5):
            while "wish" not in (order := await stage.order(call)).fields:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert order.fields["town"].value == "刘桥镇"
        assert order.offers["town"][0].value == "西亭镇"
        (done,) = await stage.orders.complete(call, [])
        assert done.state is OrderState.SUBMITTED
        assert done.fields["wish"].method is Method.LLM


@pytest.mark.parametrize("value", ["91350100M000100Y44", "91350100M000100Y4"])
def test_a_wrong_credit_code_is_not_taken_from_the_agent_either(value: str) -> None:
    with pytest.raises(ValueError, match="GB 32100"):
        check_value("enterprise", "credit_code", value)
    assert check_value("enterprise", "credit_code", "91350100m000100y43") == "91350100M000100Y43"


async def test_what_is_said_on_a_call_outside_makes_no_order(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        outside = structs.replace(
            await stage.answered(1), id="main-2", linkedid="2", direction=Direction.OUTBOUND
        )
        stage.journal.put(CallEnded(at=AT + 60, call=outside))
        await stage.journal.flush()
        said = Utterance(
            utterance_id("main-2", Side.CALLER, 3), "main-2", Side.CALLER, 3, 6, "您好，我家停水了"
        )
        await stage.orders.on_utterance_heard(UtteranceHeard(at=AT + 61, utterance=said))
        await stage.journal.flush()
        assert {order.call_id for order in await stage.orders.list_orders()} == {"main-1"}
