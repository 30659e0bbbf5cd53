"""Work that facts cause: consumers, registered by the type of fact they want."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import structlog

from domain.facts import AnyFact, UtteranceHeard
from gateway.facts.bus import LocalBus

log = structlog.get_logger(__name__)

Consumer = Callable[[Any], Awaitable[None]]
"""Acts on one fact of the type it is registered for. An error is logged and stops nobody else."""


class Consumers:
    """Facts in order of publication, each to its consumers in order of registration.

    Partial texts of utterances pass by: nothing is done about them.
    """

    def __init__(self) -> None:
        self._of_type: dict[type[AnyFact], list[Consumer]] = {}

    def register(self, fact: type[AnyFact], consumer: Consumer) -> None:
        """Let `consumer` act on every fact of that type."""
        self._of_type.setdefault(fact, []).append(consumer)

    def follow(self, bus: LocalBus) -> AsyncIterator[AnyFact]:
        """The facts that somebody is registered for, from now on."""
        return bus.subscribe(self._wants)

    async def run(self, facts: AsyncIterator[AnyFact]) -> None:
        """Hand out facts until cancelled."""
        async for fact in facts:
            for consumer in self._of_type.get(type(fact), ()):
                try:
                    await consumer(fact)
                except Exception:
                    # One call's trouble is not another's: it is logged, and the next consumer is called.
                    log.exception("fact_not_handled", fact=type(fact).__name__)

    def _wants(self, fact: AnyFact) -> bool:
        if isinstance(fact, UtteranceHeard) and not fact.utterance.final:
            return False
        return type(fact) in self._of_type

    def types(self) -> Iterable[type[AnyFact]]:
        """The types that somebody is registered for."""
        return self._of_type
