"""An engine for any OpenAI-compatible transcription endpoint (`POST …/audio/transcriptions`).

The endpoint hears the calls, so it should be on the premises. Like any engine it runs in a worker, so a
hanging endpoint costs no more than a hanging worker.
"""

import asyncio
import io
import json
import math
import wave
from collections.abc import Sequence
from typing import Any

import aiohttp
import numpy as np

from asr.config import AsrConfig
from asr.engine import RATE, EngineError, EngineJob, EngineSegment, Samples
from asr.guards import Evidence, spoken
from asr.script import simplified

_MAX_REPLY = 1 << 20
"""Bytes; a minute of speech takes a few kilobytes."""
_UNKNOWN = Evidence(no_speech=0.0, log_probability=-0.3, compression=1.0, duration=0.0)
"""Used where the endpoint reports no figures: a confidence of about 0.74."""


class HttpEngine:
    """Sends the stretches of a batch to the endpoint concurrently. Raises EngineError."""

    def __init__(self, config: AsrConfig) -> None:
        if not config.url.startswith(("http://", "https://")):
            raise EngineError(
                f"asr.url {config.url!r} is no address; write http:// or https://, host and path"
            )
        self._config = config
        self._url = config.url.rstrip("/") + "/audio/transcriptions"
        self._runner = asyncio.Runner()

    def transcribe(self, batch: Sequence[EngineJob]) -> list[list[EngineSegment]]:
        """Transcribe a batch; see `Engine.transcribe`."""
        return self._runner.run(self._all(batch))

    async def _all(self, batch: Sequence[EngineJob]) -> list[list[EngineSegment]]:
        timeout = aiohttp.ClientTimeout(total=self._config.timeout_s)
        headers = {"Authorization": f"Bearer {self._config.api_key}"} if self._config.api_key else {}
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            return list(await asyncio.gather(*(self._one(session, job) for job in batch)))

    async def _one(self, session: aiohttp.ClientSession, job: EngineJob) -> list[EngineSegment]:
        if not job.samples.size:
            return []
        prompt = self._config.initial_prompt
        if job.request.initial_prompt is not None:
            prompt = job.request.initial_prompt
        hotwords = " ".join(filter(None, (self._config.hotwords, job.request.hotwords)))
        form = aiohttp.FormData()
        form.add_field("file", _wav(job.samples), filename="speech.wav", content_type="audio/wav")
        for name, value in (
            ("model", self._config.model),
            ("language", "zh"),
            ("response_format", "verbose_json"),
            ("temperature", "0"),
            ("prompt", f"{hotwords} {prompt}".strip()),
        ):
            if value:
                form.add_field(name, value)
        try:
            async with session.post(self._url, data=form, allow_redirects=False) as answer:
                body = await answer.content.read(_MAX_REPLY)
                if answer.status != 200:
                    raise EngineError(
                        f"{self._url} answered {answer.status}; check asr.url, asr.model and the key"
                    )
                reply = _parse(body)
        except TimeoutError:
            raise EngineError(
                f"{self._url} gave no answer within {self._config.timeout_s:g} s; see to it, or raise"
                " asr.timeout_s"
            ) from None
        except aiohttp.ClientError as error:
            raise EngineError(f"{self._url} cannot be reached ({error}); is the endpoint up?") from None
        return _segments(reply, job.samples.size / RATE, prompt)


def _wav(samples: Samples) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _parse(body: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(body)
    except ValueError:
        reply = None
    if not isinstance(reply, dict) or not isinstance(reply.get("text"), str):
        raise EngineError(
            "the endpoint's reply is no transcription; it must speak OpenAI's verbose_json or json"
        )
    return reply


def _segments(reply: dict[str, Any], duration: float, prompt: str) -> list[EngineSegment]:
    """Return the reply's phrases that pass the guards; if it has no phrases, its plain text."""
    raw = reply.get("segments") or [{"text": reply["text"], "start": 0.0, "end": duration}]
    found = []
    for phrase in raw:
        if not isinstance(phrase, dict) or not isinstance(phrase.get("text"), str):
            continue
        start = min(max(_number(phrase, "start", 0.0), 0.0), duration)
        end = min(max(_number(phrase, "end", duration), start), duration)
        evidence = Evidence(
            no_speech=_number(phrase, "no_speech_prob", _UNKNOWN.no_speech),
            log_probability=_number(phrase, "avg_logprob", _UNKNOWN.log_probability),
            compression=_number(phrase, "compression_ratio", _UNKNOWN.compression),
            duration=end - start,
        )
        text = spoken(simplified(phrase["text"]), evidence, prompt)
        if text is not None:
            found.append(EngineSegment(start, end, text, min(1.0, math.exp(evidence.log_probability))))
    return found


def _number(phrase: dict[str, Any], name: str, default: float) -> float:
    value = phrase.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else default
