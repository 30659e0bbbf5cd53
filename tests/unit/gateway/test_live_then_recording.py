"""What was heard live is not heard again from the recording, and what was not is: each word once."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from asr.answer_hints import AnswerHints
from asr.config import AsrConfig
from asr.live_transcription import LiveTranscription
from asr.pool import EnginePool
from asr.spans import subtract
from domain.calls import Call, Side
from domain.facts import CallEnded
from domain.transcripts import Source, Utterance
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from recordings.pcm import RATE, Samples, read_wav
from recordings.takeover import Archive
from tests.support.dying import LASTED, a_recorded_call, post_call
from tests.support.orders import OrdersOfProcess

SIDES = {"PJSIP/trunk-1": Side.CALLER, "PJSIP/1001-1": Side.AGENT}


@pytest.fixture
async def pool() -> AsyncIterator[EnginePool]:
    async with EnginePool(AsrConfig(model="loud"), "tests.support.engines:Loud") as pool:
        await pool.wait_ready(20)
        yield pool


class Listening:
    """A call that is listened to faster than life, then finished from its recording."""

    def __init__(self, process: OrdersOfProcess, pool: EnginePool, directory: Path, **more: Any) -> None:
        self.process, self.directory = process, directory
        self.call: Call = a_recorded_call(directory / "pbx")
        self.now = 0.0
        self.feeds: dict[str, UUID] = {}
        self.live = LiveTranscription(
            pool, process.facts, process.calls, self._listen, hints=AnswerHints("", (), lambda _: ()), **more
        )
        self.work = post_call(process, directory)

    async def _listen(self, _: Call, channel: str, feed: UUID) -> None:
        self.feeds[channel] = feed

    async def hear(self, until: float) -> None:
        """Both legs, up to that call time."""
        archive = Archive(self.directory / "heard")
        taken = await archive.take(self.directory / "pbx/1.raw", "x", 0, 0.0)
        await archive.keep(taken.path, taken.sha256)
        legs: dict[Side, Samples] = read_wav(archive.locate(taken.path))
        await self.live.start(self.call, "PJSIP/1001-1")
        sinks = {SIDES[channel]: self.live._accept(feed) for channel, feed in self.feeds.items()}
        for at in range(0, int(until * RATE), 160):
            self.now = (at + 160) / RATE
            for side, sink in sinks.items():
                assert sink is not None
                sink.feed(legs[side][at : at + 160].astype("<i2").tobytes(), RATE)
            await asyncio.sleep(0.001)

    async def finished(self) -> list[Utterance]:
        self.process.facts.record(CallEnded(at=self.call.started_at + LASTED, call=self.call))
        await self.process.facts.flush()
        self.work.begin(self.call)
        async with asyncio.timeout(60):
            while self.work.backlog:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return list(await self.process.calls.list_utterances(self.call.id))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, Listening]:
    """The call time of the one who listens."""
    of: dict[str, Listening] = {}

    def now() -> float:
        return of["it"].call.started_at + of["it"].now

    monkeypatch.setattr("asr.live_transcription.time", SimpleNamespace(time=now))
    return of


@contextlib.asynccontextmanager
async def listening(
    database: Database, pool: EnginePool, directory: Path, clock: dict[str, Listening], **more: Any
) -> AsyncIterator[Listening]:
    async with JournalWriter(database) as journal:
        clock["it"] = Listening(OrdersOfProcess(database, journal), pool, directory, **more)
        yield clock["it"]
        await clock["it"].work.stop()


def each_once(said: list[Utterance]) -> None:
    """No stretch of a side is in two utterances; nor is any left out of the whole call's."""
    for side in Side:
        mine = sorted((one.start, one.end) for one in said if one.side is side)
        for (_, end), (start, _) in itertools.pairwise(mine):
            assert start >= end - 0.1, f"{side}: {mine}"


@pytest.mark.timeout(120)
async def test_the_claim_to_have_heard_is_lost(
    database: Database, pool: EnginePool, tmp_path: Path, clock: dict[str, Listening],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """As when the process is killed between the words and whatever is noted after them."""
    async with listening(database, pool, tmp_path, clock) as stage:

        async def killed(*_: Any) -> None:
            raise OSError("killed")

        with monkeypatch.context() as patch:
            patch.setattr(stage.process.calls, "add_heard", killed)
            await stage.hear(18.5)
            for _ in Side:
                with contextlib.suppress(OSError):
                    await stage.live.finish(stage.call.id)
        before = await stage.process.calls.list_utterances(stage.call.id)
        assert {one.side for one in before} == set(Side), "some of it was heard live"
        said = await stage.finished()
        each_once(said)
        assert {one.source for one in said} == {Source.LIVE, Source.RECORDING}
        assert {one.id for one in before} <= {one.id for one in said}
        for side in Side:
            assert not subtract([(0.0, LASTED)], await stage.process.calls.get_heard(stage.call.id, side))


@pytest.mark.timeout(120)
async def test_a_recogniser_too_slow_says_it_once(
    database: Database, pool: EnginePool, tmp_path: Path, clock: dict[str, Listening],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What is not ready in time comes from the recording, and not once more when it is ready after all."""
    async with listening(database, pool, tmp_path, clock, settle_s=0.05) as stage:
        submit, slow = pool.submit, asyncio.Event()

        def late(*args: Any, **more: Any) -> Any:
            ticket = submit(*args, **more)
            result = ticket.result

            async def waited() -> Any:
                await slow.wait()
                return await result()

            ticket.result = waited  # type: ignore[method-assign]
            return ticket

        monkeypatch.setattr(pool, "submit", late)
        await stage.hear(LASTED)
        await stage.live.finish(stage.call.id)
        said = await stage.finished()
        slow.set()
        await asyncio.sleep(0.2)
        await stage.process.facts.flush()
        assert list(await stage.process.calls.list_utterances(stage.call.id)) == said
        assert {one.source for one in said} == {Source.RECORDING}
        each_once(said)


async def test_two_legs_of_one_side_add_up(database: Database) -> None:
    async with JournalWriter(database) as journal:
        calls = OrdersOfProcess(database, journal).calls
        await asyncio.gather(
            *(calls.add_heard("main-1", Side.AGENT, [(float(n), n + 0.5)]) for n in range(0, 20))
        )
        assert await calls.get_heard("main-1", Side.AGENT) == [(float(n), n + 0.5) for n in range(20)]
