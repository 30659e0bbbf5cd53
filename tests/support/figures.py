"""Days of calls, queue entries, orders and what becomes of them, at random."""

import random
from collections.abc import Sequence

from msgspec import structs

from domain.calls import Call, Conversation, EndReason, Party
from domain.facts import AnyFact, CallEnded, OrderChanged, OrderStatusTold, QueueEntryChanged
from domain.order_status import OrderStatus, Step
from domain.orders import Order, OrderState, SentOrder, Withdrawal
from domain.outcomes import ANSWERED, INVALID, JOINED, ORDER, TRANSFERRED, CallOutcome
from domain.queues import QueueEntry, QueueOutcome
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.order_status import OrderStatusRepository
from tests.support.samples import call, order

DAY_S = 86_400.0
LINES = ("12345", "yiqilai")
UNITS, TOWNS = ("住建局", "城管局", ""), ("刘桥镇", "川姜镇", "")
CATEGORIES = ("城乡建设", "劳动保障", "")
WORDS = ("非常满意", "不满意", "已回访", "基本满意")


def a_day(chance: random.Random, begin: float, count: int, first: int) -> list[AnyFact]:
    """What a day leaves: `count` calls from number `first` on, with all that follows, at random."""
    facts: list[AnyFact] = []
    for number in range(first, first + count):
        at = begin + chance.random() * DAY_S
        answered = chance.random() < 0.8
        made = _call(chance, number, at, answered)
        facts += [
            QueueEntryChanged(at=at, entry=one, stage="left") for one in _entries(chance, made, answered)
        ]
        facts.append(CallEnded(at=at + 200, call=made))
        if answered:
            own = _order(chance, made, number)
            facts.append(OrderChanged(at=own.updated_at, order=own, changed=()))
            facts += _statuses(chance, own, made)
    return facts


def _call(chance: random.Random, number: int, at: float, answered: bool) -> Call:
    agent = chance.choice(("1001", "1002")) if answered else None
    talks = (Conversation(agent, "PJSIP/1-1", at + 15, at + 15 + chance.random() * 300),) if answered else ()
    made = call(
        number,
        at,
        line=chance.choice(LINES),
        agent=agent,
        conversations=talks,
        caller=Party(chance.choice(("13900000001", "13900000002", f"1390000{number:04d}", ""))),
        answered_at=at + 15 if answered else None,
        end_reason=EndReason.COMPLETED if answered else EndReason.ABANDONED_QUEUE,
    )
    if chance.random() < 0.05:
        made = structs.replace(made, end_reason=EndReason.MERGED, merged_into="main-0.1")
    return made


def _entries(chance: random.Random, of: Call, answered: bool) -> list[QueueEntry]:
    lost = (QueueOutcome.ABANDONED, QueueOutcome.TIMEOUT, QueueOutcome.UNSEEN, QueueOutcome.WITHDRAWN)
    ends = [QueueOutcome.ANSWERED if answered else chance.choice(lost)]
    if chance.random() < 0.2:
        ends.append(QueueOutcome.ANSWERED)
    return [
        QueueEntry(
            pbx="main",
            queue=f"q{of.line}",
            line=of.line,
            call_id=of.id,
            uniqueid=of.linkedid,
            entered_at=of.started_at + 5 + 60 * number,
            outcome=outcome,
            left_at=of.started_at + 40,
            waited=float(chance.randrange(0, 40)),
            agent=of.agent if outcome is QueueOutcome.ANSWERED else None,
        )
        for number, outcome in enumerate(ends)
    ]


def _order(chance: random.Random, of: Call, number: int) -> Order:
    kind = chance.choice((ORDER, ORDER, ANSWERED, TRANSFERRED, JOINED, INVALID))
    fields: dict[str, object] = {
        name: value
        for name, value in (
            ("unit", chance.choice(UNITS)),
            ("town", chance.choice(TOWNS)),
            ("category", chance.choice(CATEGORIES)),
        )
        if value
    }
    made = order(of, number, OrderState.DRAFT, **fields)
    outcome = CallOutcome(kind, of.started_at + 200)
    if kind in (JOINED, INVALID):
        return structs.replace(made, state=OrderState.DROPPED, outcome=outcome)
    if chance.random() < 0.1:
        return made
    sent = structs.replace(
        made, state=OrderState.DELIVERED, outcome=outcome, submitted_at=of.started_at + 210, revision=1
    )
    what = chance.random()
    if what < 0.1:
        return structs.replace(sent, withdrawn=Withdrawal(of.started_at + 400, "zhang", "重复"))
    if what < 0.2:
        return structs.replace(
            sent, state=OrderState.DRAFT, sent=SentOrder(sent.state, sent.fields, outcome), fields={}
        )
    return sent


def _statuses(chance: random.Random, of: Order, made: Call) -> list[AnyFact]:
    told: list[AnyFact] = []
    if of.submitted_at is None:
        return told
    for number in range(chance.randrange(0, 6)):
        at = of.created_at + chance.random() * 40 * DAY_S
        status = OrderStatus(
            f"main/{of.id}/{number}",
            of.id,
            "main",
            chance.choice(
                (Step.SIGNED, Step.CLOSED, Step.RETURNED, Step.REDONE, Step.VISITED, Step.EXTENDED)
            ),
            at,
            at + 1,
            deadline=at + chance.choice((-1, 1)) * DAY_S if chance.random() < 0.5 else None,
            text=chance.choice(WORDS),
        )
        told.append(OrderStatusTold(at=at, call_id=made.id, line=of.line, status=status))
    return told


async def tell(database: Database, facts: Sequence[AnyFact]) -> None:
    """Put them where the gateway puts them: by its own doors."""
    statuses = OrderStatusRepository(database)
    async with JournalWriter(database) as journal:
        for fact in facts:
            if isinstance(fact, OrderStatusTold):
                await journal.flush()
                await statuses.keep(fact, stamp=1, digest="")
            else:
                journal.put(fact)
