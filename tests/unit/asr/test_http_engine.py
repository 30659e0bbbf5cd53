"""The second engine against a real HTTP server on loopback, in a real worker."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from asr.config import AsrConfig
from asr.engine import EngineError, EngineRequest, Samples
from asr.pool import EnginePool

KEY = "sk-of-this-test"
SPEECH: Samples = np.linspace(-0.5, 0.5, 32_000, dtype=np.float32)


@dataclass
class Endpoint:
    """What it was asked, and what it answers."""

    answer: Any = None
    status: int = 200
    delay: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    url: str = ""

    async def transcribe(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        form = await request.post()
        seen: dict[str, Any] = {name: value for name, value in form.items() if isinstance(value, str)}
        upload = form["file"]
        assert isinstance(upload, web.FileField)
        with wave.open(io.BytesIO(upload.file.read())) as file:
            seen["sound"] = (file.getframerate(), file.getnchannels(), file.getnframes())
        seen["authorization"] = request.headers.get("Authorization")
        self.asked.append(seen)
        await asyncio.sleep(self.delay)
        self.at_once -= 1
        if isinstance(self.answer, str):
            return web.Response(text=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)


@asynccontextmanager
async def endpoint(**options: Any) -> AsyncIterator[tuple[Endpoint, EnginePool]]:
    served = Endpoint(**options)
    app = web.Application()
    app.router.add_post("/v1/audio/transcriptions", served.transcribe)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    config = AsrConfig(
        model="whisper-large", engine="http", url=served.url, api_key=KEY, hotwords="五接镇", timeout_s=1.0
    )
    try:
        async with EnginePool(config) as pool:
            await pool.wait_ready(20)
            yield served, pool
    finally:
        await runner.cleanup()


async def test_it_asks_as_openai_does_and_its_text_passes_the_guards() -> None:
    answer = {
        "text": "…",
        "segments": [
            {"start": 0.0, "end": 1.0, "text": "請問您需要什麼幫助？", "avg_logprob": -0.2},
            {"start": 1.0, "end": 2.0, "text": "字幕由志愿者提供", "avg_logprob": -0.1},
            {"start": 1.0, "end": 2.0, "text": "嗯嗯", "avg_logprob": -2.0},
        ],
    }
    async with endpoint(answer=answer) as (served, pool):
        (said,) = await pool.transcribe(SPEECH, EngineRequest(initial_prompt="热线", hotwords="川姜镇"))
    assert said.text == "请问您需要什么帮助？"
    assert (said.start, said.end) == (0.0, 1.0)
    assert said.confidence == pytest.approx(np.exp(-0.2))
    (asked,) = served.asked
    assert asked["sound"] == (16_000, 1, 32_000)
    assert asked["authorization"] == f"Bearer {KEY}"
    assert (asked["model"], asked["language"], asked["response_format"]) == (
        "whisper-large",
        "zh",
        "verbose_json",
    )
    assert asked["prompt"] == "五接镇 川姜镇 热线"


async def test_a_plain_reply_will_do_and_a_batch_goes_out_together() -> None:
    async with endpoint(answer={"text": "您好。"}, delay=0.2) as (served, pool):
        busy = asyncio.create_task(pool.transcribe(SPEECH))
        await asyncio.sleep(0.05)
        texts = await asyncio.gather(busy, *(pool.transcribe(SPEECH) for _ in range(4)))
    assert [one[0].text for one in texts] == ["您好。"] * 5
    assert served.most_at_once == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"answer": {"error": "no"}, "status": 401}, "answered 401; check asr.url, asr.model and the key"),
        ({"answer": "<html>"}, "no transcription"),
        ({"answer": {"segments": []}}, "no transcription"),
        ({"answer": {"text": "x"}, "delay": 1.3}, "no answer within 1 s"),
    ],
)
async def test_what_is_wrong_is_said_and_never_the_key(options: dict[str, Any], words: str) -> None:
    async with endpoint(**options) as (_, pool):
        with pytest.raises(EngineError) as error:
            await pool.transcribe(SPEECH)
    assert words in str(error.value)
    assert KEY not in str(error.value) + repr(AsrConfig(model="m", api_key=KEY))


async def test_an_address_that_is_none_is_said_at_once() -> None:
    async with EnginePool(AsrConfig(model="m", engine="http", url="localhost")) as pool:
        with pytest.raises(EngineError, match="is no address"):
            await pool.wait_ready(20)
