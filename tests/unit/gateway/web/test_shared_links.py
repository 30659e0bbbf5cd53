"""The recording travels: links in an order's document, by which its receiver fetches sound and words."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from msgspec import structs
from pydantic import AnyHttpUrl, SecretStr

from domain.calls import Side
from domain.facts import UtteranceHeard
from domain.recordings import StoredRecording
from domain.transcripts import Utterance, utterance_id
from gateway.export.transcripts import as_text, as_webvtt
from gateway.facts.recorder import FactRecorder
from gateway.runtime import Runtime
from gateway.settings.serving import LinkSettings
from gateway.storage.calls import CallRepository
from gateway.storage.journal import JournalWriter
from recordings.takeover import Archive
from tests.support.at_the_desk import CALL, Supervisor, at_the_desk
from tests.support.databases import sqlite_url
from tests.support.receiver import Receiver, endpoint_settings, listening
from tests.support.recordings import ramp, write_wav
from workorders.delivery.links import (
    DocumentLinks,
    Grant,
    LinkExpiredError,
    LinkUnknownError,
    Shared,
)

SECRET = "a secret of this test alone"
GRANT = Grant(Shared.RECORDING, "main", "an-order", "main-1/0", 2_000)


def said(start: float, end: float, text: str, side: Side = Side.CALLER) -> Utterance:
    return Utterance(utterance_id(CALL.id, side, start), CALL.id, side, start, end, text)


SAID = [
    said(2.5, 4.0, "门口的路灯<b>不亮</b> --> & 很久了"),
    said(4.2, 5.0, "好的", Side.AGENT),
    said(3700.0, 3701.0, "再见"),
]


class System:
    """A work-order system that was sent the order, and what it got."""

    def __init__(self, gateway: Runtime, supervisor: Supervisor, document: dict[str, Any]) -> None:
        self.gateway, self.supervisor, self.document = gateway, supervisor, document

    def path(self, url: str) -> str:
        assert url.startswith("https://hotline.example.cn/api/v1/shared/")
        return url.removeprefix("https://hotline.example.cn")

    async def fetch(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, bytes]:
        """Without any session: the link is all it has."""
        url = f"http://127.0.0.1:{self.gateway.web_port}{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), await answer.read()

    async def audited(self) -> list[tuple[str, str, bool]]:
        _, _, page = await self.supervisor.ask("GET", "/api/v1/audit")
        return [
            (one["username"], json.loads(one["args"])["what"], one["ok"])
            for one in reversed(page)
            if one["name"] == "shared.fetch"
        ]


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    received = asyncio.Event()

    async def answer(_: web.Request, __: int) -> web.StreamResponse:
        received.set()
        return web.json_response({"id": "T-1"})

    receiver = Receiver(answer)
    links = LinkSettings(url=AnyHttpUrl("https://hotline.example.cn"), secret=SecretStr(SECRET))
    async with listening(receiver) as url:
        changes = {"workorders": [endpoint_settings(url)], "links": links}
        async with at_the_desk(tmp_path, sqlite_url(tmp_path / "h.db"), **changes) as (
            gateway,
            desk,
            order_id,
        ):
            for one in SAID:
                fact = UtteranceHeard(at=CALL.started_at + one.end, utterance=one)
                gateway.get(FactRecorder).record(fact)
            await gateway.get(JournalWriter).flush()
            gateway.get(Archive).directory.mkdir(exist_ok=True)
            write_wav(gateway.get(Archive).directory / "1.wav", ramp(3.0))
            await gateway.get(CallRepository).add_recording(
                StoredRecording("main-1/0", CALL.id, "1.wav", "0" * 64, 48_044, 3.0, 2.0, 0.0)
            )
            words = {"title": "路灯不亮", "summary": "门口的路灯不亮"}
            await gateway.orders.set_fields(order_id, words, revision=None, by="1001")
            await gateway.orders.submit(order_id, by="1001")
            async with asyncio.timeout(30):
                await received.wait()
            yield System(gateway, desk, json.loads(receiver.bodies[0]))


async def test_sound_and_words_are_fetched_by_the_links_and_every_fetch_is_audited(system: System) -> None:
    (recording,) = system.document["recordings"]
    whole = (system.gateway.get(Archive).directory / "1.wav").read_bytes()
    sound = system.path(recording["url"])
    assert await system.fetch(sound) == (200, "audio/wav", whole)
    assert await system.fetch(sound, Range="bytes=44-143") == (206, "audio/wav", whole[44:144])
    assert (await system.fetch(sound, "HEAD"))[0] == 200
    status, kind, subtitles = await system.fetch(system.path(recording["webvtt_url"]))
    assert (status, kind) == (200, "text/vtt; charset=utf-8")
    # Seconds of the recording, which began 2 s after the call; what was said after its end is not on it.
    assert subtitles.decode() == (
        "WEBVTT\n\n"
        "00:00:00.500 --> 00:00:02.000\n<v 来电人>门口的路灯&lt;b&gt;不亮&lt;/b&gt; --&gt; &amp; 很久了\n\n"
        "00:00:02.200 --> 00:00:03.000\n<v 坐席>好的\n"
    )
    status, kind, text = await system.fetch(system.path(system.document["transcript_url"]))
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    assert text.decode().splitlines()[2] == "[01:01:40] 来电人：再见"
    # Asked for in pieces, it is one fetch.
    assert await system.audited() == [
        ("token:link/main", "recording", True),
        ("token:link/main", "webvtt", True),
        ("token:link/main", "transcript", True),
    ]
    # Good for 30 days from when the order left.
    expires = system.document["links_expire_at"]
    left = system.document["submitted_at"]
    assert expires > left
    (system.gateway.get(Archive).directory / "1.wav").unlink()
    assert (await system.fetch(sound))[0] == 404


async def test_a_link_altered_invented_or_expired_opens_nothing(system: System) -> None:
    (recording,) = system.document["recordings"]
    sound = system.path(recording["url"])
    token = sound.split("/")[4]
    ours, theirs = (DocumentLinks("http://x", secret, 30) for secret in (SECRET, SECRET + "?"))
    made = structs.replace(GRANT, id="main-1/0", expires_at=int(time.time()) + 1000)
    for bad in (
        *(
            token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
            for at in range(0, len(token), 7)
        ),
        token.split(".")[0],
        token + "x" * 5000,
        "x",
        "..",
        "%00",
        "%ed%a0%80",
        theirs.url(made).split("/")[6],
    ):
        status, _, body = await system.fetch(f"/api/v1/shared/{bad}/recording.wav")
        assert status in (404, 414, 422), (bad, body)
        assert b"RIFF" not in body
    past = structs.replace(made, expires_at=int(time.time()) - 1)
    status, _, body = await system.fetch(
        system.path(ours.url(past).replace("http://x", "https://hotline.example.cn"))
    )
    assert (status, json.loads(body)["reason"]) == (410, "link_expired")
    gone = structs.replace(made, id="main-1/9")
    status, _, body = await system.fetch(
        system.path(ours.url(gone).replace("http://x", "https://hotline.example.cn"))
    )
    assert (status, json.loads(body)["reason"]) == (404, "recording_gone")
    assert await system.audited() == [("token:link/main", "recording", False)]


async def test_nothing_is_shared_unless_it_is_configured(tmp_path: Path) -> None:
    async with at_the_desk(tmp_path, sqlite_url(tmp_path / "h.db")) as (gateway, _, __):
        url = DocumentLinks(f"http://127.0.0.1:{gateway.web_port}", SECRET, 30).url(GRANT)
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            assert answer.status == 404


def test_a_link_names_what_it_is_for_and_the_same_order_has_the_same() -> None:
    links = DocumentLinks("http://x/", SECRET, 30)
    token = links.url(GRANT).split("/")[6]
    assert links.url(GRANT) == DocumentLinks("http://x", SECRET, 30).url(GRANT)
    assert links.read(token, 1_999.9) == GRANT
    with pytest.raises(LinkExpiredError):
        links.read(token, 2_000.0)
    with pytest.raises(LinkUnknownError):
        DocumentLinks("http://x", SECRET[::-1], 30).read(token, 0.0)
    with pytest.raises(ValueError, match="at least 16 characters"):
        DocumentLinks("http://x", "short", 30)


@pytest.mark.parametrize("text", ["", "a\nb\r\nc", "\x00", "NOTE x", "-->", "\u2028"])
def test_whatever_is_said_is_one_cue_and_one_line(text: str) -> None:
    one = said(1.0, 2.0, text)
    assert as_webvtt([one], 0.0, 10.0).count(" --> ") == 1
    assert len(as_webvtt([one], 0.0, 10.0).split("\n")) == 5
    assert len(as_text([one, one]).split("\n")) == 3
