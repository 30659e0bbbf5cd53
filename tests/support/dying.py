"""The work after a call in a process that is killed at a chosen step; run by `multiprocessing`."""

import asyncio
import functools
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs
from pydantic import SecretStr

from asr.answer_hints import AnswerHints
from asr.engine import EngineSegment
from domain.calls import Call, CallState, Conversation, Leg, Recording, Side
from gateway.demo.alaw import alaw_of, decode
from gateway.post_call import PostCall
from gateway.settings import PbxSettings
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from recordings.half_way import finish_half_way
from recordings.pcm import RATE
from recordings.takeover import Archive
from tests.support.orders import AT, OrdersOfProcess, a_call
from tests.support.recordings import write_legs

SPOKEN = Path(__file__).resolve().parents[2] / "gateway/demo/calls"
LASTED = 18.0


class Plain:
    """Stands for the engine's process: says how long the sound was."""

    async def transcribe(self, samples: Any, *_: Any, **__: Any) -> list[EngineSegment]:
        await asyncio.sleep(0.001)
        return [EngineSegment(0.0, 1.0, f"说了{samples.size / 16_000:.2f}秒", 0.5)]


def a_recorded_call(directory: Path) -> Call:
    """A call that is over and not finished; its recording lies on the PBX in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    legs = [decode(alaw_of(SPOKEN / f"d10-{side}.wav"))[: int(LASTED * RATE)] for side in ("caller", "agent")]
    size = min(leg.size for leg in legs)
    write_legs(directory / "1.raw", np.stack([leg[:size] for leg in legs], axis=1))
    call = a_call(1)
    talk = Conversation("1001", "PJSIP/1001-1", call.started_at, call.started_at + LASTED)
    return structs.replace(
        call, state=CallState.ENDED, ended_at=call.started_at + LASTED, conversations=(talk,),
        legs=(Leg("1.1", "PJSIP/trunk-1", Side.CALLER, call.caller, call.started_at),),
        recordings=(Recording("/var/spool/1.raw", "PJSIP/trunk-1", AT + 1, AT + 1 + LASTED),),
    )  # fmt: skip


def post_call(process: OrdersOfProcess, directory: Path) -> PostCall:
    """The work after calls of a PBX that records into `directory / "pbx"`."""
    pbx = PbxSettings(
        name="main", username="u", secret=SecretStr("s"),
        recordings_prefix="/var/spool", recordings_dir=directory / "pbx",
    )  # fmt: skip
    return PostCall(
        {"main": pbx}, Archive(directory / "archive"), Plain(), None, process.orders, process.facts,  # type: ignore[arg-type]
        process.calls, AnswerHints("", (), lambda _: ()), first_pause_s=0.1, recording_wait_s=1.0,
    )  # fmt: skip


async def finish(url: str, directory: Path) -> None:
    """What a start of the gateway does about the calls it finds unfinished."""
    database = Database(url)
    async with JournalWriter(database) as journal:
        process = OrdersOfProcess(database, journal)
        work = post_call(process, directory)
        await finish_half_way(Archive(directory / "archive"), process.calls)
        await work.resume()
        async with asyncio.timeout(60):
            while work.backlog:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await database.close()


STEPS: Sequence[tuple[type[Any], str]] = (
    (Archive, "_convert"),
    (CallRepository, "add_recording"),
    (Archive, "_keep"),
    (JournalWriter, "put"),
    (JournalWriter, "_write_surely"),
    (CallRepository, "add_heard"),
    (CallRepository, "set_finished"),
)


def finish_until(step: int, url: str, directory: Path) -> None:
    """Finish what is unfinished; SIGKILL before the step of that number, counting from 0."""
    left = iter(range(step))

    def tick() -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    for kind, name in STEPS:
        setattr(kind, name, _ticking(getattr(kind, name), tick))
    asyncio.run(finish(url, directory))


def _ticking(work: Any, tick: Any) -> Any:
    @functools.wraps(work)
    def plain(*args: Any, **more: Any) -> Any:
        tick()
        return work(*args, **more)

    @functools.wraps(work)
    async def waited(*args: Any, **more: Any) -> Any:
        tick()
        return await work(*args, **more)

    return waited if asyncio.iscoroutinefunction(work) else plain
