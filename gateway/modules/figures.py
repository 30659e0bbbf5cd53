"""The day's figures of queues and agents."""

from collections.abc import Callable, Iterable

from agents.figures.service import FiguresService
from domain.facts import AnyFact
from gateway import clock
from gateway.facts.recorder import FactRecorder
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.checkpoints import CheckpointRepository
from gateway.storage.journal_reader import JournalReader
from gateway.supervision import Job


class FiguresModule(Module):
    """Takes the day's figures over from the journal and keeps them up."""

    name = "figures"
    needs = (JournalReader, CheckpointRepository, FactRecorder)

    async def open(self, runtime: Runtime) -> None:
        """Provide the `FiguresService`, rebuilt before anything new happens."""
        settings = runtime.settings
        lines = [line.model() for line in settings.lines]
        self._figures = FiguresService(lines, settings.timezone, runtime.get(FactRecorder), clock.now)
        await self._figures.rebuild(runtime.get(JournalReader), runtime.get(CheckpointRepository))
        runtime.on_stop(self._figures.store_last)
        runtime.provide(self._figures)

    def listeners(self) -> Iterable[Callable[[AnyFact], None]]:
        """Every fact is folded in."""
        return [self._figures.today.apply]

    def jobs(self) -> Iterable[Job]:
        """What has changed is told once a second; a checkpoint is stored once a minute."""
        return [Job("figures", self._figures.run), Job("figures checkpoint", self._figures.store)]
