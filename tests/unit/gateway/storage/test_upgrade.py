"""A database of version 0.1, made by that version, is upgraded with all that is in it."""

import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, insert, select

from domain.alarms import Measure
from domain.calls import Call, TransferType
from domain.facts import RECOVERED, AlarmChanged, AnyFact, CallTransferred, CallUpdated, QueueEntryChanged
from gateway.storage.calls import CallRepository
from gateway.storage.database import MIGRATIONS, Database, newest_revision
from gateway.storage.journal_reader import JournalReader
from gateway.storage.orders import OrderRepository
from gateway.storage.outbox import SqlOutbox
from gateway.storage.tables import calls, journal

STORED = Path(__file__).resolve().parents[3] / "data" / "upgrade" / "0.1.0.db.gz"
TABLES = (
    "journal",
    "calls",
    "utterances",
    "call_texts",
    "heard",
    "orders",
    "order_texts",
    "deliveries",
    "recordings",
)
OLD_NAMES = ('"talks"', '"manner"', '"visit"', "QueueVisitChanged", "TalkEnded", "taken_back", '"unsent"')


def unpacked(directory: Path) -> Path:
    path = directory / "hotline.db"
    path.write_bytes(gzip.decompress(STORED.read_bytes()))
    return path


def old_facts(call: dict[str, Any]) -> list[dict[str, Any]]:
    """Facts of 0.1 that the demo does not make."""
    step = {"at": 5.0, "manner": "blind", "origin": "1001", "target": "1002", "result": "success"}
    moved = {**call, "transfers": [step]}
    return [
        {"kind": "CallTransferred", "call": moved, **step},
        {"kind": "CallUpdated", "at": 6.0, "call": moved, "what": "taken_back"},
        {
            "kind": "AlarmChanged",
            "at": 7.0,
            "over": False,
            "alarm": {
                "id": "late/o1", "rule": "late", "name": "未提交", "measure": "unsent", "level": "warning",
                "value": 700.0, "threshold": 600.0, "since": 0.0, "pbx": "main",
            },
        },
    ]  # fmt: skip


async def everything(database: Database) -> tuple[list[AnyFact], list[Call]]:
    facts = [fact async for fact in JournalReader(database).since(0.0)]
    async with database.reading() as connection:
        rows = list(await connection.scalars(select(calls.c.data)))
        kinds = set(await connection.scalars(select(journal.c.kind)))
        texts = [*rows, *await connection.scalars(select(journal.c.data)), *kinds]
    for old in OLD_NAMES:
        assert not any(old in text for text in texts), old
    return facts, [msgspec.json.decode(row, type=Call) for row in rows]


async def test_the_database_of_the_last_version_is_upgraded_with_its_data(tmp_path: Path) -> None:
    path = unpacked(tmp_path)
    with sqlite3.connect(path) as old:
        before = [json.loads(data) for (data,) in old.execute("SELECT data FROM journal ORDER BY seq")]
    database = Database(f"sqlite+aiosqlite:///{path}")
    assert await database.upgrade() == ("0008", newest_revision())
    facts, found = await everything(database)
    assert [fact.at for fact in facts] == [one["at"] for one in before]
    entries = [fact.entry for fact in facts if isinstance(fact, QueueEntryChanged)]
    assert [one.queue for one in entries] == [one["visit"]["queue"] for one in before if "visit" in one]
    assert all(len(call.conversations) == 1 and call.has_work_order for call in found)
    (said,) = {len(await CallRepository(database).list_utterances(call.id)) > 0 for call in found}
    assert said
    orders = await OrderRepository(database).list_orders()
    assert {order.call_id for order in orders} == {call.id for call in found}
    assert [one.state for one in await SqlOutbox(database).list_deliveries()] == ["delivered"] * 3
    await database.close()


async def test_every_old_name_is_renamed_on_both_databases(database: Database, tmp_path: Path) -> None:
    with sqlite3.connect(unpacked(tmp_path)) as old:
        old.row_factory = sqlite3.Row
        rows = {name: [dict(row) for row in old.execute(f"SELECT * FROM {name}")] for name in TABLES}
    a_call = json.loads(rows["calls"][0]["data"])
    for seq, fact in enumerate(old_facts(a_call), start=100_000):
        rows["journal"].append(
            {"seq": seq, "at": fact["at"], "kind": fact["kind"], "call_id": None, "data": json.dumps(fact)}
        )

    def restore(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0008")
        stored = MetaData()
        stored.reflect(connection, only=TABLES)
        for name in TABLES:
            connection.execute(insert(stored.tables[name]), rows[name])

    async with database.engine.connect() as connection:
        await connection.run_sync(restore)
        await connection.commit()
    await database.upgrade()
    facts, found = await everything(database)
    assert len(facts) == len(rows["journal"])
    transferred, recovered, alarmed = facts[-3:]
    assert isinstance(transferred, CallTransferred)
    assert transferred.transfer_type is TransferType.BLIND
    assert [step.transfer_type for step in transferred.call.transfers] == [TransferType.BLIND]
    assert isinstance(recovered, CallUpdated)
    assert recovered.what == RECOVERED
    assert isinstance(alarmed, AlarmChanged)
    assert alarmed.alarm.measure is Measure.UNSUBMITTED
    assert all(call.conversations for call in found)
