"""Speech recognition: the engine, and the servers that receive live audio from PBXs."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import UUID

from prometheus_client.core import Metric

from asr.answer_hints import AnswerHints
from asr.engine import EngineRequest
from asr.live_transcription import LiveTranscription
from asr.pool import EnginePool
from domain.calls import Call
from domain.facts import RecogniserChanged
from domain.recogniser import Recogniser
from gateway import clock
from gateway.asterisk.actions import media_connection, originate_listener, originate_media_socket
from gateway.factories import asr_config
from gateway.facts.recorder import FactRecorder
from gateway.health import Check, ReadinessCheck
from gateway.metrics import recogniser_metrics
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.storage.calls import CallRepository
from gateway.stream.hub import Hub
from gateway.supervision import Job
from gateway.telephony import Telephony
from workorders.directories.reference import Reference
from workorders.extraction.people import BEGINNINGS, NAME_QUESTION, name_beginnings

LOOK_EVERY_S = 1.0


def engine_pool(settings: Settings, say: Callable[[str], None]) -> EnginePool | None:
    """The configured engine, not started yet; `None`: switched off. `say` is told which one it is."""
    if settings.asr.engine == "none":
        return None
    config = asr_config(settings)
    if config.engine == "http":
        say(f"speech is transcribed by {config.url}")
    else:
        model = f"{Path(config.model).name} ({config.device}, {config.compute_type})"
        say(f"loading the speech model {model}")
    return EnginePool(config)


class SpeechRequests:
    """What each call wants of the engine: the names of the district, where the configuration says so."""

    def __init__(self, hot_words: str) -> None:
        self._hot_words = hot_words

    def of(self, _: Call) -> EngineRequest:
        """Names that belong to the line alone come from its glossary."""
        return EngineRequest(hotwords=self._hot_words)


class RecogniserModule(Module):
    """Provides the `EnginePool` and `LiveTranscription`; neither where speech recognition is switched off."""

    name = "recogniser"
    needs = (FactRecorder, CallRepository, Reference, Hub)

    async def open(self, runtime: Runtime) -> None:
        """Load the model, and listen for audio."""
        self._runtime = runtime
        self._facts = runtime.get(FactRecorder)
        settings = runtime.settings
        words = runtime.get(Reference).hot_words() if settings.reference.hot_words else ()
        requests = SpeechRequests(" ".join(words))
        hints = AnswerHints(NAME_QUESTION, BEGINNINGS, name_beginnings)
        runtime.provide(requests, hints)
        runtime.audio_address = settings.audiosocket.advertise or ""
        self._pool = pool = await self._open_pool(runtime)
        if pool is None:
            return
        transcription = LiveTranscription(
            pool,
            self._facts,
            runtime.get(CallRepository),
            self._listen,
            hints=hints,
            request=requests.of,
            partials=settings.asr.partials,
            clock=clock.now,
        )
        runtime.provide(pool, transcription)
        audio = await runtime.enter(
            transcription.server(settings.audiosocket.host, settings.audiosocket.port)
        )
        runtime.audio_address = runtime.audio_address or f"{settings.audiosocket.host}:{audio.port}"
        if any(pbx.live_audio == "websocket" for pbx in settings.pbx):
            await runtime.enter(
                transcription.media_server(settings.mediasocket.host, settings.mediasocket.port)
            )

    async def _open_pool(self, runtime: Runtime) -> EnginePool | None:
        if (kept := runtime.find(EnginePool)) is not None:
            return kept
        pool = engine_pool(runtime.settings, runtime.say)
        return None if pool is None else await runtime.enter(pool)

    async def _listen(self, call: Call, channel: str, feed: UUID) -> None:
        # The PBXs are linked later than the audio servers open: they are told the servers' addresses.
        link = self._runtime.get(Telephony).links[call.pbx]
        if link.settings.live_audio != "websocket":
            await originate_listener(link, channel, feed)
            return
        media = self._runtime.settings.mediasocket
        connection = media_connection(media.address, shared=bool(media.peers))
        await originate_media_socket(link, channel, feed, connection)

    def jobs(self) -> Iterable[Job]:
        """Tell which calls go first, and how the recogniser keeps up."""
        return [] if self._pool is None else [Job("recogniser", self._watch)]

    async def _watch(self) -> None:
        assert self._pool is not None
        hub, telephony = self._runtime.get(Hub), self._runtime.get(Telephony)
        told: Recogniser | None = None
        while True:
            desks = {client.audience.agent for client in hub.clients if client.audience.agent}
            self._pool.focus(call.id for call in telephony.live_calls() if call.agent in desks)
            state = self._pool.state()
            if state != told:
                told = state
                self._facts.record(RecogniserChanged(at=clock.now(), recogniser=state))
            await asyncio.sleep(LOOK_EVERY_S)

    def checks(self) -> Iterable[ReadinessCheck]:
        """The model is loaded."""
        return [self._check]

    async def _check(self) -> Check:
        if self._pool is None:
            return Check("asr", True, "switched off")
        if failures := self._pool.failures:
            down = "; ".join(f"{slot}: {why}" for slot, why in sorted(failures.items()))
            return Check("asr", False, f"{down} (the log says more)")
        ready = self._pool.ready
        return Check("asr", ready, "" if ready else "the speech model is still loading")

    def metrics(self) -> Iterable[Metric]:
        """How speech recognition keeps up."""
        return () if self._pool is None else recogniser_metrics(self._pool)
