"""Commands' ids and the audit on both databases."""

import asyncio
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from domain.audit import AuditEntry, Claim
from domain.commands import Answered
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.tables import audit, commands

ID = "0b9f3c1e-2d4a-4f6b-8c1d-3e5f7a9b0c2d"
ENTRY = AuditEntry(
    at=100.0,
    username="zhang",
    role="agent",
    agent="1001",
    command_id=ID,
    name="pause",
    args='{"reason": "\\u0000\'; DROP TABLE audit;--"}',
    ok=True,
    code="",
    message="",
)


async def test_an_id_is_claimed_once_and_keeps_its_answer(database: Database) -> None:
    store = CommandRepository(database)
    assert await store.claim(ID, "zhang", "d1") is None
    assert await store.claim(ID, "li", "d2") == Claim("zhang", "d1", None)
    answer = Answered(ID, ok=True, result={"reason": "小休"})
    await store.finish(answer, ENTRY)
    assert await store.claim(ID, "zhang", "d1") == Claim("zhang", "d1", answer)
    (entry,) = await store.list_audit()
    assert structs.replace(entry, seq=0) == ENTRY


async def test_of_many_claims_at_once_one_wins(database: Database) -> None:
    store = CommandRepository(database)
    claims = await asyncio.gather(*(store.claim(ID, "zhang", str(n)) for n in range(8)))
    assert sum(claim is None for claim in claims) == 1


async def test_the_audit_is_read_newest_first_and_by_person(database: Database) -> None:
    store = CommandRepository(database)
    for n, who in enumerate(("zhang", "li", "zhang")):
        await store.note(structs.replace(ENTRY, at=float(n), username=who))
    newest = await store.list_audit()
    assert [entry.at for entry in newest] == [2.0, 1.0, 0.0]
    assert [entry.at for entry in await store.list_audit(before=newest[0].seq)] == [1.0, 0.0]
    assert [entry.at for entry in await store.list_audit(username="zhang", limit=1)] == [2.0]
    assert [entry.at for entry in await store.list_audit(since=1.0, until=2.0)] == [1.0]


@pytest.mark.parametrize(
    "tamper", [update(audit).values(username="nobody"), delete(audit), delete(audit).where(audit.c.seq == 1)]
)
async def test_the_audit_cannot_be_changed(database: Database, tamper: Any) -> None:
    store = CommandRepository(database)
    await store.note(ENTRY)
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.writing() as connection:
            await connection.execute(tamper)
    (entry,) = await store.list_audit()
    assert entry.username == "zhang"


async def test_old_commands_are_forgotten_and_the_audit_stays(database: Database) -> None:
    store = CommandRepository(database)
    ids = [f"0b9f3c1e-2d4a-4f6b-8c1d-3e5f7a9b0c{number:02d}" for number in range(7)]
    for one in ids:
        await store.claim(one, "zhang", "d")
    await store.finish(Answered(ids[0], ok=True), ENTRY)
    async with database.writing() as connection:
        await connection.execute(update(commands).where(commands.c.id.in_(ids[:5])).values(at=100.0))
    assert await store.forget(before=200.0, at_once=2) == 5
    assert await store.forget(before=200.0, at_once=2) == 0
    assert await store.claim(ids[0], "li", "d2") is None  # free again
    assert await store.claim(ids[6], "li", "d2") == Claim("zhang", "d", None)
    assert len(await store.list_audit()) == 1
