"""Orders that came back teach which unit deals with the like of them."""

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import structs

from domain.calls import CallState, Side
from domain.facts import CallAnswered, UtteranceHeard
from domain.order_status import OrderStatus, Step
from domain.orders import FieldValue, Method, Order, OrderState
from domain.transcripts import Utterance, utterance_id
from gateway.facts.recorder import FactRecorder
from gateway.storage.journal import JournalWriter
from tests.support.at_the_desk import CALL, at_the_desk
from tests.support.databases import sqlite_url
from tests.support.dialogues import REFERENCE, dialogue, value
from tests.support.receiver import endpoint_settings
from tests.support.statuses import signed
from workorders.drafting import LessonBook
from workorders.extraction import ExtractionContext, extract
from workorders.extraction.classifier import load_classifier
from workorders.extraction.lessons import Lesson, Lessons, lessons_of

LAMP = "金沙街道金霞社区门口的路灯不亮了，晚上黑漆漆的，老人走路害怕。"
LIKE_IT = "我们小区门口的路灯坏了不亮，晚上黑漆漆的，什么时候有人来修？"
HOUSING, CITY, POWER = "区住房和城乡建设局", "区城市管理局", "通州供电公司"
CLASSIFIER = load_classifier()


def lesson(text: str = LAMP, wrong: str = HOUSING, right: str = CITY, **more: Any) -> Lesson:
    usual: dict[str, Any] = {"order_id": "o", "town": "", "category": "", "at": 1.0}
    return Lesson(text=text, wrong=wrong, right=right, **(usual | more))


def unit_of(said: str, *lessons: Lesson) -> FieldValue:
    context = ExtractionContext(
        form="general",
        caller=CALL.caller,
        reference=REFERENCE,
        classifier=CLASSIFIER,
        lessons=Lessons(lessons, CLASSIFIER),
    )
    return extract(dialogue("您好，请讲。", said), context).fields["unit"]


def test_what_one_unit_sent_back_and_another_took_is_for_the_other() -> None:
    assert unit_of(LIKE_IT).value == HOUSING
    assert unit_of(LIKE_IT, lesson()).value == CITY


def test_who_is_right_may_not_be_known_yet() -> None:
    before, after = unit_of(LIKE_IT), unit_of(LIKE_IT, lesson(right=""))
    assert after.value != HOUSING or after.confidence < before.confidence


@pytest.mark.parametrize(
    "said",
    [
        "河里的水发黑发臭，是上面的厂排污水。",
        "我想问一下退休金什么时候到账，上个月就没有收到。",
        "我家孩子上小学，学区怎么划分的？",
        "公交车站牌倒了，没有人管。",
    ],
)
def test_what_is_about_something_else_is_left_alone(said: str) -> None:
    many = [lesson(order_id=str(number)) for number in range(50)]
    assert unit_of(said, *many) == unit_of(said)


def test_a_unit_that_is_named_in_the_call_is_meant() -> None:
    assert unit_of(LIKE_IT + "你们帮我转给住建局。", lesson()).value == HOUSING


def test_lessons_that_do_not_agree_say_less() -> None:
    both = Lessons([lesson(), lesson(right=POWER), lesson(right=POWER)], CLASSIFIER).taught(LIKE_IT, "", "")
    alone = Lessons([lesson()], CLASSIFIER).taught(LIKE_IT, "", "")
    assert alone.right[CITY] > both.right[POWER] > both.right[CITY] > 0.0
    other = Lessons([lesson(town="刘桥镇")], CLASSIFIER).taught(LIKE_IT, "金沙街道", "")
    assert 0.0 < other.right[CITY] < alone.right[CITY]
    assert Lessons([], CLASSIFIER).taught(LIKE_IT, "", "").right == {}
    assert Lessons([lesson(text="")], CLASSIFIER).taught("", "", "").right == {}


def sent(unit: str, at: float = 10.0) -> Order:
    fields = {"unit": FieldValue(unit, 1.0, Method.AGENT), "title": FieldValue("路灯不亮", 1.0, Method.AGENT)}
    return Order("o", "c", "12345", OrderState.DELIVERED, fields, 1.0, at, submitted_at=at)


