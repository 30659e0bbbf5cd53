"""The queues of one PBX: who waits in which place, and how many agents serve. Pure."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from domain.facts import AnyFact, QueueChanged
from domain.lines import Line
from domain.queues import Queue, Waiting


class WaitingCallers:
    """Queues by name; every change is a `QueueChanged`."""

    def __init__(self, pbx: str, lines: Sequence[Line]) -> None:
        self._pbx = pbx
        self._line_of: Mapping[str, str] = {line.queue: line.id for line in lines}
        self.queues: dict[str, Queue] = {
            line.queue: Queue(name=line.queue, pbx=pbx, line=line.id) for line in lines
        }

    def join(self, at: float, queue: str, waiting: Waiting) -> list[AnyFact]:
        """A caller starts waiting."""
        return self.set_waiting(at, queue, (*self._others(queue, waiting.uniqueid), waiting))

    def leave(self, at: float, queue: str, uniqueid: str) -> list[AnyFact]:
        """A caller is no longer waiting; those behind move up."""
        return self.set_waiting(at, queue, self._others(queue, uniqueid))

    def set_waiting(self, at: float, queue: str, waiting: Sequence[Waiting]) -> list[AnyFact]:
        """Replace all who wait in a queue."""
        ranked = sorted(waiting, key=lambda one: (one.position, one.since))
        placed = tuple(
            one if one.position == place else structs.replace(one, position=place)
            for place, one in enumerate(ranked, 1)
        )
        before = self._queue(queue)
        return self._put(at, structs.replace(before, waiting=placed, waiting_total=len(placed)))

    def set_agents(self, at: float, queue: str, count: int) -> list[AnyFact]:
        """So many agents are logged in to the queue."""
        return self._put(at, structs.replace(self._queue(queue), agents=count))

    def _put(self, at: float, queue: Queue) -> list[AnyFact]:
        if self.queues.get(queue.name) == queue:
            return []
        self.queues[queue.name] = queue
        return [QueueChanged(at=at, queue=queue)]

    def _others(self, queue: str, uniqueid: str) -> tuple[Waiting, ...]:
        return tuple(one for one in self._queue(queue).waiting if one.uniqueid != uniqueid)

    def _queue(self, name: str) -> Queue:
        return self.queues.get(name) or Queue(name=name, pbx=self._pbx, line=self._line_of.get(name))
