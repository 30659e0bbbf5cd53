"""A whole gateway keeps its journal small, and its figures by checkpoints."""

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from benchmarks.whole_calls import whole_calls
from domain.facts import call_id_of
from gateway.app import MODULES, run_gateway
from gateway.settings import AsrSettings, JournalSettings, Settings
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal_reader import JournalReader
from gateway.storage.tables import journal
from tests.support.databases import new_file
from tests.support.journal import stored

(CALL,) = list(whole_calls(1, 12))


def settings(directory: Path, keep_days: float) -> Settings:
    usual = Settings(data_dir=directory, asr=AsrSettings(engine="none"))
    return usual.model_copy(
        update={
            "http": usual.http.model_copy(update={"port": 0, "stream_port": 0}),
            "agi": usual.agi.model_copy(update={"port": 0}),
            "journal": JournalSettings(keep_days=keep_days),
        }
    )


@pytest.mark.parametrize("keep_days", [0, 7])
async def test_old_facts_are_packed_and_pruned_as_configured(
    tmp_path: Path, keep_days: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.modules.journal.PACK_EVERY_S", 0.05)
    monkeypatch.setattr("gateway.modules.journal.PRUNE_EVERY_S", 0.05)
    database = Database(new_file(tmp_path / "hotline.db"))
    # Before now, by more than is kept.
    await stored(database, CALL)
    call_id = call_id_of(CALL[0])
    assert call_id is not None
    reader, about_none = JournalReader(database), [one for one in CALL if call_id_of(one) is None]
    before = await reader.of_call(call_id)
    async with run_gateway(settings(tmp_path, keep_days), modules=MODULES):
        for _ in range(1000):
            async with database.reading() as connection:
                rows = await connection.scalar(select(func.count()).select_from(journal))
            left = await reader.of_call(call_id)
            # The newest row of all is never packed.
            if rows == 1 and (len(left) <= 1 or not keep_days):
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail(f"{rows} rows are left, and {len(left)} facts of the call")
    left = [fact async for fact in reader.since(0.0) if call_id_of(fact) == call_id]
    assert len(left) <= 1 if keep_days else left == before
    assert [fact async for fact in reader.since(0.0) if call_id_of(fact) is None] == about_none
    assert await CallRepository(database).get_call(call_id) is not None
    await database.close()


def test_what_is_still_needed_cannot_be_pruned() -> None:
    with pytest.raises(ValidationError, match="keep 7 days or more"):
        JournalSettings(keep_days=3)
    assert JournalSettings(keep_days=0).keep_days == 0
