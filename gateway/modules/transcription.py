"""Live transcription: calls are listened to from the moment an agent answers."""

from collections.abc import Mapping

from asr.live_transcription import LiveTranscription
from domain.facts import RECOVERED, RESYNC, AnyFact, CallAnswered, CallHeld, CallUpdated
from gateway.facts.consumers import Consumer
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.telephony import Telephony


class TranscriptionModule(Module):
    """Starts, pauses and resumes live transcription as calls change."""

    name = "transcription"
    needs = (Telephony,)

    async def open(self, runtime: Runtime) -> None:
        """Nothing to do where live transcription is switched off."""
        live = runtime.settings.asr.live
        self._transcription = runtime.find(LiveTranscription) if live else None

    def consumers(self) -> Mapping[type[AnyFact], Consumer]:
        """Listen when an agent answers, not while the call is held, and again after a loss."""
        if self._transcription is None:
            return {}
        return {
            CallAnswered: self._on_call_answered,
            CallHeld: self._on_call_held,
            CallUpdated: self._on_call_updated,
        }

    async def _on_call_answered(self, fact: CallAnswered) -> None:
        assert self._transcription is not None
        # Agents among themselves, or calling out: no work order, nothing to transcribe live. Nor is what
        # the caller says to somebody else than an agent.
        if fact.call.has_work_order and fact.agent is not None:
            await self._transcription.start(fact.call, fact.channel)

    async def _on_call_held(self, fact: CallHeld) -> None:
        assert self._transcription is not None
        self._transcription.hold(fact.call, fact.at)

    async def _on_call_updated(self, fact: CallUpdated) -> None:
        assert self._transcription is not None
        if fact.what not in (RESYNC, RECOVERED) or not fact.call.has_work_order:
            return
        running = next((t for t in fact.call.conversations if t.ended_at is None and t.with_agent), None)
        if running is not None:
            await self._transcription.start(fact.call, running.channel)
