"""Workers in processes of their own: what they survive, and what the loop does meanwhile."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from asr.config import AsrConfig
from asr.engine import EngineError, EngineRequest, Samples
from asr.pool import DroppedError, EnginePool
from asr.schedule import Urgency
from domain.recogniser import Load
from tests.support import engines

FACTORY = "tests.support.engines:Obedient"


def sound(order: float = engines.ECHO, seconds: float = 0.1) -> Samples:
    return np.full(int(seconds * 16_000), order, dtype=np.float32)


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[EnginePool]:
    config = AsrConfig(model=str(tmp_path / "crashed"))
    async with EnginePool(config, FACTORY, hang_timeout=0.4) as pool:
        await pool.wait_ready(20)
        yield pool


async def test_sound_goes_there_and_text_comes_back(pool: EnginePool) -> None:
    segments = await pool.transcribe(sound(seconds=2.0), EngineRequest(hotwords="金沙 "))
    assert segments[0].text.startswith("金沙 ")
    assert segments[0].text.endswith(" 2.00 1")
    assert pool.ready


async def test_a_crash_is_tried_again_on_a_fresh_worker(pool: EnginePool) -> None:
    before = (await pool.transcribe(sound()))[0].text
    after = (await pool.transcribe(sound(engines.CRASH_ONCE)))[0].text
    assert before.split()[0] != after.split()[0], "a new process must have answered"


async def test_two_crashes_are_an_error_and_the_next_sound_is_well(pool: EnginePool) -> None:
    with pytest.raises(EngineError, match="failed twice"):
        await pool.transcribe(sound(engines.CRASH))
    assert await pool.transcribe(sound())


async def test_a_hang_is_ended_and_the_loop_stays_free(pool: EnginePool) -> None:
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            worst = max(worst, time.perf_counter() - before - 0.005)

    watcher = asyncio.create_task(watch())
    with pytest.raises(EngineError, match="no answer within"):
        await pool.transcribe(sound(engines.HANG))
    watcher.cancel()
    assert worst < 0.3, "an engine that hangs for most of a second must not hold the loop"
    assert await pool.transcribe(sound())


async def test_an_exception_leaves_the_worker_in_place(pool: EnginePool) -> None:
    before = (await pool.transcribe(sound()))[0].text
    with pytest.raises(EngineError, match="cannot read this"):
        await pool.transcribe(sound(engines.RAISE))
    assert (await pool.transcribe(sound()))[0].text == before


async def test_an_idle_worker_that_dies_costs_no_sound(pool: EnginePool) -> None:
    pid = int((await pool.transcribe(sound()))[0].text.split()[0])
    os.kill(pid, signal.SIGKILL)
    assert await pool.transcribe(sound())


async def test_finals_go_before_recordings_and_these_before_partials(pool: EnginePool) -> None:
    done: list[tuple[Urgency, str]] = []

    async def ask(urgency: Urgency, call: str) -> None:
        await pool.transcribe(sound(), urgency=urgency, call_id=call)
        done.append((urgency, call))

    pool.focus({"desk"})
    order = [(Urgency.PARTIAL, "a"), (Urgency.RECORDING, "a"), (Urgency.FINAL, "a"), (Urgency.FINAL, "desk")]
    busy = asyncio.create_task(pool.transcribe(sound(engines.SLOW)))
    await asyncio.sleep(0.05)
    await asyncio.gather(busy, *(ask(*one) for one in order))
    assert done == order[::-1]


async def test_a_batch_is_computed_together_and_its_crash_is_not_shared(tmp_path: Path) -> None:
    config = AsrConfig(model=str(tmp_path / "crashed"), batch=4)
    async with EnginePool(config, FACTORY) as pool:
        await pool.wait_ready(20)
        texts = await asyncio.gather(*(pool.transcribe(sound()) for _ in range(4)))
        assert {one[0].text.split()[2] for one in texts} == {"4"}
        results = await asyncio.gather(
            *(pool.transcribe(sound(order)) for order in (engines.CRASH, engines.ECHO, engines.ECHO)),
            return_exceptions=True,
        )
        assert isinstance(results[0], EngineError)
        assert not isinstance(results[1], BaseException)
        assert not isinstance(results[2], BaseException)


async def test_partials_are_dropped_when_time_is_short_and_finals_never(
    pool: EnginePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr.schedule.STALE_S", 0.2)
    busy = [pool.submit(sound(engines.SLOW)) for _ in range(3)]
    partial = pool.submit(sound(), urgency=Urgency.PARTIAL)
    final = pool.submit(sound())
    with pytest.raises(DroppedError):
        await partial.result()
    assert await final.result()
    for one in busy:
        assert await one.result()
    assert pool.state().partials_dropped == 1
    assert pool.state().load is Load.NO_PARTIALS


async def test_partials_leave_a_worker_free_for_what_has_ended() -> None:
    async with EnginePool(AsrConfig(model="x", workers=2), FACTORY) as pool:
        await pool.wait_ready(20)
        while pool.stats.stretches < 2:  # both are there
            await asyncio.gather(*(pool.transcribe(sound(engines.SLOW)) for _ in range(2)))
        order: list[str] = []
        slow = [pool.submit(sound(engines.SLOW), urgency=Urgency.PARTIAL) for _ in range(3)]
        for ticket in slow:
            ticket.on_done(lambda _: order.append("partial"))
        await asyncio.sleep(0.05)
        assert pool.waiting(Urgency.PARTIAL) == 2, "one worker is theirs, the other is kept free"
        likely = pool.submit(sound(), urgency=Urgency.LIKELY)
        likely.on_done(lambda _: order.append("likely"))
        for ticket in [likely, *slow]:
            assert await ticket.result()
    assert order == ["likely", "partial", "partial", "partial"]


async def test_a_partial_that_became_the_final_is_computed_once(pool: EnginePool) -> None:
    before = pool.stats.stretches
    busy = pool.submit(sound(engines.SLOW))
    ticket = pool.submit(sound(seconds=0.5), urgency=Urgency.PARTIAL)
    other = pool.submit(sound(seconds=0.25), urgency=Urgency.PARTIAL)
    ticket.promote()
    other.withdraw()
    assert (await ticket.result())[0].text.split()[1] == "0.50"
    assert other.dropped
    assert await busy.result()
    assert pool.stats.stretches - before == 2


async def test_a_missing_model_is_said_at_once() -> None:
    async with EnginePool(AsrConfig(model="missing"), FACTORY) as pool:
        with pytest.raises(EngineError, match="not there; fetch it"):
            await pool.wait_ready(20)
        with pytest.raises(EngineError, match="not there; fetch it"):
            await pool.transcribe(sound())
        assert not pool.ready


async def test_a_worker_that_dies_at_its_start_is_started_again_after_a_pause(tmp_path: Path) -> None:
    began = time.monotonic()
    async with EnginePool(AsrConfig(model=str(tmp_path / "late")), FACTORY) as pool:
        await pool.wait_ready(20)
        assert await pool.transcribe(sound())
    assert time.monotonic() - began >= 1.0


async def test_leaving_ends_what_waits(tmp_path: Path) -> None:
    async with EnginePool(AsrConfig(model=str(tmp_path / "x")), FACTORY) as pool:
        await pool.wait_ready(20)
        waiting = asyncio.create_task(pool.transcribe(sound(engines.HANG)))
        await asyncio.sleep(0.05)
    with pytest.raises(EngineError, match="stopping"):
        await waiting


def test_unknown_engine_names_the_known() -> None:
    with pytest.raises(EngineError, match="faster-whisper"):
        EnginePool(AsrConfig(model="x", engine="clairvoyance"))


def test_workers_end_with_their_parent() -> None:
    program = (
        "import asyncio, os, numpy as np\n"
        "from asr.config import AsrConfig\n"
        "from asr.pool import EnginePool\n"
        "async def main():\n"
        f"    async with EnginePool(AsrConfig(model='x'), '{FACTORY}') as pool:\n"
        "        said = await pool.transcribe(np.zeros(1600, dtype=np.float32))\n"
        "        asyncio.create_task(pool.transcribe(np.full(1600, 0.5, dtype=np.float32)))\n"
        "        await asyncio.sleep(0.2)\n"
        "        print(said[0].text.split()[0], flush=True)\n"
        "        os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    pid = int(subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False).stdout)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return  # dead; nobody has collected it
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists(), "the worker outlived its parent, in the middle of a request"
