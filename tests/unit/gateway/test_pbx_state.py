"""What of the picture is journalled."""

from pathlib import Path
from typing import Any

from sqlalchemy import select

from domain.facts import AnyFact, QueueChanged
from domain.lines import Line
from domain.pbx import events as e
from gateway.calls.tracker import CallTracker
from gateway.facts.bus import LocalBus
from gateway.facts.recorder import FactRecorder
from gateway.pbx_state import PbxState
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.tables import journal
from tests.support.databases import new_file

LINES = [Line("12345", "便民热线", ("12345",), "q12345")]
CHANNEL: dict[str, Any] = {"pbx": "main", "uniqueid": "1.1", "linkedid": "1.1", "channel": "PJSIP/trunk-1"}


async def test_a_queue_is_shown_but_its_stays_are_journalled(tmp_path: Path) -> None:
    database = Database(new_file(tmp_path / "hotline.db"))
    told: list[AnyFact] = []
    bus = LocalBus()
    bus.listen(told.append)
    async with JournalWriter(database) as writer:
        state = PbxState(CallTracker("main", LINES, []), FactRecorder(writer, bus), CallRepository(database))
        await state.on_event(e.NewChannel(at=1.0, state="Ring", exten="12345", **CHANNEL))
        await state.on_event(e.QueueCallerJoin(at=2.0, queue="q12345", position=1, **CHANNEL))
        await writer.flush()
        async with database.reading() as connection:
            kinds = list(await connection.scalars(select(journal.c.kind)))
    await database.close()
    queues = [fact.queue for fact in told if isinstance(fact, QueueChanged)]
    assert [(queue.waiting_total, queue.waiting[0].uniqueid) for queue in queues] == [(1, "1.1")]
    assert "QueueEntryChanged" in kinds
    assert "QueueChanged" not in kinds
