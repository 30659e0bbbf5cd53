"""The in-process bus: facts to every subscriber, in order; nobody waits for anybody."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from domain.facts import AnyFact

Listener = Callable[[AnyFact], None]


class LocalBus:
    """Publishes facts to listeners (called at once, must not block) and to subscribers (their own queues)."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._subscribers: list[_Subscription] = []

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every fact, in the order of publication."""
        self._listeners.append(listener)

    def publish(self, fact: AnyFact) -> None:
        """Tell everybody."""
        for listener in self._listeners:
            listener(fact)
        for subscription in self._subscribers:
            subscription.put(fact)

    def subscribe(self, wants: Callable[[AnyFact], bool] | None = None) -> AsyncIterator[AnyFact]:
        """Facts from now on; only those that `wants` says yes to."""
        subscription = _Subscription(wants)
        self._subscribers.append(subscription)
        return self._facts(subscription)

    async def _facts(self, subscription: "_Subscription") -> AsyncIterator[AnyFact]:
        try:
            while True:
                yield await subscription.get()
        finally:
            self._subscribers.remove(subscription)


class _Subscription:
    def __init__(self, wants: Callable[[AnyFact], bool] | None) -> None:
        self._wants = wants
        self._facts: deque[AnyFact] = deque()
        self._arrived = asyncio.Event()

    def put(self, fact: AnyFact) -> None:
        if self._wants is None or self._wants(fact):
            self._facts.append(fact)
            self._arrived.set()

    async def get(self) -> AnyFact:
        while not self._facts:
            self._arrived.clear()
            await self._arrived.wait()
        return self._facts.popleft()
