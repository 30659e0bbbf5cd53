"""Work that facts cause: consumers, registered by the type of fact they want; one lane for each call."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog

from domain.facts import RECOVERED, RESYNC, AnyFact, CallUpdated, UtteranceHeard, call_id_of
from gateway.facts.bus import LocalBus

log = structlog.get_logger(__name__)

Consumer = Callable[[Any], Awaitable[None]]
"""Acts on one fact of the type it is registered for. An error is logged and stops nobody else."""

LANE = 200
"""So many facts of one call wait at most: beyond, the oldest that can be spared is left out."""
CONSUMER_S = 120.0
"""No consumer is waited for longer: whatever it waits for, its call's other facts have their turn."""


def can_be_spared(fact: AnyFact) -> bool:
    """Whether later facts, and the database, make up for one that is not handed out.

    A call found again after a loss is not told a second time: listening begins anew on that word.
    """
    if isinstance(fact, CallUpdated):
        return fact.what not in (RESYNC, RECOVERED)
    return isinstance(fact, UtteranceHeard)


class Consumers:
    """Hands facts to their consumers, in order of publication and of registration, call by call.

    Each call has a lane of its own: the PBX, model or database row that one call waits for holds up no other
    call. A lane is bounded in length and each of its consumers in time, and what is left out or given up is
    reported. Facts of no call share a lane. Partial texts of utterances are not handed out.
    """

    def __init__(self) -> None:
        self._of_type: dict[type[AnyFact], list[Consumer]] = {}
        self._lanes: dict[str, deque[AnyFact]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.left_out = 0
        """Facts that were not handed out, for too many waited."""

    def register(self, fact: type[AnyFact], consumer: Consumer) -> None:
        """Let `consumer` act on every fact of that type."""
        self._of_type.setdefault(fact, []).append(consumer)

    def follow(self, bus: LocalBus) -> AsyncIterator[AnyFact]:
        """The facts that somebody is registered for, from now on."""
        return bus.subscribe(self._wants)

    async def run(self, facts: AsyncIterator[AnyFact]) -> None:
        """Hand out facts until cancelled."""
        try:
            async for fact in facts:
                self._hand_out(fact)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def waiting(self) -> int:
        """Facts that are not handled yet."""
        return sum(len(lane) for lane in self._lanes.values())

    def _hand_out(self, fact: AnyFact) -> None:
        call_id = call_id_of(fact) or ""
        lane = self._lanes.get(call_id)
        if lane is not None:
            lane.append(fact)
            if len(lane) > LANE:
                self._spare_one(call_id, lane)
            return
        lane = self._lanes[call_id] = deque([fact])
        task = asyncio.create_task(self._drain(call_id, lane), name=f"facts of {call_id or 'no call'}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _spare_one(self, call_id: str, lane: deque[AnyFact]) -> None:
        spared = next((index for index, fact in enumerate(lane) if can_be_spared(fact)), None)
        if spared is None:
            log.error("facts_wait", call=call_id, facts=len(lane))
            return
        self.left_out += 1
        log.error("fact_left_out", call=call_id, fact=type(lane[spared]).__name__, waiting=len(lane))
        del lane[spared]

    async def _drain(self, call_id: str, lane: deque[AnyFact]) -> None:
        try:
            while lane:
                fact = lane.popleft()
                for consumer in self._of_type.get(type(fact), ()):
                    try:
                        async with asyncio.timeout(CONSUMER_S):
                            await consumer(fact)
                    except Exception:
                        # The next consumer is called all the same.
                        log.exception("fact_not_handled", fact=type(fact).__name__, call=call_id)
        finally:
            # Nothing was awaited since the lane was found empty: no fact can have come between.
            del self._lanes[call_id]

    def _wants(self, fact: AnyFact) -> bool:
        if isinstance(fact, UtteranceHeard) and not fact.utterance.final:
            return False
        return type(fact) in self._of_type
