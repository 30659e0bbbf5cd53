"""What is done after the hang-up is tried again until it is done; nothing is given up for good."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from pydantic import SecretStr

from asr.answer_hints import AnswerHints
from domain.calls import Call, CallState, Recording
from domain.facts import CallEnded, PostCallChanged
from domain.orders import OrderState
from gateway.post_call import RECORDING_TRIES, PostCall
from gateway.settings import PbxSettings
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from recordings.takeover import Archive
from tests.support.orders import AT, OrdersOfProcess, a_call, heard


class Stage:
    """Calls that end on a PBX whose recordings are in `directory`."""

    def __init__(self, process: OrdersOfProcess, journal: JournalWriter, directory: Path) -> None:
        self.process, self.journal = process, journal
        self.recordings = directory / "pbx"
        pbx = PbxSettings(
            name="main", username="u", secret=SecretStr("s"),
            recordings_prefix="/var/spool", recordings_dir=self.recordings,
        )  # fmt: skip
        self.post_call = PostCall(
            {"main": pbx}, Archive(directory / "archive"), None, None, process.orders, process.facts,
            process.calls, AnswerHints("", (), lambda _: ()),
            first_pause_s=0.3, longest_pause_s=0.5, recording_wait_s=0.1,
        )  # fmt: skip

    async def over(self, number: int, *, recorded: bool = True) -> Call:
        call = a_call(number)
        await self.process.orders.of_call(call)
        fact = heard(call, "刘桥镇英雄村的路灯坏了")
        self.journal.put(fact)
        await self.process.orders.on_utterance_heard(fact)
        made = Recording(f"/var/spool/{number}.raw", "PJSIP/trunk-1", AT + number, AT + number + 2)
        ended = structs.replace(
            call, state=CallState.ENDED, ended_at=AT + 60, recordings=(made,) if recorded else ()
        )
        self.journal.put(CallEnded(at=AT + 60, call=ended))
        await self.journal.flush()
        return ended

    def record(self, number: int) -> None:
        self.recordings.mkdir(exist_ok=True)
        for leg in ("rx", "tx"):
            (self.recordings / f"{number}-{leg}.raw").write_bytes(b"\0\1" * 16_000)

    def troubles(self, call: Call) -> list[str]:
        told = self.process.told
        return [one.trouble for one in told if isinstance(one, PostCallChanged) and one.call_id == call.id]

    async def finished(self, call: Call) -> str | None:
        async with asyncio.timeout(20):
            while (state := await self.process.calls.finish_state(call.id))[0] != "done":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return state[1]


@contextlib.asynccontextmanager
async def staged(database: Database, directory: Path) -> AsyncIterator[Stage]:
    async with JournalWriter(database) as journal:
        stage = Stage(OrdersOfProcess(database, journal), journal, directory)
        yield stage
        await stage.post_call.stop()


async def test_a_recording_that_comes_late_is_waited_for(database: Database, tmp_path: Path) -> None:
    async with staged(database, tmp_path) as stage:
        call = await stage.over(1)
        stage.post_call.begin(call)
        async with asyncio.timeout(20):
            while not stage.troubles(call):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        stage.record(1)
        assert await stage.finished(call) is None
        (order,) = await stage.process.orders.orders_of_call(call.id)
        assert order is not None
        assert order.state is OrderState.SUBMITTED
        (kept,) = await stage.process.calls.list_recordings(call.id)
        (delivery,) = await stage.process.outbox.claim("main", 60.0, 10)
        assert kept.sha256 in delivery.body.decode()
        await asyncio.sleep(0.05)
        assert stage.troubles(call)[-1] == "", "over: the alarm goes"


async def test_without_its_recording_the_order_leaves_all_the_same(
    database: Database, tmp_path: Path
) -> None:
    async with staged(database, tmp_path) as stage:
        call = await stage.over(1)
        stage.post_call.begin(call)
        problem = await stage.finished(call)
        assert problem is not None
        assert "1.raw" in problem
        assert len(stage.troubles(call)) >= RECORDING_TRIES
        (order,) = await stage.process.orders.orders_of_call(call.id)
        assert order is not None
        assert order.state is OrderState.SUBMITTED
        # An operator has put the files there.
        stage.record(1)
        assert await stage.process.calls.retry_finish(call.id) == [call.id]
        assert await stage.post_call.resume() == 1
        assert await stage.finished(call) is None
        assert len(await stage.process.calls.list_recordings(call.id)) == 1
        assert len(await stage.process.outbox.list_deliveries()) == 1, "and it is sent once"


async def test_a_database_that_fails_for_a_while_loses_no_order(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(database, tmp_path) as stage:
        calls = [await stage.over(number, recorded=False) for number in range(4)]
        complete, failures = stage.process.orders.complete, iter(range(10))

        async def locked(*args: Any) -> Any:
            if next(failures, None) is not None:
                raise OSError("database is locked")
            return await complete(*args)

        monkeypatch.setattr(stage.process.orders, "complete", locked)
        for call in calls:
            stage.post_call.begin(call)
        for call in calls:
            assert await stage.finished(call) is None
        deliveries = await stage.process.outbox.list_deliveries()
        assert len({one.order_id for one in deliveries}) == len(deliveries) == len(calls)


async def test_what_was_left_open_is_taken_up_at_the_next_start(database: Database, tmp_path: Path) -> None:
    async with staged(database, tmp_path) as stage:
        call = await stage.over(1, recorded=False)
        assert await stage.post_call.resume() == 1
        assert await stage.post_call.resume() == 0, "not twice"
        assert await stage.finished(call) is None
