"""How facts travel inside the process: what a room may count on, not how it is done."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from gateway.models.facts import AnyFact


class Bus(Protocol):
    """Facts in order of publication. A slow subscriber is never waited for by the publisher."""

    def publish(self, fact: AnyFact) -> None: ...

    def subscribe(self, wants: Callable[[AnyFact], bool] | None = None) -> AsyncIterator[AnyFact]: ...
