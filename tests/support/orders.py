"""The orders of a gateway on a real database, without the gateway around them."""

import time
from collections.abc import Callable

from domain.calls import Call, CallState, Conversation, Direction, Party, Side
from domain.facts import AnyFact, UtteranceHeard
from domain.transcripts import Utterance, utterance_id
from gateway.facts.bus import LocalBus
from gateway.facts.order_writer import DatabaseOrderWriter
from gateway.facts.recorder import FactRecorder
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.orders import OrderRepository
from gateway.storage.outbox import SqlOutbox
from workorders.directories.reference import load_reference
from workorders.drafting import Understanding
from workorders.rules import LineRules, OrderRules
from workorders.service import OrderService

REFERENCE = load_reference()
RULES = OrderRules(lines=(LineRules("12345"),), endpoints={"main": ()})
AT = 1_780_000_000.0


class OrdersOfProcess:
    """The orders of one gateway; several may share a database."""

    def __init__(
        self,
        database: Database,
        journal: JournalWriter,
        rules: OrderRules = RULES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.bus = LocalBus()
        self.told: list[AnyFact] = []
        self.bus.listen(self.told.append)
        self.facts = FactRecorder(journal, self.bus)
        self.calls = CallRepository(database)
        self.repository = OrderRepository(database, journal.ids)
        self.outbox = SqlOutbox(database, journal.ids)
        self.orders = OrderService(
            rules,
            Understanding(REFERENCE),
            self.facts,
            self.calls,
            self.repository,
            DatabaseOrderWriter(self.repository, self.bus),
            clock,
        )


def a_call(number: int) -> Call:
    return Call(
        f"main-{number}", "main", str(number), Direction.INBOUND, CallState.TALKING, Party("13800138000"),
        "12345", AT + number, line="12345", answered_at=AT + number,
        conversations=(Conversation("1001", "PJSIP/1001-1", AT + number),),
    )  # fmt: skip


def heard(call: Call, text: str, at: float = 1.0) -> UtteranceHeard:
    said = Utterance(utterance_id(call.id, Side.CALLER, at), call.id, Side.CALLER, at, at + 2, text)
    return UtteranceHeard(at=call.started_at + at, utterance=said)
