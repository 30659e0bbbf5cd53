"""Live audio: when an agent answers, two listeners are set on the call, one a leg, until the talk ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol
from uuid import UUID, uuid4

import structlog

from asr.answer_hints import AnswerHints
from asr.audiosocket import AudioSocketServer, FrameSink
from asr.engine import EngineRequest
from asr.live import LiveLeg
from asr.mediasocket import MediaSocketServer
from asr.pool import EnginePool
from domain.calls import Call, CallState, Side
from domain.facts import Recorder, UtteranceHeard
from domain.pbx.errors import PbxError
from domain.recordings import Span
from domain.transcripts import Utterance

log = structlog.get_logger(__name__)

SETTLE_S = 120.0
"""How long the rest of a leg may take after the call before the recording is used instead."""


Listen = Callable[[Call, str, UUID], Awaitable[None]]
"""Has the PBX of the call send what is said on a channel as the audio stream of that id. Raises PbxError."""


class HeardSpans(Protocol):
    """Port: the spans of call time that have been transcribed, besides those of the utterances stored."""

    async def add_heard(self, call_id: str, side: Side, spans: Sequence[Span]) -> None: ...


class LiveTranscription:
    """Sets listeners, receives their audio, publishes what was heard."""

    def __init__(
        self,
        pool: EnginePool,
        facts: Recorder,
        heard: HeardSpans,
        listen: Listen,
        *,
        hints: AnswerHints,
        request: Callable[[Call], EngineRequest] = lambda _: EngineRequest(),
        partials: bool = True,
        clock: Callable[[], float] = time.time,
        settle_s: float = SETTLE_S,
    ) -> None:
        """`clock` is the one that calls are dated by.

        `request` gives what a call's line wants of the engine: its hot words, its prompt. `hints`
        hears what agents ask. `settle_s`: as `SETTLE_S`.
        """
        self._settle_s = settle_s
        self._pool = pool
        self._clock = clock
        self._request = request
        self._hints = hints
        self._partials = partials
        self._facts = facts
        self._heard = heard
        self._listen_to = listen
        self._expected: dict[UUID, LiveLeg] = {}
        self._legs: dict[tuple[str, Side, str], LiveLeg] = {}

    def server(self, host: str, port: int) -> AudioSocketServer:
        """The AudioSocket server that hands each stream to its leg."""
        return AudioSocketServer(host, port, self._accept)

    def media_server(self, host: str, port: int) -> MediaSocketServer:
        """The same for PBXs that send live audio by websocket."""
        return MediaSocketServer(host, port, self._accept)

    def _accept(self, feed: UUID) -> FrameSink | None:
        return self._expected.pop(feed, None)

    async def start(self, call: Call, agent_channel: str) -> None:
        """Listen to the caller and to the agent on `agent_channel`; what is already heard is not twice."""
        caller = call.caller_leg
        channels = [(Side.AGENT, agent_channel)]
        if caller is not None:
            channels.append((Side.CALLER, caller.channel))
        for side, channel in channels:
            if (call.id, side, channel) not in self._legs:
                await self._listen(call, side, channel)

    async def _listen(self, call: Call, side: Side, channel: str) -> None:
        began, usual = call.started_at, self._request(call)

        async def heard(utterance: Utterance, spans: list[Span]) -> None:
            self._hints.heard(utterance)
            self._facts.record(UtteranceHeard(at=self._clock(), utterance=utterance))
            # The words are stored together with their own stretch; this adds the silence around them.
            await self._facts.flush()
            await self._heard.add_heard(call.id, side, spans)

        def partial(utterance: Utterance) -> None:
            # For the screens alone: no order is filled from it, and it is not kept.
            self._facts.record(UtteranceHeard(at=self._clock(), utterance=utterance))

        leg = LiveLeg(
            self._pool,
            call.id,
            side,
            lambda: self._clock() - began,
            heard,
            on_partial=partial if self._partials else None,
            request=lambda begin: self._hints.request(call.id, side, begin, usual),
        )
        if call.state is CallState.HELD:
            leg.mute(0.0)
        feed = uuid4()
        self._expected[feed] = leg
        self._legs[call.id, side, channel] = leg
        try:
            await self._listen_to(call, channel, feed)
        except PbxError as error:
            # The recording is still made; what is not heard live is transcribed from it.
            log.warning("live_audio_refused", call=call.id, side=side.value, error=str(error))
            self._expected.pop(feed, None)
            self._legs.pop((call.id, side, channel), None)

    def hold(self, call: Call, at: float) -> None:
        """The call was put on hold or taken back at the instant `at`: while held, it is not listened to.

        What sounds then is music, or somebody who is not talking to the other side.
        """
        held, offset = call.state is CallState.HELD, at - call.started_at
        for (call_id, _, _), leg in self._legs.items():
            if call_id == call.id:
                (leg.mute if held else leg.unmute)(offset)

    async def finish(self, call_id: str) -> None:
        """The call is over: wait until what is still being transcribed is stored, and what was heard."""
        mine = [key for key in self._legs if key[0] == call_id]
        for key in mine:
            leg = self._legs.pop(key)
            try:
                spans = await asyncio.wait_for(leg.close(), self._settle_s)
            except TimeoutError:
                # What it has not said by now the recording says: it must not say it after all.
                leg.abandon()
                log.warning("live_transcription_too_slow", call=call_id, side=key[1].value)
                continue
            await self._heard.add_heard(call_id, key[1], spans)
        # Whatever a leg said last counts before anybody looks for what was not heard.
        await self._facts.flush()
