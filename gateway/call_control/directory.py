"""The directory of colleagues, lines and units with their current state. Implements the web's port."""

from collections.abc import Callable, Sequence
from functools import cached_property

from domain.directory import Directory, DirectoryAgent, DirectoryLine, DirectoryUnit
from domain.queues import AgentState
from gateway.call_control.view import View
from gateway.settings import Settings
from workorders.directories.reference import Unit
from workorders.directories.syllables import typed_forms


class LiveDirectory:
    """Combines names from the configuration and the unit directory with states from the PBX."""

    def __init__(self, settings: Settings, units: Sequence[Unit], look: Callable[[], View]) -> None:
        self._settings = settings
        self._units = units
        self._look = look

    def now(self) -> Directory:
        """Return everybody a call can be transferred to."""
        view = self._look()
        states = {agent: status.state for agent, status in view.agents.items()}
        waiting: dict[str, int] = {}
        for queue in view.queues.values():
            waiting[queue.name] = waiting.get(queue.name, 0) + len(queue.waiting)
        available: dict[str, int] = {}
        for status in view.agents.values():
            for name in status.queues if status.state is AgentState.AVAILABLE else ():
                available[name] = available.get(name, 0) + 1
        return Directory(
            agents=tuple(
                DirectoryAgent(
                    agent.id,
                    agent.name,
                    states.get(agent.id, AgentState.LOGGED_OUT),
                    tuple(agent.lines),
                    self._typed[agent.id],
                )
                for agent in self._settings.agents
            ),
            lines=tuple(
                DirectoryLine(
                    line.id,
                    line.name,
                    line.queue,
                    waiting.get(line.queue, 0),
                    available.get(line.queue, 0),
                    self._typed[line.queue],
                )
                for line in self._settings.lines
            ),
            units=self._reachable,
        )

    @cached_property
    def _typed(self) -> dict[str, str]:
        people = {agent.id: f"{agent.id} {typed_forms(agent.name)}" for agent in self._settings.agents}
        lines = {line.queue: f"{line.id} {typed_forms(line.name)}" for line in self._settings.lines}
        return people | lines

    @cached_property
    def _reachable(self) -> tuple[DirectoryUnit, ...]:
        return tuple(
            DirectoryUnit(
                unit.name,
                unit.phone,
                " ".join((unit.phone, *map(typed_forms, (unit.name, *unit.aliases)))),
            )
            for unit in self._units
            if unit.phone
        )
