"""The names of 0.2 in stored calls and facts: conversations, queue entries, transfer types.

Revision ID: 0009
Revises: 0008
"""

import json
from typing import Any

import sqlalchemy as sa
import structlog
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

log = structlog.get_logger(__name__)
AT_ONCE = 1000

KINDS = {"QueueVisitChanged": "QueueEntryChanged", "TalkEnded": "ConversationEnded"}
KEYS = {"talks": "conversations", "manner": "transfer_type", "visit": "entry"}
UPDATES = {"taken_back": "recovered"}
"""`CallUpdated.what`."""
MEASURES = {"unsent": "unsubmitted"}
"""`Alarm.measure`."""

journal = sa.table("journal", sa.column("seq"), sa.column("kind"), sa.column("data"))
calls = sa.table("calls", sa.column("id"), sa.column("data"))


def upgrade() -> None:
    _rename(KINDS, KEYS, UPDATES, MEASURES)


def downgrade() -> None:
    _rename(*(_inverse(names) for names in (KINDS, KEYS, UPDATES, MEASURES)))


def _inverse(names: dict[str, str]) -> dict[str, str]:
    return {new: old for old, new in names.items()}


def _rename(
    kinds: dict[str, str], keys: dict[str, str], updates: dict[str, str], measures: dict[str, str]
) -> None:
    def call(data: dict[str, Any]) -> dict[str, Any]:
        renamed = {keys.get(name, name): value for name, value in data.items()}
        if "transfers" in renamed:
            renamed["transfers"] = [
                {keys.get(name, name): value for name, value in step.items()} for step in renamed["transfers"]
            ]
        return renamed

    def fact(data: dict[str, Any]) -> dict[str, Any]:
        renamed = {keys.get(name, name): value for name, value in data.items()}
        renamed["kind"] = kinds.get(data["kind"], data["kind"])
        if "call" in renamed:
            renamed["call"] = call(renamed["call"])
        if renamed["kind"] == "CallUpdated":
            renamed["what"] = updates.get(renamed["what"], renamed["what"])
        if renamed["kind"] == "AlarmChanged":
            alarm = renamed["alarm"]
            renamed["alarm"] = alarm | {"measure": measures.get(alarm["measure"], alarm["measure"])}
        return renamed

    def columns(data: dict[str, Any]) -> dict[str, Any]:
        return {"data": _text(data)}

    _rewrite(calls, calls.c.id, "", lambda data: columns(call(data)))
    _rewrite(journal, journal.c.seq, 0, lambda data: columns(fact(data)) | {"kind": fact(data)["kind"]})


def _text(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _rewrite(table: Any, key: Any, first: Any, columns: Any) -> None:
    """Every row by key, a batch at a time: a journal of years does not fit into memory."""
    connection = op.get_bind()
    read = sa.select(key, table.c.data).where(key > sa.bindparam("after")).order_by(key).limit(AT_ONCE)
    after, done = first, 0
    while rows := connection.execute(read, {"after": after}).all():
        for row in rows:
            values = columns(json.loads(row.data))
            if values["data"] != row.data:
                connection.execute(sa.update(table).where(key == row[0]).values(**values))
        after = rows[-1][0]
        done += len(rows)
        if done % (100 * AT_ONCE) == 0:
            log.info("renaming_stored_facts", table=table.name, rows=done)
