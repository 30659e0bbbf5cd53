"""What an agent says to somebody called outside is recorded and transcribed, as an incoming call is."""

import asyncio
from pathlib import Path

import pytest

from domain.calls import Call, Direction, Side
from gateway.settings import AsrSettings
from recordings.pcm import RATE, read_wav
from recordings.takeover import Archive
from tests.support.desks import CITIZEN, OUTSIDE, Desks, desks_on
from tests.support.machine import CALLS
from tests.support.sip.rtp import alaw_of_wav
from tests.support.sound import seconds_of

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(240)]

HUMMED_S, SAID_S = 3, 12


async def finished(stage: Desks, call_id: str) -> None:
    state = ""
    async with asyncio.timeout(90):
        while state not in ("done", "failed"):
            await asyncio.sleep(0.1)
            state, _ = await stage.running.calls.finish_state(call_id)
    assert await stage.running.calls.finish_state(call_id) == ("done", None)


async def test_a_call_back_is_recorded_and_transcribed_and_makes_no_order(
    model: Path, tmp_path: Path
) -> None:
    public = alaw_of_wav(CALLS / "d10-caller.wav")[: SAID_S * RATE]
    agent = alaw_of_wav(CALLS / "d10-agent.wav")[: SAID_S * RATE]
    async with desks_on(tmp_path, asr=AsrSettings(model=str(model))) as stage:
        done = await stage.do("a1001", "originate", to={"number": OUTSIDE})
        call_id = done["call_id"]
        await stage.talking("1001")
        # Each hums a tone of their own until they speak.
        await asyncio.sleep(HUMMED_S)
        stage.outside.voice.say(public)
        stage.voices["1001"].say(agent)
        await asyncio.to_thread(stage.outside.voice.said.wait, 60)
        await asyncio.sleep(0.5)
        await stage.do("a1001", "hang_up")
        await stage.until(lambda: not stage.calls, "over")
        await finished(stage, call_id)
        kept = await stage.running.calls.get_call(call_id)
        assert isinstance(kept, Call)
        assert (kept.direction, kept.has_work_order, len(kept.recordings)) == (Direction.OUTBOUND, False, 1)
        (recording,) = await stage.running.calls.list_recordings(call_id)
        legs = read_wav(Archive(tmp_path / "data" / "recordings").locate(recording.path))
        # The public on the caller's side, as on every recording.
        for side, own, other in ((Side.CALLER, "outside", "1001"), (Side.AGENT, "1001", "outside")):
            assert seconds_of(legs[side], own) > HUMMED_S / 2, side
            assert seconds_of(legs[side], other) < 0.2, side
        said_by = {one.side for one in await stage.running.calls.list_utterances(call_id)}
        assert said_by == {Side.CALLER, Side.AGENT}
        assert call_id not in {order.call_id for order in await stage.running.orders.list_orders()}

        for name, voice in (("outside", stage.outside.voice), ("1001", stage.voices["1001"])):
            stage.hum(name, voice)
        # A caller who is sent outside has one recording, their own.
        async with stage.talk():
            incoming = stage.calls[0].id
            await stage.do("a1001", "transfer", to={"number": OUTSIDE})
            await stage.heard(caller="outside", outside="caller", a1001="")
        await finished(stage, incoming)
        sent_on = await stage.running.calls.get_call(incoming)
        assert sent_on is not None
        assert (len(sent_on.recordings), sent_on.caller.number) == (1, CITIZEN)
