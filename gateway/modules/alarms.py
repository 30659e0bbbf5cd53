"""Alarms for supervisors."""

from collections.abc import Callable, Iterable

from agents.alarms.service import AlarmService
from domain.facts import AnyFact
from gateway import clock
from gateway.facts.recorder import FactRecorder
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.order_status import OrderStatusRepository
from gateway.storage.orders import OrderRepository
from gateway.supervision import Job


class AlarmsModule(Module):
    """Judges the configured threshold rules on every fact."""

    name = "alarms"
    needs = (FactRecorder, OrderRepository, OrderStatusRepository)

    async def open(self, runtime: Runtime) -> None:
        """Make the rules."""
        rules = [rule.model() for rule in runtime.settings.alarms]
        orders = runtime.get(OrderRepository)
        self._alarms = AlarmService(
            rules,
            runtime.get(FactRecorder),
            orders.unsubmitted_orders,
            runtime.get(OrderStatusRepository).open_deadlines,
            clock.now,
        )

    def listeners(self) -> Iterable[Callable[[AnyFact], None]]:
        """Every fact is measured."""
        return [self._alarms.rules.apply]

    def jobs(self) -> Iterable[Job]:
        """The rules are judged once a second."""
        return [Job("alarms", self._alarms.run)]
