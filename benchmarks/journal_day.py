"""A day's journal: the facts of one real call, over and over with other ids and times."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import insert

from benchmarks.capture import Calls
from benchmarks.pipeline import LINES
from domain.calls import Side
from domain.facts import AnyFact, OrderChanged, QueueChanged, UtteranceHeard, call_id_of
from domain.orders import FieldValue, Method, Order, OrderState
from domain.phones import AgentProfile
from domain.transcripts import Utterance, utterance_id
from gateway.asterisk.normalise import normalise
from gateway.calls.tracker import CallTracker
from gateway.replay.capture import Counts, messages
from gateway.storage.database import Database
from gateway.storage.rows import journal_row
from gateway.storage.tables import journal

UTTERANCES, REVISIONS = 40, 20
"""Of a call: what is said, and how often its order changes."""
_NUMBER = 7
_AGENT = "2000"
_SLOTS = re.compile(rf"(?P<time>\b17\d{{8}}\.\d+)|(?P<call>\b18\d{{7}}{_NUMBER}\b)|(?P<agent>\b{_AGENT}\b)")


def _one_call() -> list[AnyFact]:
    tracker = CallTracker("main", LINES, [AgentProfile(_AGENT, "坐席", f"PJSIP/{_AGENT}")])
    wire = b"".join(Calls().call(_NUMBER, _AGENT.encode())).decode()
    facts: list[AnyFact] = []
    for headers in messages(wire.splitlines(keepends=True), Counts()):
        event = normalise(headers, "main", 0.0)
        if event is not None:
            facts += [fact for fact in tracker.apply(event) if not isinstance(fact, QueueChanged)]
    call_id = next(fact.call.id for fact in facts if hasattr(fact, "call"))
    at = facts[-1].at
    for number in range(UTTERANCES):
        name = utterance_id(call_id, Side.CALLER, float(number))
        said = Utterance(name, call_id, Side.CALLER, float(number), 1.0, "路灯坏了两天没有人来修" * 2)
        facts.append(UtteranceHeard(at=at, utterance=said))
    fields = {f"field{n}": FieldValue("刘桥镇蒋一村六组", 0.9, Method.GAZETTEER) for n in range(12)}
    order = Order(call_id, call_id, "12345", OrderState.DRAFT, fields, at, at)
    facts += [OrderChanged(at=at, order=order, changed=("field1",)) for _ in range(REVISIONS)]
    return facts


class Day:
    """`rows(...)`: journal rows of many calls."""

    def __init__(self, whole: bool = True) -> None:
        """`whole`: otherwise only the facts about no call (queue entries, agents), which figures need."""
        facts = [fact for fact in _one_call() if whole or call_id_of(fact) is None]
        self._began = facts[0].at
        self._rows = [(journal_row(fact), _cut(msgspec.json.encode(fact).decode())) for fact in facts]
        self.facts_per_call = len(facts)

    def rows(
        self, first: int, calls: int, agents: int, start: float, apart: float
    ) -> Iterator[dict[str, Any]]:
        """`calls` calls, one every `apart` seconds after `start`, taken by `agents` in turn."""
        for number in range(first, first + calls):
            shift = start + number * apart - self._began
            own = {"call": f"18{number:08d}", "agent": str(2000 + number % agents)}
            for row, pieces in self._rows:
                text = "".join(
                    piece if kind is None else own.get(kind) or repr(float(piece) + shift)
                    for kind, piece in pieces
                )
                call_id = f"main-{own['call']}" if row["call_id"] else None
                yield {**row, "at": row["at"] + shift, "call_id": call_id, "data": text}


def _cut(text: str) -> list[tuple[str | None, str]]:
    pieces: list[tuple[str | None, str]] = []
    done = 0
    for found in _SLOTS.finditer(text):
        pieces += [(None, text[done : found.start()]), (found.lastgroup, found[0])]
        done = found.end()
    return [*pieces, (None, text[done:])]


async def fill(
    database: Database, calls: int, agents: int, start: float, end: float, *, whole: bool = True
) -> int:
    """Write `calls` calls spread over [start, end), POSIX seconds; the number of facts."""
    day = Day(whole)
    for first in range(0, calls, 500):
        rows = list(day.rows(first, min(500, calls - first), agents, start, (end - start) / calls))
        async with database.writing() as connection:
            await connection.execute(insert(journal), rows)
    return calls * day.facts_per_call
