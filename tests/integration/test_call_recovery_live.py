"""Live transcription follows an agent whose page was reloaded in mid-call. A real call and real speech."""

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest

from domain.calls import Side
from domain.transcripts import Source, Utterance
from gateway.asterisk.ports import spare_tcp
from gateway.asterisk.private import PrivateAsterisk
from gateway.demo.receiver import DemoReceiver
from gateway.settings import Settings
from recordings.pcm import RATE
from tests.support.machine import CALLS
from tests.support.pbx import ami, our_prompts, pressed, private
from tests.support.process import GatewayProcess
from tests.support.sip.phones import SipCaller
from tests.support.sip.rtp import alaw_of_wav
from tests.support.sip.softphone import Softphone, reload

pytestmark = [pytest.mark.asterisk, pytest.mark.model]

CALLER = "13962875016"
SECRET = "a secret of this test"


async def test_what_is_said_after_a_reload_is_transcribed_live(
    example: Settings, model: Path, tmp_path: Path
) -> None:
    agi, audio = spare_tcp(), spare_tcp()
    async with (
        private(
            PrivateAsterisk,
            example,
            tmp_path / "asterisk",
            agi=f"127.0.0.1:{agi}",
            audiosocket=f"127.0.0.1:{audio}",
            provide=our_prompts,
        ) as asterisk,
        DemoReceiver(SECRET) as receiver,
        GatewayProcess(
            tmp_path / "gateway", asterisk, agi, audio, receiver.url, SECRET, live=True
        ) as gateway,
    ):
        ports = asterisk.options
        async with (
            ami(asterisk) as events,
            Softphone(ports.sip_port, "1001", ports.phone_passwords["1001"]) as agent,
            SipCaller(tmp_path, ports.sip_port, "12345", CALLER) as caller,
        ):
            await pressed(events, caller, "0")
            await events.until("AgentConnect", 60)
            page = await agent.incoming()
            await asyncio.sleep(1.0)
            page = await reload(agent, page)
            await asyncio.sleep(1.0)
            agent.say(page, alaw_of_wav(CALLS / "d04-agent.wav")[: 8 * RATE])

            def heard() -> list[str]:
                with sqlite3.connect(gateway.directory / "data" / "hotline.db") as database:
                    rows = database.execute("SELECT data FROM utterances").fetchall()
                said = [msgspec.json.decode(data, type=Utterance) for (data,) in rows]
                return [one.text for one in said if one.side is Side.AGENT and one.source is Source.LIVE]

            async with asyncio.timeout(40):
                while not heard():  # noqa: ASYNC110 - the database is looked at
                    await asyncio.sleep(0.3)
            assert caller.up
            await caller.hang_up()
