"""What is not conversation is not transcribed: greeting, waiting music, music on hold. A real call.

The music here is somebody talking, as tapes for waiting callers do: the recogniser would write it down, were
it asked to. The agent's phone plays a tape of its own while it holds, as some do.
"""

import asyncio
import json
import sqlite3
import time
from pathlib import Path

import cn2an
import msgspec
import pytest
from pypinyin import lazy_pinyin

from domain.calls import Call, Side
from gateway.asterisk.ports import spare_tcp
from gateway.asterisk.private import PrivateAsterisk
from gateway.demo.receiver import DemoReceiver
from gateway.settings import Settings
from recordings.pcm import RATE, read_wav
from tests.support.machine import CALLS
from tests.support.pbx import ami, our_prompts, pressed, private
from tests.support.process import GatewayProcess
from tests.support.sip.phones import SipCaller
from tests.support.sip.rtp import alaw_of_wav
from tests.support.sip.softphone import Softphone
from tests.support.sound import decode, likeness

pytestmark = [pytest.mark.asterisk, pytest.mark.model]

SECRET = "a secret of this test"
HOLD_S = 9.0
BEFORE, PIGSTY = (7.6, 14.9), "养猪场"
AFTER, GROUP = (18.7, 23.1), "十二组"
"""What the caller says, and a word of it that the base model hears well."""


def sounds(text: str) -> str:
    """Its syllables without tones: how they are written (or numbers: 12, 十二) is not what is tested here."""
    return " ".join(lazy_pinyin(cn2an.transform(text, "an2cn")))


def cut(name: str, start: float, end: float) -> bytes:
    """Part of a recorded leg, A-law."""
    return alaw_of_wav(CALLS / f"{name}.wav")[int(start * RATE) : int(end * RATE)]


class TalkingMusic(PrivateAsterisk):
    """An Asterisk whose music on hold talks."""

    def _prepare(self) -> None:
        super()._prepare()
        music = self.directory / "data" / "moh"
        for silence in music.iterdir():
            silence.unlink()
        (music / "tape.alaw").write_bytes(cut("d03-agent", 0.0, 22.0))


@pytest.mark.parametrize("live", [True, False], ids=["live", "from-the-recording"])
async def test_music_on_hold_is_not_transcribed_and_speech_after_it_is(
    example: Settings, model: Path, tmp_path: Path, live: bool
) -> None:
    agi, audio = spare_tcp(), spare_tcp()
    async with (
        DemoReceiver(SECRET) as receiver,
        private(
            TalkingMusic,
            example,
            tmp_path / "asterisk",
            agi=f"127.0.0.1:{agi}",
            audiosocket=f"127.0.0.1:{audio}",
            provide=our_prompts,
        ) as asterisk,
        GatewayProcess(
            tmp_path / "gateway", asterisk, agi, audio, receiver.url, SECRET, live=live
        ) as gateway,
    ):
        ports = asterisk.options
        async with (
            ami(asterisk) as events,
            Softphone(ports.sip_port, "1001", ports.phone_passwords["1001"], ring_s=4.0) as agent,
            SipCaller(tmp_path, ports.sip_port, "12345", "13962875016") as caller,
        ):
            await pressed(events, caller, "0")
            await events.until("AgentConnect", 60)
            line = await agent.incoming()
            await asyncio.sleep(1.0)
            caller.voice.say(cut("d10-caller", *BEFORE))
            await asyncio.to_thread(caller.voice.said.wait, 20)
            await asyncio.sleep(1.0)
            held_at = time.time()
            await line.hold()
            await events.until("MusicOnHoldStart")
            agent.say(line, cut("d04-agent", 0.0, HOLD_S - 1))
            await asyncio.sleep(HOLD_S)
            await line.hold(False)
            resumed_at = time.time()
            await asyncio.sleep(1.0)
            caller.voice.say(cut("d10-caller", *AFTER))
            await asyncio.to_thread(caller.voice.said.wait, 20)
            await asyncio.sleep(1.0)
            await caller.hang_up()
            await events.until("AgentComplete")
        async with receiver.arrived, asyncio.timeout(90):
            await receiver.arrived.wait_for(lambda: receiver.orders)
        (order,) = receiver.orders

        with sqlite3.connect(gateway.directory / "data" / "hotline.db") as database:
            ((data,),) = database.execute("SELECT data FROM calls").fetchall()
        call = msgspec.json.decode(data, type=Call)
        (named,) = order["recordings"]
        legs = read_wav(gateway.directory / "data" / "recordings" / named["path"])
        # Where in the tape Asterisk goes on when a call is held is its own affair.
        likenesses = [
            likeness(legs[Side.AGENT], decode(cut("d03-agent", at, at + 4.0))) for at in range(0, 18, 2)
        ]
        print(json.dumps(order["transcript"], ensure_ascii=False), likenesses)
        assert max(likenesses) > 0.85, "the music was there to be heard"
        # A machine that is short of time leaves some of what is said live to the recording.
        sources = {said["source"] for said in order["transcript"]}
        assert "live" in sources if live else sources == {"recording"}
        assert [said["text"] for said in order["transcript"] if said["side"] == "agent"] == []
        from_held, to_resumed = held_at - call.started_at, resumed_at - call.started_at
        said = [one for one in order["transcript"] if one["side"] == "caller"]
        assert all(one["end"] <= from_held or one["start"] >= to_resumed - 0.5 for one in said)
        assert sounds(PIGSTY) in sounds("".join(one["text"] for one in said if one["end"] <= from_held))
        after = "".join(one["text"] for one in said if one["start"] >= to_resumed - 0.5)
        assert sounds(GROUP) in sounds(after)
