"""The stream: what the screens show, live."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from domain.facts import RESYNC, AnyFact, CallUpdated, OrderChanged, UtteranceHeard
from gateway import clock
from gateway.facts.consumers import Consumer
from gateway.facts.recorder import FactRecorder
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.calls import CallRepository
from gateway.storage.orders import OrderRepository
from gateway.stream.hub import Hub
from gateway.stream.state import LiveView
from gateway.supervision import Job
from gateway.web.exports import Exporter
from gateway.web.routes import exports

TICK_S = 1.0


class StreamModule(Module):
    """Provides the `LiveView` and its `Hub`, fed with every fact; `gateway/app.py` serves them."""

    name = "stream"
    needs = (FactRecorder, CallRepository, OrderRepository)

    async def open(self, runtime: Runtime) -> None:
        """Nothing is known yet: facts fill the view."""
        self._calls, self._orders = runtime.get(CallRepository), runtime.get(OrderRepository)
        self._view = LiveView()
        self._hub = Hub(self._view)
        runtime.provide(self._view, self._hub)

    def listeners(self) -> Iterable[Callable[[AnyFact], None]]:
        """Every fact changes what is shown."""
        return [self._hub.publish]

    def consumers(self) -> Mapping[type[AnyFact], Consumer]:
        """A call that was found going on shows what was said and written before."""
        return {CallUpdated: self._on_call_updated}

    async def _on_call_updated(self, fact: CallUpdated) -> None:
        if fact.what != RESYNC or not fact.call.has_work_order:
            return
        said = await self._calls.list_utterances(fact.call.id)
        written = await self._orders.orders_of_call(fact.call.id)
        # What came meanwhile is newer: only what is not there yet is shown.
        shown = self._view.items.known
        if not shown(("calls", fact.call.id)):
            return
        for utterance in said:
            if not shown(("transcripts", utterance.id)):
                self._hub.publish(UtteranceHeard(at=fact.at, utterance=utterance))
        for order in written:
            if not shown(("orders", order.id)):
                self._hub.publish(OrderChanged(at=order.updated_at, order=order, changed=()))

    def jobs(self) -> Iterable[Job]:
        """What is over leaves the screens after a while."""
        return [Job("tick", self._tick)]

    async def _tick(self) -> None:
        while True:
            self._hub.tick(clock.now())
            await asyncio.sleep(TICK_S)

    def exports(self, exporter: Exporter) -> None:
        """Agents and queues now."""
        exports.live(exporter, self._view.values)
