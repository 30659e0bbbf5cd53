"""How calls are concluded, on real databases: outcomes, when an order leaves, and what is sent of it."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import select

from domain.calls import Call, CallState
from domain.facts import AgentChanged, CallAnswered, CallEnded
from domain.messages import Message
from domain.orders import Order, OrderState
from domain.queues import AgentState, AgentStatus
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.tables import deliveries
from tests.support.orders import AT, OrdersOfProcess, a_call, heard
from workorders.errors import OrderRefusedError
from workorders.outcomes import OutcomeChoice
from workorders.rules import LineRules, OrderRules

WINDOW = 20.0
RULES = OrderRules(
    lines=(
        LineRules("12345", send_after_s=WINDOW),
        LineRules("yiqilai", submit_on_hangup=False, send_after_s=WINDOW),
    ),
    endpoints={"main": ()},
)
AT_ONCE = OrderRules(lines=(LineRules("12345"),), endpoints={"main": ()})


class Scene:
    """Calls and their orders, with a clock that is moved by hand."""

    def __init__(self, database: Database, journal: JournalWriter, rules: OrderRules = RULES) -> None:
        self.now = AT + 100.0
        self.database, self.journal = database, journal
        self.process = OrdersOfProcess(database, journal, rules, lambda: self.now)
        self.orders = self.process.orders
        self.conclusion = self.orders.conclusion

    async def talks(self, number: int = 1, line: str = "12345", text: str = "刘桥镇的路灯坏了") -> Call:
        """An agent answered, and something was said."""
        call = structs.replace(a_call(number), line=line, agent="1001")
        answered = CallAnswered(at=call.started_at, call=call, agent="1001", channel="c", waited=0.0)
        self.process.facts.record(answered, heard(call, text))
        await self.journal.flush()
        await self.orders.on_call_answered(answered)
        await self.orders.on_utterance_heard(heard(call, text))
        return call

    async def over(self, call: Call) -> Order:
        """The call has ended, and what is done after it is done."""
        ended = structs.replace(call, state=CallState.ENDED, ended_at=self.now)
        self.process.facts.record(CallEnded(at=self.now, call=ended))
        await self.journal.flush()
        return (await self.orders.complete(ended, []))[0]

    async def had(self, number: int = 1, **how: Any) -> Order:
        return await self.over(await self.talks(number, **how))

    async def wraps_up(self, until: float | None) -> None:
        state = AgentState.AVAILABLE if until is None else AgentState.WRAP_UP
        agent = AgentStatus("1001", "王芳", "PJSIP/1001", state, self.now, wrap_up_until=until)
        await self.conclusion.on_agent_changed(AgentChanged(at=self.now, agent=agent))

    async def choose(self, order: Order, **choice: Any) -> Order:
        chosen = await self.conclusion.choose(order.id, OutcomeChoice(**choice), by="wangfang")
        assert chosen == await self.order(order)
        return chosen

    async def order(self, order: Order) -> Order:
        held = await self.process.repository.get_order(order.id)
        assert held is not None
        return held

    async def later(self, seconds: float) -> int:
        """So much later; how many orders left."""
        self.now += seconds
        return await self.conclusion.send_due()

    async def sent(self, order: Order) -> list[dict[str, Any]]:
        """What was to be delivered of that order, in order of revisions."""
        query = (
            select(deliveries.c.body).where(deliveries.c.order_id == order.id).order_by(deliveries.c.revision)
        )
        async with self.database.reading() as connection:
            return [json.loads(body) for body in await connection.scalars(query)]

    async def delivered(self, *, dead: bool = False) -> None:
        """Everything in the outbox has arrived, or (`dead`) was refused for good."""
        outbox = self.process.outbox
        while due := await outbox.claim("main", 30.0, 10):
            for one in due:
                if dead:
                    await outbox.dead(one.id, 422, Message("answered", {}, "refused"))
                else:
                    await outbox.delivered(one.id, 200, "WO-1")


@pytest.fixture
async def scene(database: Database) -> AsyncIterator[Scene]:
    async with JournalWriter(database) as journal:
        yield Scene(database, journal)


# -- when it leaves ----------------------------------------------------------------------------------------
async def test_an_order_leaves_some_seconds_after_the_call_and_once(scene: Scene) -> None:
    order = await scene.had()
    assert (order.state, order.send_at) == (OrderState.DRAFT, scene.now + WINDOW)
    assert await scene.later(WINDOW - 1) == 0
    assert await scene.later(1) == 1
    assert await scene.later(100) == 0
    (body,) = await scene.sent(order)
    assert (body["status"], body["outcome"]["kind"], body["outcome"]["by"]) == ("open", "order", "")
    held = await scene.order(order)
    assert (held.state, held.outcome_kind, held.send_at) == (OrderState.SUBMITTED, "order", None)


async def test_it_leaves_after_wrap_up_however_long_that_is(scene: Scene) -> None:
    call = await scene.talks()
    await scene.wraps_up(scene.now + 30)
    order = await scene.over(call)
    assert order.send_at == scene.now + 30 + WINDOW
    await scene.wraps_up(scene.now + 90)
    assert (await scene.order(order)).send_at == scene.now + 90 + WINDOW
    assert await scene.later(40) == 0
    await scene.wraps_up(None)
    assert (await scene.order(order)).send_at == scene.now + WINDOW
    assert await scene.later(WINDOW) == 1


async def test_another_calls_wrap_up_does_not_hold_up_an_earlier_order(scene: Scene) -> None:
    first = await scene.had(1)
    call = await scene.talks(2)
    await scene.wraps_up(scene.now + 300)
    second = await scene.over(call)
    assert (await scene.order(first)).send_at in (scene.now + WINDOW, scene.now + 300 + WINDOW)
    await scene.wraps_up(scene.now + 600)
    assert (await scene.order(second)).send_at == scene.now + 600 + WINDOW
    assert await scene.later(300 + WINDOW) == 1
    assert (await scene.order(first)).state is OrderState.SUBMITTED


async def test_nothing_leaves_while_the_agent_types(scene: Scene) -> None:
    order = await scene.had()
    scene.now += WINDOW - 1
    edited = await scene.orders.set_fields(order.id, {"title": "路灯不亮"}, revision=None, by="wangfang")
    assert edited is not None
    assert edited.send_at == scene.now + WINDOW
    assert await scene.later(WINDOW - 1) == 0
    assert await scene.later(1) == 1
    (body,) = await scene.sent(order)
    assert body["fields"]["title"]["value"] == "路灯不亮"


async def test_what_is_held_back_stays_until_an_agent_sends_it(scene: Scene) -> None:
    call = await scene.talks()
    order = await scene.over(call)
    held = await scene.conclusion.hold_back(order.id, by="wangfang")
    assert held is not None
    assert (held.send_at, held.held_back) == (None, True)
    # What is done after a call may be done again.
    await scene.over(call)
    await scene.wraps_up(scene.now + 10)
    await scene.wraps_up(None)
    assert await scene.later(1000) == 0
    again = await scene.orders.submit(order.id, by="wangfang")
    assert again is not None
    assert again.send_at == scene.now + WINDOW
    assert await scene.later(WINDOW) == 1
    with pytest.raises(OrderRefusedError) as refused:
        await scene.conclusion.hold_back(order.id, by="wangfang")
    assert refused.value.status == 409


async def test_a_gateway_that_starts_again_sends_what_is_due(scene: Scene) -> None:
    order = await scene.had()
    scene.now += 1000
    other = OrdersOfProcess(scene.database, scene.journal, RULES, lambda: scene.now)
    assert await other.orders.conclusion.send_due() == 1
    assert await scene.conclusion.send_due() == 0
    assert len(await scene.sent(order)) == 1


async def test_a_clock_that_was_set_back_keeps_no_order(scene: Scene) -> None:
    await scene.had()
    scene.now -= 86_400
    assert await scene.conclusion.send_due() == 1


async def test_without_a_window_it_leaves_at_once(database: Database) -> None:
    async with JournalWriter(database) as journal:
        scene = Scene(database, journal, AT_ONCE)
        order = await scene.had()
        assert order.state is OrderState.SUBMITTED
        assert len(await scene.sent(order)) == 1


# -- outcomes ----------------------------------------------------------------------------------------------
async def test_answered_on_the_line_goes_out_closed_with_the_answer(scene: Scene) -> None:
    call = await scene.talks()
    order = await scene.choose(
        await scene.orders.of_call(call), kind="answered", answer="可以网上办", article="kb-7"
    )
    # The call goes on, and may yet turn into something else.
    assert (order.state, order.send_at) == (OrderState.DRAFT, None)
    await scene.over(call)
    assert await scene.later(WINDOW) == 1
    (body,) = await scene.sent(order)
    assert body["status"] == "closed"
    assert body["outcome"]["answer"] == "可以网上办"
    assert (body["outcome"]["article"], body["outcome"]["by"]) == ("kb-7", "wangfang")
    assert body["outcome"]["label"] == "直接答复"


async def test_of_what_is_no_request_nothing_is_sent(scene: Scene) -> None:
    order = await scene.had()
    await scene.choose(order, kind="invalid", reason="nuisance")
    assert await scene.later(WINDOW) == 1
    held = await scene.order(order)
    assert (held.state, held.outcome_kind) == (OrderState.DROPPED, "invalid")
    assert await scene.sent(order) == []
    with pytest.raises(OrderRefusedError):
        await scene.conclusion.choose(order.id, OutcomeChoice("order"), by="wangfang")


async def test_the_outcome_can_be_chosen_anew_until_it_leaves(scene: Scene) -> None:
    order = await scene.had()
    await scene.choose(order, kind="invalid", reason="silent")
    await scene.choose(order, kind="transferred", target="区住建局")
    await scene.later(WINDOW)
    (body,) = await scene.sent(order)
    assert (body["status"], body["outcome"]["target"], body["outcome"]["reason"]) == (
        "closed",
        "区住建局",
        "",
    )


async def test_where_the_agent_submits_an_outcome_is_enough(scene: Scene) -> None:
    untouched = await scene.had(1, line="yiqilai")
    assert (untouched.send_at, await scene.later(1000)) == (None, 0)
    call = await scene.talks(2, line="yiqilai")
    await scene.choose(await scene.orders.of_call(call), kind="answered")
    chosen = await scene.over(call)
    assert chosen.send_at == scene.now + WINDOW
    after = await scene.choose(untouched, kind="order")
    assert after.send_at == scene.now + WINDOW
    assert await scene.later(WINDOW) == 2


async def test_sent_off_in_mid_call_it_leaves_after_the_call(scene: Scene) -> None:
    call = await scene.talks(line="yiqilai")
    order = await scene.orders.submit((await scene.orders.of_call(call)).id, by="wangfang")
    assert order is not None
    assert (order.state, order.outcome_kind) == (OrderState.DRAFT, "order")
    assert await scene.later(1000) == 0
    await scene.over(call)
    assert await scene.later(WINDOW) == 1
    (body,) = await scene.sent(order)
    assert body["outcome"]["by"] == "wangfang"


# -- a call that adds to an order --------------------------------------------------------------------------
async def earlier(scene: Scene, number: int = 1) -> Order:
    """An order that has left and arrived."""
    order = await scene.had(number)
    await scene.later(WINDOW)
    await scene.delivered()
    held = await scene.order(order)
    assert held.state is OrderState.DELIVERED
    return held


async def test_a_call_adds_to_an_order_that_goes_out_again(scene: Scene) -> None:
    first = await earlier(scene)
    call = await scene.talks(2, text="我昨天反映过路灯，补充一下，一共三盏")
    await scene.choose(await scene.orders.of_call(call), kind="joined", order_id=first.id, answer="一共三盏")
    own = await scene.over(call)
    assert await scene.later(WINDOW) == 1
    assert (await scene.order(own)).state is OrderState.DROPPED
    assert await scene.sent(own) == []
    grown = await scene.order(first)
    assert (grown.state, grown.revision) == (OrderState.SUBMITTED, first.revision + 1)
    before, after = await scene.sent(first)
    assert (before["id"], before["supplements"]) == (after["id"], [])
    (added,) = after["supplements"]
    assert (added["call"], added["text"], added["urges"], added["by"]) == (
        call.id,
        "一共三盏",
        False,
        "wangfang",
    )
    assert after["revision"] == before["revision"] + 1
    await scene.delivered()
    assert (await scene.order(first)).state is OrderState.DELIVERED


async def test_a_supplement_without_words_has_the_calls_summary(scene: Scene) -> None:
    first = await earlier(scene)
    order = await scene.had(2, text="刘桥镇英雄村的垃圾没有人清运")
    await scene.choose(order, kind="joined", order_id=first.id, urges=True)
    await scene.later(WINDOW)
    (added,) = (await scene.sent(first))[-1]["supplements"]
    assert "垃圾" in added["text"]
    assert added["urges"] is True


async def test_a_call_adds_to_a_draft_without_sending_it(scene: Scene) -> None:
    first = await scene.had(1, line="yiqilai")
    second = await scene.had(2)
    await scene.choose(second, kind="joined", order_id=first.id)
    assert await scene.later(WINDOW) == 1
    grown = await scene.order(first)
    assert (grown.state, len(grown.supplements)) == (OrderState.DRAFT, 1)
    assert await scene.sent(first) == []


async def test_what_cannot_be_joined_is_refused(scene: Scene) -> None:
    nothing = await scene.had(1)
    await scene.choose(nothing, kind="invalid", reason="silent")
    await scene.later(WINDOW)
    order = await scene.had(2)
    for target, code in (
        (order.id, "order_itself"),
        (nothing.id, "order_dropped"),
        ("6f0c8f6e-3b7e-5d1a-9c55-12345c0ffee5", "order_unknown"),
    ):
        with pytest.raises(OrderRefusedError) as refused:
            await scene.choose(order, kind="joined", order_id=target)
        assert (refused.value.message.code, refused.value.status) == (code, 422)


async def test_many_calls_that_add_to_one_order_at_once_lose_none(scene: Scene) -> None:
    first = await earlier(scene)
    several = [await scene.had(number) for number in range(2, 8)]
    for order in several:
        await scene.choose(order, kind="joined", order_id=first.id)
    scene.now += WINDOW
    others = [OrdersOfProcess(scene.database, scene.journal, RULES, lambda: scene.now) for _ in range(3)]
    await asyncio.gather(*(one.orders.conclusion.send_due() for one in (scene.process, *others)))
    await scene.later(0)
    bodies = await scene.sent(first)
    assert [len(body["supplements"]) for body in bodies] == list(range(7))
    assert {one["call"] for one in bodies[-1]["supplements"]} == {order.call_id for order in several}
    revisions = [body["revision"] for body in bodies]
    assert revisions == sorted(set(revisions))


async def test_a_later_revision_that_arrives_makes_good_an_earlier_that_was_refused(scene: Scene) -> None:
    first = await scene.had(1)
    await scene.later(WINDOW)
    await scene.delivered(dead=True)
    assert (await scene.order(first)).state is OrderState.DEAD
    second = await scene.had(2)
    await scene.choose(second, kind="joined", order_id=first.id)
    await scene.later(WINDOW)
    assert (await scene.order(first)).state is OrderState.SUBMITTED
    await scene.delivered()
    assert (await scene.order(first)).state is OrderState.DELIVERED
    assert (await scene.process.repository.outcome_of(first.id))[:2] == ("delivered", "WO-1")


# -- once it has left --------------------------------------------------------------------------------------
async def corrected(scene: Scene, order: Order, **fields: str) -> Order:
    """An agent corrects the order, and it leaves again."""
    opened = await scene.orders.correction.open(order.id, by="wangfang")
    assert opened is not None
    assert opened.state is OrderState.DRAFT
    await scene.orders.set_fields(order.id, fields, revision=None, by="wangfang")
    await scene.orders.submit(order.id, by="wangfang")
    assert await scene.later(WINDOW) == 1
    return await scene.order(order)


async def test_a_correction_leaves_as_the_next_revision_and_tells_what_changed(scene: Scene) -> None:
    first = await earlier(scene)
    after = await corrected(scene, first, town="石港镇", wish="尽快修好")
    assert (after.state, after.sent, after.external_id) == (OrderState.SUBMITTED, None, "WO-1")
    before, again = await scene.sent(first)
    assert (before["changes"], set(again["changes"])) == ([], {"town", "wish"})
    assert again["revision"] > before["revision"]
    assert (again["id"], again["status"], again["fields"]["town"]["value"]) == (
        before["id"],
        "open",
        "石港镇",
    )
    await scene.delivered()
    assert (await scene.order(first)).state is OrderState.DELIVERED
    # And again: what is compared with is what left last.
    await corrected(scene, first, wish="谢谢")
    assert (await scene.sent(first))[-1]["changes"] == ["wish"]


async def test_a_correction_waits_for_its_agent_and_can_be_given_up(scene: Scene) -> None:
    first = await earlier(scene)
    await scene.orders.correction.open(first.id, by="wangfang")
    await scene.orders.set_fields(first.id, {"town": "石港镇"}, revision=None, by="wangfang")
    await scene.choose(first, kind="answered", answer="已经好了")
    held = await scene.conclusion.hold_back(first.id, by="wangfang")
    assert held is not None
    assert await scene.later(100_000) == 0
    kept = await scene.orders.correction.give_up(first.id, by="wangfang")
    assert kept is not None
    assert (kept.state, kept.fields, kept.outcome, kept.sent) == (
        first.state,
        first.fields,
        first.outcome,
        None,
    )
    assert kept == await scene.order(first)
    assert len(await scene.sent(first)) == 1


async def test_what_arrives_while_it_is_corrected_does_not_end_the_correction(scene: Scene) -> None:
    first = await scene.had()
    await scene.later(WINDOW)
    await scene.orders.correction.open(first.id, by="wangfang")
    await scene.delivered()
    during = await scene.order(first)
    assert (during.state, during.external_id) == (OrderState.DRAFT, "WO-1")
    kept = await scene.orders.correction.give_up(first.id, by="wangfang")
    assert kept is not None
    assert kept.state is OrderState.DELIVERED
    assert len(await scene.sent(first)) == 1


async def test_the_outcome_can_be_corrected_too(scene: Scene) -> None:
    first = await earlier(scene)
    await scene.orders.correction.open(first.id, by="wangfang")
    await scene.choose(first, kind="answered", answer="电话里已经答复")
    assert await scene.later(WINDOW) == 1
    again = (await scene.sent(first))[-1]
    assert (again["status"], again["changes"]) == ("closed", ["outcome"])


@pytest.mark.parametrize("by", ["withdraw", "outcome"])
async def test_an_order_is_withdrawn_by_its_next_revision(scene: Scene, by: str) -> None:
    first = await earlier(scene)
    if by == "withdraw":
        gone = await scene.orders.correction.withdraw(first.id, "市民撤回", by="wangfang")
        assert gone == await scene.order(first)
    else:
        await scene.orders.correction.open(first.id, by="wangfang")
        await scene.choose(first, kind="invalid", reason="nuisance")
        assert await scene.later(WINDOW) == 1
    held = await scene.order(first)
    assert held.state is OrderState.SUBMITTED
    assert held.outcome_kind == ("order" if by == "withdraw" else "invalid")
    again = (await scene.sent(first))[-1]
    assert (again["status"], again["changes"]) == ("withdrawn", ["withdrawn"])
    assert again["withdrawn"]["by"] == "wangfang"
    assert again["withdrawn"]["reason"] == ("市民撤回" if by == "withdraw" else "无效来电")
    await scene.delivered()
    assert (await scene.order(first)).state is OrderState.DELIVERED
    for refused in (
        scene.orders.correction.withdraw(first.id, "", by="wangfang"),
        scene.orders.correction.open(first.id, by="wangfang"),
        scene.choose(await scene.had(2), kind="joined", order_id=first.id),
    ):
        with pytest.raises(OrderRefusedError) as error:
            await refused
        assert error.value.message.code == "order_withdrawn"


async def test_what_has_not_left_cannot_be_corrected_or_withdrawn(scene: Scene) -> None:
    draft, dropped = await scene.had(1), await scene.had(2)
    await scene.choose(dropped, kind="invalid", reason="silent")
    await scene.conclusion.hold_back(draft.id, by="wangfang")
    await scene.later(WINDOW)
    for order in (draft, dropped):
        for refused in (
            scene.orders.correction.withdraw(order.id, "", by="wangfang"),
            scene.orders.correction.open(order.id, by="wangfang"),
        ):
            with pytest.raises(OrderRefusedError) as error:
                await refused
            assert error.value.message.code == "order_not_sent"


async def test_what_calls_add_during_a_correction_leaves_even_if_that_is_given_up(
    scene: Scene,
) -> None:
    first = await earlier(scene)
    await scene.orders.correction.open(first.id, by="wangfang")
    await scene.orders.set_fields(first.id, {"town": "石港镇"}, revision=None, by="wangfang")
    second = await scene.had(2)
    await scene.choose(second, kind="joined", order_id=first.id, answer="还有一处")
    assert await scene.later(WINDOW) == 1
    assert len(await scene.sent(first)) == 1
    await scene.orders.correction.give_up(first.id, by="wangfang")
    again = (await scene.sent(first))[-1]
    assert (again["changes"], len(again["supplements"])) == (["supplements"], 1)
    assert again["fields"].get("town") == (await scene.sent(first))[0]["fields"].get("town")


async def test_a_call_that_would_add_to_a_withdrawn_order_has_one_of_its_own(
    scene: Scene,
) -> None:
    first = await earlier(scene)
    second = await scene.had(2)
    await scene.choose(second, kind="joined", order_id=first.id)
    await scene.orders.correction.withdraw(first.id, "", by="wangfang")
    assert await scene.later(WINDOW) == 1
    held = await scene.order(second)
    assert (held.state, held.outcome_kind) == (OrderState.SUBMITTED, "order")
    assert len(await scene.sent(second)) == 1


# -- races -------------------------------------------------------------------------------------------------
async def test_choosing_holding_back_typing_and_sending_at_once(scene: Scene) -> None:
    """Whatever comes first: an order is sent as it is held, or dropped, or a draft; never two of these."""
    chance = random.Random(12345)
    for number in range(1, 31):
        order = await scene.had(number)
        scene.now += WINDOW
        other = OrdersOfProcess(scene.database, scene.journal, RULES, lambda: scene.now).orders.conclusion

        async def choose(by: Any = other, of: Order = order) -> None:
            await by.choose(of.id, OutcomeChoice("invalid", reason="nuisance"), by="liqiang")

        async def typed(of: Order = order) -> None:
            await scene.orders.set_fields(of.id, {"title": "改"}, revision=None, by="wangfang")

        async def hold(of: Order = order) -> None:
            await scene.conclusion.hold_back(of.id, by="wangfang")

        work: Sequence[Any] = [choose, typed, hold, scene.conclusion.send_due, other.send_due]
        done = await asyncio.gather(
            *(one() for one in chance.sample(work, len(work))), return_exceptions=True
        )
        assert all(isinstance(one, OrderRefusedError | int | None) for one in done), done
        held, bodies = await scene.order(order), await scene.sent(order)
        assert len(bodies) == (held.state is OrderState.SUBMITTED)
        for body in bodies:
            assert body["revision"] == held.revision
            assert (body["outcome"]["kind"], held.outcome_kind) == ("order", "order")
            assert body["fields"].get("title", {}).get("value") == (
                held.fields["title"].value if "title" in held.fields else None
            )
