"""The stream: what the screens show, live."""

import asyncio
from collections.abc import Callable, Iterable

from domain.facts import AnyFact
from gateway import clock
from gateway.facts.recorder import FactRecorder
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.stream.hub import Hub
from gateway.stream.state import LiveView
from gateway.supervision import Job
from gateway.web.exports import Exporter
from gateway.web.routes import exports

TICK_S = 1.0


class StreamModule(Module):
    """Provides the `LiveView` and its `Hub`, fed with every fact; `gateway/app.py` serves them."""

    name = "stream"
    needs = (FactRecorder,)

    async def open(self, runtime: Runtime) -> None:
        """Nothing is known yet: facts fill the view."""
        self._view = LiveView()
        self._hub = Hub(self._view)
        runtime.provide(self._view, self._hub)

    def listeners(self) -> Iterable[Callable[[AnyFact], None]]:
        """Every fact changes what is shown."""
        return [self._hub.publish]

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
