"""Storage on both databases: one code path, the same answers."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from msgspec import structs
from sqlalchemy import Connection, func, select, text

from agents.accounts.identity import Account, Role, Session
from domain import facts as f
from domain.calls import Call, CallState, Conversation, Direction, EndReason, Party, Side
from domain.recordings import StoredRecording
from domain.transcripts import Utterance, utterance_id
from gateway.storage.accounts import AccountRepository
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database, DatabaseError, newest_revision
from gateway.storage.journal import JournalWriter
from gateway.storage.tables import journal, metadata

CALL = Call(
    id="main-1.1",
    pbx="main",
    linkedid="1.1",
    direction=Direction.INBOUND,
    state=CallState.TALKING,
    caller=Party("13962875016", "季'); DROP TABLE calls;--"),
    called="12345",
    started_at=100.0,
    line="12345",
    agent="1001",
    conversations=(Conversation(agent="1001", channel="PJSIP/1001-1", started_at=110.0),),
)


def said(start: float, text: str) -> f.UtteranceHeard:
    utterance = Utterance(
        id=utterance_id(CALL.id, Side.CALLER, start),
        call_id=CALL.id,
        side=Side.CALLER,
        start=start,
        end=start + 1,
        text=text,
    )
    return f.UtteranceHeard(at=100 + start, utterance=utterance)


async def test_migrations_make_exactly_the_tables(database: Database) -> None:
    def difference(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(difference) == []
    assert await database.upgrade() == (newest_revision(), newest_revision())


async def test_an_old_schema_is_refused_with_the_fix(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(DatabaseError, match="hotline db upgrade"):
        await database.require_newest()
    await database.close()


async def test_journal_keeps_facts_in_order_and_the_working_copies(database: Database) -> None:
    repository = CallRepository(database)
    over = structs.replace(CALL, state=CallState.ENDED, ended_at=200.0, end_reason=EndReason.COMPLETED)
    async with JournalWriter(database) as writer:
        writer.put(f.CallStarted(at=100.0, call=CALL))
        writer.put(said(12.0, "路面破损"))
        writer.put(said(11.0, "你好"))
        writer.put(said(11.0, "你好。"))
        await writer.flush()
        assert [call.id for call in await repository.open_calls("main")] == [CALL.id]
        assert await repository.get_call(CALL.id) == CALL
        writer.put(f.CallEnded(at=200.0, call=over))
        await writer.flush()
        assert writer.written == 5
    facts = await repository.facts_of(CALL.id)
    assert [type(fact).__name__ for fact in facts] == [
        "CallStarted", "UtteranceHeard", "UtteranceHeard", "UtteranceHeard", "CallEnded",
    ]  # fmt: skip
    assert [one.text for one in await repository.list_utterances(CALL.id)] == ["你好。", "路面破损"]
    assert await repository.open_calls("main") == []
    assert await repository.unfinished() == [over]
    await repository.set_finished(CALL.id)
    assert await repository.unfinished() == []
    assert await repository.finish_state(CALL.id) == ("done", None)


async def test_what_the_database_does_not_take_waits_until_it_does(database: Database) -> None:
    async with JournalWriter(database) as writer:
        async with database.writing() as connection:
            await connection.execute(text("ALTER TABLE journal RENAME TO away"))
        writer.put(f.CallStarted(at=100.0, call=CALL))
        flushed = asyncio.create_task(writer.flush())
        await asyncio.sleep(0.3)
        writer.put(said(11.0, "你好"))
        assert (flushed.done(), writer.written) == (False, 0)
        async with database.writing() as connection:
            await connection.execute(text("ALTER TABLE away RENAME TO journal"))
        await flushed
        await writer.flush()
        assert writer.written == 2
    assert len(await CallRepository(database).facts_of(CALL.id)) == 2


async def test_a_late_update_does_not_reopen_a_finished_call(database: Database) -> None:
    repository = CallRepository(database)
    over = structs.replace(CALL, state=CallState.ENDED, ended_at=200.0)
    async with JournalWriter(database) as writer:
        writer.put(f.CallEnded(at=200.0, call=over))
        await writer.flush()
        await repository.set_finished(CALL.id, "recording is missing")
        writer.put(f.CallUpdated(at=201.0, call=over, what="recording"))
    assert await repository.finish_state(CALL.id) == ("done", "recording is missing")


async def test_an_unanswered_call_needs_no_finishing(database: Database) -> None:
    async with JournalWriter(database) as writer:
        writer.put(f.CallEnded(at=2.0, call=structs.replace(CALL, conversations=(), ended_at=2.0)))
    assert await CallRepository(database).unfinished() == []


async def test_concurrent_writers_do_not_lose_each_others_work(database: Database) -> None:
    repository = CallRepository(database)
    async with JournalWriter(database) as writer:

        async def facts() -> None:
            for index in range(50):
                writer.put(f.CallUpdated(at=float(index), call=CALL, what="x"))
                await asyncio.sleep(0)

        async def spans(side: Side) -> None:
            for index in range(20):
                await repository.add_heard(CALL.id, side, [(0.0, float(index))])

        await asyncio.gather(facts(), spans(Side.CALLER), spans(Side.AGENT))
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(journal)) == 50
    assert await repository.get_heard(CALL.id, Side.AGENT) == [(0.0, 19.0)]


async def test_recordings(database: Database) -> None:
    repository = CallRepository(database)
    recording = StoredRecording("r1", CALL.id, "2026/1.wav", "0" * 64, 10, 1.5, 0.2, 300.0)
    await repository.add_recording(recording)
    await repository.add_recording(structs.replace(recording, bytes=11))
    assert await repository.list_recordings(CALL.id) == [structs.replace(recording, bytes=11)]


async def test_accounts_and_sessions(database: Database) -> None:
    repository = AccountRepository(database)
    account = Account("wang", "$argon2id$x", Role.AGENT, "1001")
    await repository.put_account(account)
    await repository.put_account(structs.replace(account, disabled=True))
    await repository.set_password_hash("wang", "$argon2id$y")
    stored = await repository.get_account("wang")
    assert stored == Account("wang", "$argon2id$y", Role.AGENT, "1001", True)
    assert await repository.list_accounts() == [stored]
    for index in range(3):
        await repository.add_session(Session(f"{index}", "wang", 0.0, float(index), "c"))
    assert await repository.delete_expired_sessions(0.0) == 1
    assert await repository.get_signed_in("1") == (Session("1", "wang", 0.0, 1.0, "c"), stored)
    assert sorted(await repository.delete_sessions_of("wang")) == ["1", "2"]
    assert await repository.get_signed_in("1") is None


async def test_many_writers_at_once_all_have_their_turn(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.storage.database.SQLITE_BUSY_S", 0.01)
    calls = CallRepository(database)
    spans = [(float(number), number + 0.5) for number in range(200)]
    await asyncio.gather(*(calls.add_heard("main-1", Side.CALLER, [span]) for span in spans))
    assert await calls.get_heard("main-1", Side.CALLER) == spans