def told(step: Step, at: float, unit: str = "") -> OrderStatus:
    return OrderStatus(str(at), "o", "main", step, at, at, unit)


@pytest.mark.parametrize(
    ("order", "statuses", "learned"),
    [
        (sent(HOUSING), [told(Step.SIGNED, 20.0, "区住建局")], None),
        # Sent back by the one, taken by the other: by the centre, or by the agent who corrected it.
        (
            sent(HOUSING),
            [told(Step.RETURNED, 20.0, "南通市通州区住建局"), told(Step.DISPATCHED, 30.0, "区城管局")],
            (HOUSING, CITY),
        ),
        (
            sent(CITY, at=25.0),
            [told(Step.SIGNED, 15.0, "住建局"), told(Step.RETURNED, 20.0)],
            (HOUSING, CITY),
        ),
        (sent(HOUSING), [told(Step.RETURNED, 20.0)], (HOUSING, "")),
        # It was theirs after all; or it is nobody's of the directory.
        (sent(HOUSING), [told(Step.RETURNED, 20.0), told(Step.DISPATCHED, 30.0, "住建局")], None),
        (sent("某单位"), [told(Step.RETURNED, 20.0, "某单位"), told(Step.SIGNED, 30.0, "别的单位")], None),
        # Twice sent back: the last time counts.
        (
            sent(HOUSING),
            [
                told(Step.RETURNED, 20.0, "住建局"),
                told(Step.DISPATCHED, 30.0, "供电局"),
                told(Step.RETURNED, 40.0, "供电局"),
                told(Step.HANDLED, 50.0, "城管局"),
            ],
            (POWER, CITY),
        ),
    ],
)
def test_what_an_order_teaches(
    order: Order, statuses: list[OrderStatus], learned: tuple[str, str] | None
) -> None:
    for some in (statuses, statuses[::-1]):
        found = next(iter(lessons_of([(order, some)], REFERENCE)), None)
        assert (found and (found.wrong, found.right)) == learned


async def test_the_next_caller_with_the_same_matter_is_for_the_unit_that_took_it(tmp_path: Path) -> None:
    endpoint = endpoint_settings("http://127.0.0.1:9/")
    url = sqlite_url(tmp_path / "hotline.db")
    async with at_the_desk(tmp_path, url, workorders=[endpoint]) as (gateway, _, order_id):
        facts, orders = gateway.get(FactRecorder), gateway.orders

        async def says(call_id: str, text: str) -> None:
            said = Utterance(utterance_id(call_id, Side.CALLER, 5.0), call_id, Side.CALLER, 5.0, 9.0, text)
            fact = UtteranceHeard(at=CALL.started_at + 9, utterance=said)
            facts.record(fact)
            await orders.on_utterance_heard(fact)

        await says(CALL.id, LAMP)
        words = {"title": "路灯不亮", "summary": LAMP, "unit": HOUSING}
        await orders.set_fields(order_id, words, revision=None, by="1001")
        await orders.submit(order_id, by="1001")
        for step, unit, ago_s in (("退单", "区住建局", 60.0), ("派单", "区城管局", 30.0)):
            await _tell(gateway.web_port, order_id, step, unit, time.time() - ago_s)
        async with asyncio.timeout(30):
            while True:
                book = gateway.get(LessonBook).current
                if book is not None and [(one.wrong, one.right) for one in book.lessons] == [(HOUSING, CITY)]:
                    break
                await asyncio.sleep(0.05)
        again = structs.replace(
            CALL, id="main-2", linkedid="2", started_at=time.time(), state=CallState.TALKING
        )
        answered = CallAnswered(
            at=again.started_at, call=again, agent="1001", channel="PJSIP/1001-1", waited=1.0
        )
        facts.record(answered)
        await gateway.get(JournalWriter).flush()
        await orders.on_call_answered(answered)
        await says(again.id, LIKE_IT)
        (order,) = await orders.orders_of_call(again.id)
        assert value(order.fields, "unit") == CITY


async def _tell(port: int, order_id: str, step: str, unit: str, at: float) -> None:

    headers, body = signed("a secret", {"order": order_id, "status": step, "unit": unit, "at": at})
    url = f"http://127.0.0.1:{port}/api/v1/inbound/main/status"
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
