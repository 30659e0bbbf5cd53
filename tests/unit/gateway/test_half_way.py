"""Killed at any step of the work after a call, it is finished by the next start: each thing once."""

import asyncio
import multiprocessing
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from domain.calls import Side
from domain.facts import CallEnded, UtteranceHeard
from domain.orders import OrderState
from domain.search import searchable
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.tables import call_texts, deliveries
from recordings.takeover import Archive
from tests.support.databases import new_file, postgresql, url_of
from tests.support.dying import a_recorded_call, finish, finish_until
from tests.support.orders import OrdersOfProcess

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.support.dying"])

NEVER = 1_000_000
Copies = Callable[[Path], Any]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def copies(request: pytest.FixtureRequest) -> Copies:
    """Makes databases, each empty and gone after its block."""

    @contextmanager
    def made(directory: Path) -> Iterator[str]:
        if request.param == "sqlite":
            yield new_file(directory / "test.db")
            return
        with postgresql(request.getfixturevalue("migrated_postgresql")) as name:
            yield url_of(name)

    return made


async def ended(url: str, directory: Path) -> None:
    database = Database(url)
    async with JournalWriter(database) as journal:
        process = OrdersOfProcess(database, journal)
        call = a_recorded_call(directory / "pbx")
        await process.orders.of_call(call)
        journal.put(CallEnded(at=call.ended_at or 0.0, call=call))
    await database.close()


async def seen(url: str, directory: Path) -> dict[str, Any]:
    """All that there is of the call."""
    database = Database(url)
    async with JournalWriter(database) as journal:
        process = OrdersOfProcess(database, journal)
        (call,) = await process.calls.list_calls()
        (order,) = await process.orders.orders_of_call(call.id)
        assert order is not None
        said = await process.calls.list_utterances(call.id)
        facts = await process.calls.facts_of(call.id)
        journalled = sorted(one.utterance.id for one in facts if isinstance(one, UtteranceHeard))
        assert journalled == sorted(one.id for one in said), "each once"
        async with database.reading() as connection:
            text = (await connection.scalars(select(call_texts.c.text))).one()
            assert text == searchable(one.text for one in sorted(said, key=lambda one: (one.side, one.start)))
            sent = await connection.scalar(select(func.count()).select_from(deliveries))
        archive, rows = Archive(directory / "archive"), await process.calls.list_recordings(call.id)
        found = {
            "state": (await process.calls.finish_state(call.id), order.state),
            "said": [(one.side, one.start, one.end) for one in said],
            "deliveries": sent,
            "recordings": [(one.id, one.sha256) for one in rows],
            "files": [archive.locate(one.path).stat().st_size == one.bytes for one in rows],
            "left": sorted(path.name for path in (directory / "archive").rglob("*") if path.is_file()),
        }
    await database.close()
    return found


def killed_before(step: int, copies: Copies, directory: Path) -> tuple[bool, dict[str, Any]]:
    """Whether there was such a step, and what there is after the next start."""
    directory.mkdir()
    with copies(directory) as url:
        asyncio.run(ended(url, directory))
        child = SERVER.Process(target=finish_until, args=(step, url, directory))
        child.start()
        child.join(60)
        assert child.exitcode in (0, -signal.SIGKILL)
        if child.exitcode:
            asyncio.run(finish(url, directory))
        found = asyncio.run(seen(url, directory))
    shutil.rmtree(directory)
    return bool(child.exitcode), found


@pytest.mark.timeout(300)
def test_killed_at_any_step(copies: Copies, tmp_path: Path) -> None:
    killed, undisturbed = killed_before(NEVER, copies, tmp_path / "undisturbed")
    assert not killed
    assert undisturbed["state"] == (("done", None), OrderState.SUBMITTED)
    assert {side for side, _, _ in undisturbed["said"]} == set(Side)
    assert (undisturbed["deliveries"], undisturbed["files"]) == (1, [True])
    # The detector of voice has windows of 32 ms, and where it begins moves them.
    undisturbed["said"] = [
        (side, pytest.approx(start, abs=0.1), pytest.approx(end, abs=0.1))
        for side, start, end in undisturbed["said"]
    ]
    step = 0
    while killed or not step:
        killed, found = killed_before(step, copies, tmp_path / str(step))
        assert found == undisturbed, f"killed before step {step}"
        step += 1
    assert step > 12, "it was killed at every one of them"
