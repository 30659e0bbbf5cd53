"""What is done after the hang-up: recording, transcript, order."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import structlog
from fastapi import APIRouter
from prometheus_client.core import GaugeMetricFamily, Metric

from asr.answer_hints import AnswerHints
from asr.live_transcription import LiveTranscription
from asr.pool import EnginePool
from domain.facts import AnyFact, CallEnded
from domain.unfinished import UnfinishedCall
from gateway.facts.consumers import Consumer
from gateway.facts.recorder import FactRecorder
from gateway.module import Module
from gateway.modules.recogniser import SpeechRequests
from gateway.post_call import PostCall
from gateway.runtime import Runtime
from gateway.storage.calls import CallRepository
from gateway.storage.command_log import CommandRepository
from gateway.supervision import Job
from gateway.telephony import Telephony
from gateway.web.access import Access
from gateway.web.auditing import note_into
from gateway.web.routes import unfinished
from recordings.takeover import Archive
from workorders.service import OrderService

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 30.0


class PostCallModule(Module):
    """Finishes every call that had a conversation, also those an earlier run left unfinished."""

    name = "post_call"
    needs = (
        Telephony,
        Archive,
        OrderService,
        FactRecorder,
        CallRepository,
        CommandRepository,
        AnswerHints,
        SpeechRequests,
    )

    async def open(self, runtime: Runtime) -> None:
        """Stop where it stands when the gateway stops; the next start goes on."""
        self._calls, self._audit = runtime.get(CallRepository), runtime.get(CommandRepository)
        self._post_call = PostCall(
            runtime.get(Telephony).pbxs,
            runtime.get(Archive),
            runtime.find(EnginePool),
            runtime.find(LiveTranscription),
            runtime.get(OrderService),
            runtime.get(FactRecorder),
            self._calls,
            runtime.get(AnswerHints),
            runtime.get(SpeechRequests).of,
        )
        runtime.on_stop(self._post_call.stop)
        await self._calls.release_finish(runtime.former_holders)

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/unfinished-calls`."""
        return [unfinished.router(access, self, note_into(self._audit))]

    async def lacking(self, limit: int) -> Sequence[UnfinishedCall]:
        """The calls that lack something, newest first."""
        return await self._calls.lacking(limit)

    async def retry(self, call_id: str | None = None) -> Sequence[str]:
        """Take up at once what lacks something, one call or all; the ids."""
        opened = await self._calls.retry_finish(call_id)
        await self._post_call.resume()
        return opened

    def consumers(self) -> Mapping[type[AnyFact], Consumer]:
        """A call that is over is finished."""
        return {CallEnded: self._on_call_ended}

    async def _on_call_ended(self, fact: CallEnded) -> None:
        if fact.call.needs_post_call:
            self._post_call.begin(fact.call)

    def jobs(self) -> Iterable[Job]:
        """Take up what an earlier run left, and what `hotline calls retry` opened again."""
        return [Job("post-call resume", self._resume)]

    async def _resume(self) -> None:
        while True:
            if reopened := await self._post_call.resume():
                log.info("resumed_unfinished_calls", calls=reopened)
            await asyncio.sleep(LOOK_EVERY_S)

    def metrics(self) -> Iterable[Metric]:
        """How many calls wait."""
        waiting = self._post_call.backlog
        yield GaugeMetricFamily("hotline_calls_finishing", "Calls over, not yet finished", value=waiting)
