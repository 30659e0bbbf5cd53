"""One deadline for each agent, the earliest first. Pure."""

import heapq
from collections.abc import Iterator


class Deadlines:
    """When something about an agent is due. A moved deadline leaves a stale entry, skipped later."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._of: dict[str, float] = {}
        """The deadline that counts for each agent."""

    def set(self, agent: str, due: float | None) -> None:
        """Set the agent's deadline; `None` removes it."""
        if due is None:
            self._of.pop(agent, None)
        elif self._of.get(agent) != due:
            self._of[agent] = due
            heapq.heappush(self._heap, (due, agent))

    @property
    def next(self) -> float | None:
        """The earliest entry, which may be a stale one; `None`: there is none."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Iterator[str]:
        """Remove and yield the agents whose deadline has come; the cost depends on what is due alone."""
        while self._heap and self._heap[0][0] <= now:
            at, agent = heapq.heappop(self._heap)
            if self._of.get(agent) == at:
                del self._of[agent]
                yield agent

    def clear(self) -> None:
        """Forget all deadlines."""
        self._heap.clear()
        self._of.clear()
