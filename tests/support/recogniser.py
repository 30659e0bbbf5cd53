"""A recogniser for tests that are not about words: an HTTP endpoint that says how long each sound was."""

import io
import wave
from typing import Self

from aiohttp import web


class CountingRecogniser:
    """Answers like any OpenAI-compatible endpoint; `url` is its base."""

    def __init__(self) -> None:
        self.url = ""
        self.heard = 0
        """Sounds transcribed so far."""

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post("/v1/audio/transcriptions", self._transcribe)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _transcribe(self, request: web.Request) -> web.Response:
        form = await request.post()
        sound = form["file"]
        assert isinstance(sound, web.FileField)
        with wave.open(io.BytesIO(sound.file.read())) as file:
            seconds = file.getnframes() / file.getframerate()
        self.heard += 1
        return web.json_response({"text": f"这里说了{seconds:.1f}秒。", "duration": seconds})
