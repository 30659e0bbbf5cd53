"""A real call heard again: a clip while it is talked, the same clip afterwards, the recording, the search."""

import asyncio
import io
import json
import wave
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import numpy as np
import numpy.typing as npt
import pytest

from agents.accounts.identity import Role
from agents.accounts.service import AccountService
from domain.calls import Side
from gateway.demo.receiver import DemoReceiver
from gateway.factories import open_database
from gateway.settings import Settings, load_settings
from gateway.storage.accounts import AccountRepository
from recordings.pcm import RATE, rms_dbfs
from tests.support.installation import SECRET, Installation, installed
from tests.support.machine import CALLS
from tests.support.pbx import NUMBER, ami, pressed
from tests.support.sip.phones import SipAgent, SipCaller
from tests.support.sip.rtp import alaw_of_wav
from tests.support.sound import decode, likeness

pytestmark = [pytest.mark.asterisk, pytest.mark.model]

PASSWORD = "a password of this test"
SECONDS = 23
CLIP_S = 16


class Desk:
    """A signed-in person's view of the API."""

    def __init__(self, stage: Installation, http: aiohttp.ClientSession) -> None:
        self._url = f"http://127.0.0.1:{stage.gateway.web}/api/v1"
        self._http = http

    async def sign_in(self, username: str) -> None:
        body = {"username": username, "password": PASSWORD}
        async with self._http.post(f"{self._url}/session", json=body) as answer:
            assert answer.status == 200

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._http.get(f"{self._url}/{path}") as answer:
            return answer.status, await (answer.json() if "json" in answer.content_type else answer.read())

    async def heard(self, path: str) -> npt.NDArray[np.int16]:
        """Audio as frames of (caller, agent)."""
        status, body = await self.get(path)
        assert status == 200, body
        with wave.open(io.BytesIO(body)) as file:
            assert (file.getnchannels(), file.getframerate()) == (2, RATE)
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


async def with_accounts(stage: Installation) -> None:
    database = open_database(load_settings(stage.gateway.config))
    store = AccountRepository(database)
    accounts = AccountService(store, store)
    await accounts.create_account("ban", PASSWORD, Role.SUPERVISOR)
    await accounts.create_account("li", PASSWORD, Role.AGENT, "1002")
    await database.close()


async def test_a_call_is_heard_again_during_and_after_it(
    example: Settings, model: Path, tmp_path: Path
) -> None:
    said = {side: alaw_of_wav(CALLS / f"d10-{side.value}.wav")[: SECONDS * RATE] for side in Side}
    async with (
        DemoReceiver(SECRET) as receiver,
        installed(example, tmp_path, receiver.url) as stage,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as other,
    ):
        await with_accounts(stage)
        desk, stranger = Desk(stage, http), Desk(stage, other)
        await desk.sign_in("ban")
        await stranger.sign_in("li")
        ports = stage.asterisk.options
        async with (
            ami(stage.asterisk) as events,
            SipAgent(stage.directory, ports.sip_port, "1001", ports.phone_passwords["1001"]) as agent,
            SipCaller(stage.directory, ports.sip_port, "12345", NUMBER, "=刘桥村民") as caller,
        ):
            await pressed(events, caller, "0")
            await events.until("AgentConnect", 60)
            caller.voice.say(said[Side.CALLER])
            agent.voice.say(said[Side.AGENT])
            await asyncio.sleep(19.0)
            (running,) = await stage.stored_calls()
            assert running.answered_at is not None
            assert running.ended_at is None
            answered = round(running.answered_at - running.started_at, 3)
            span = f"clip?from={answered}&to={answered + CLIP_S}"
            live = await desk.heard(f"calls/{running.id}/{span}")
            assert (await desk.get(f"calls/{running.id}/clip?from=5000&to=5010"))[0] == 404
            assert (await stranger.get(f"calls/{running.id}/{span}"))[0] == 404
            await asyncio.to_thread(caller.voice.said.wait, 90)
            await caller.hang_up()
            await events.until("AgentComplete")
        assert len(live) / RATE == pytest.approx(CLIP_S, abs=0.5)
        # The right voice on each side, as near to the original as a busy machine's RTP leaves it.
        for channel, side in enumerate(Side):
            original = decode(said[side][: 12 * RATE])
            assert rms_dbfs(live[:, channel]) > -45, side
            own, others = (likeness(live[:, one], original) for one in (channel, 1 - channel))
            assert own > max(0.4, others + 0.1), side
        await stage.gateway.until("call_finished", 60)

        # The same seconds from the archive are the same samples.
        after = await desk.heard(f"calls/{running.id}/{span}")
        assert len(after) == CLIP_S * RATE
        assert np.array_equal(after[: len(live)], live)
        status, detail = await desk.get(f"calls/{running.id}")
        assert status == 200
        (recording,) = detail["recordings"]
        whole = await desk.heard(f"recordings/{recording['id']}/audio")
        first = round((answered - recording["offset"]) * RATE)
        assert np.array_equal(whole[first : first + len(after)], after)
        _, outline = await desk.get(f"recordings/{recording['id']}/peaks?points=50")
        assert outline["duration"] == pytest.approx(len(whole) / RATE)
        assert max(outline["caller"]) > 0.02
        assert max(outline["agent"]) > 0.02
        assert (await stranger.get(f"recordings/{recording['id']}/audio"))[0] == 404

        # And it is found by what was said on it.
        words = max((one["text"] for one in detail["utterances"]), key=len)[:6]
        _, page = await desk.get(f"history/calls?q={quote(words)}")
        assert [one["id"] for one in page["items"]] == [running.id], words
        assert page["items"][0]["order"]["state"] in ("submitted", "delivered")
        _, table = await desk.get("export/calls.csv")
        assert "'=刘桥村民" in table.decode()
        rows = await stage.stored("SELECT username, name, args FROM audit ORDER BY seq")
        noted = [row for row in rows if row[1].startswith(("recording.", "export."))]
        assert [(who, what) for who, what, _ in noted] == [
            ("ban", "recording.clip"),
            ("ban", "recording.clip"),
            ("ban", "recording.listen"),
            ("ban", "export.calls"),
        ]
        assert json.loads(noted[0][2])["call"] == running.id
