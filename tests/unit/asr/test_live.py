"""A leg with real voice activity and an engine of its own: partials, finals, holds, crashes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from asr.config import AsrConfig
from asr.dtmf import Pcm
from asr.live import LiveLeg
from asr.pool import EnginePool
from asr.spans import Spans, subtract
from domain.calls import Side
from domain.transcripts import Utterance
from gateway.demo.alaw import alaw_of, decode

CALLS = Path(__file__).resolve().parents[3] / "gateway/demo/calls"
RATE = 8_000
FACTORY = "tests.support.engines:Loud"
SPOKEN = decode(alaw_of(CALLS / "d10-caller.wav"))


@pytest.fixture
async def pool() -> AsyncIterator[EnginePool]:
    async with EnginePool(AsrConfig(model="loud"), FACTORY) as pool:
        await pool.wait_ready(20)
        yield pool


@dataclass
class Screen:
    """What was shown, in order."""

    shown: list[Utterance] = field(default_factory=list)
    spans: Spans = field(default_factory=list)
    now: float = 0.0

    async def take(self, said: Utterance, spans: Spans) -> None:
        self.shown.append(said)
        self.spans = spans

    @property
    def finals(self) -> list[Utterance]:
        return [one for one in self.shown if one.final]


async def play(
    pool: EnginePool, sound: Pcm, screen: Screen, leg: LiveLeg | None = None, speed: float = 8.0
) -> LiveLeg:
    """Feed frames of 20 ms at so many times the speed of life."""
    leg = leg or leg_of(pool, screen)
    for at in range(0, sound.size, 160):
        frame = sound[at : at + 160]
        screen.now += frame.size / RATE
        leg.feed(frame.astype("<i2").tobytes(), RATE)
        await asyncio.sleep(0.02 / speed)
    return leg


def leg_of(pool: EnginePool, screen: Screen) -> LiveLeg:
    return LiveLeg(pool, "t-1", Side.CALLER, lambda: screen.now, screen.take, on_partial=screen.shown.append)


async def test_partials_grow_under_the_finals_id_and_finals_never_change(pool: EnginePool) -> None:
    screen = Screen()
    leg = await play(pool, SPOKEN[: 20 * RATE], screen)
    await leg.close()
    assert len(screen.finals) >= 1
    first = screen.finals[0]
    before = [one for one in screen.shown if one.id == first.id and not one.final]
    assert len(before) >= 2, "an utterance of many seconds is shown while it is spoken"
    assert [one.end for one in before] == sorted(one.end for one in before)
    assert all(one.start == first.start for one in before)
    assert before[-1].end <= first.end
    # Nothing comes after the final under its id, and each id has one final.
    assert [one.final for one in screen.shown if one.id == first.id][-1]
    assert len({one.id for one in screen.finals}) == len(screen.finals)
    assert not subtract([(0.0, 20.0)], await leg.close())


async def test_the_answer_asked_for_in_the_silence_is_the_final_one(pool: EnginePool) -> None:
    screen = Screen()
    leg = await play(pool, SPOKEN[int(9.5 * RATE) : int(15.3 * RATE)], screen, speed=2.0)
    await asyncio.sleep(0.3)
    (final,) = screen.finals
    assert (final.id, final.end) in {(one.id, one.end) for one in screen.shown if not one.final}
    await leg.close()
    assert screen.finals == [final]


async def test_on_hold_nothing_is_heard(pool: EnginePool) -> None:
    screen = Screen()
    leg = leg_of(pool, screen)
    await play(pool, np.zeros(RATE, dtype=np.int16), screen, leg)
    leg.mute(screen.now)
    await play(pool, SPOKEN[7 * RATE : 17 * RATE], screen, leg)
    leg.unmute(screen.now)
    await play(pool, SPOKEN[: 17 * RATE], screen, leg)
    spans = await leg.close()
    assert screen.finals
    assert all(one.start > 11.0 for one in screen.shown), "only what was said after the hold"
    assert not subtract([(0.0, 28.0)], spans), "the hold counts as heard: no recording gives its music"


async def test_a_text_that_turns_out_to_be_none_is_taken_back(pool: EnginePool) -> None:
    """The engine of this test hears nothing in stretches of more than four seconds."""
    screen = Screen()
    async with EnginePool(AsrConfig(model="short"), FACTORY) as short:
        await short.wait_ready(20)
        leg = await play(short, SPOKEN[: 20 * RATE], screen)
        await leg.close()
    partial = next(one for one in screen.shown if not one.final)
    last = [one for one in screen.shown if one.id == partial.id][-1]
    assert (last.text, last.final) == ("", False)


async def test_a_crash_in_the_middle_loses_no_utterance(tmp_path: Path) -> None:
    screen = Screen()
    async with EnginePool(AsrConfig(model=str(tmp_path / "crashed")), FACTORY) as frail:
        await frail.wait_ready(20)
        leg = await play(frail, SPOKEN[: 20 * RATE], screen)
        spans = await leg.close()
        assert frail.stats.workers_lost == 1
    assert (tmp_path / "crashed").exists()
    assert screen.finals
    assert not subtract([(0.0, 20.0)], spans)
