"""A module: one capability of the gateway, whole. `gateway/app.py` lists them."""

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from fastapi import APIRouter
from prometheus_client.core import Metric

from domain.facts import AnyFact
from gateway.facts.consumers import Consumer
from gateway.health import ReadinessCheck
from gateway.runtime import Runtime
from gateway.supervision import Job
from gateway.web.access import Access
from gateway.web.exports import Exporter


class Module:
    """One capability: what it needs, and all that it adds to the gateway. Override what it has.

    The methods are called once each, in this order: `open`, then the others when every module is open.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[type, ...]] = ()
    """Services (by type) that modules listed before it must have provided."""

    async def open(self, runtime: Runtime) -> None:
        """Make its services from the settings, `provide` them, `enter` what must be left again."""

    def listeners(self) -> Iterable[Callable[[AnyFact], None]]:
        """Functions that see every fact at once, in order. They must not wait."""
        return ()

    def consumers(self) -> Mapping[type[AnyFact], Consumer]:
        """Work that facts cause, by type of fact."""
        return {}

    def jobs(self) -> Iterable[Job]:
        """Background work."""
        return ()

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """Its part of the HTTP API."""
        return ()

    def exports(self, exporter: Exporter) -> None:
        """Add its tables to the exports."""

    def checks(self) -> Iterable[ReadinessCheck]:
        """What must be well for the gateway to be ready."""
        return ()

    def metrics(self) -> Iterable[Metric]:
        """What Prometheus scrapes; called at every scrape."""
        return ()


class ModuleError(Exception):
    """The list of modules does not fit together."""


async def open_modules(modules: Iterable[Module], runtime: Runtime) -> None:
    """Open the modules in order.

    Raises:
        ModuleError: one needs a service that none before it provides.
    """
    for module in modules:
        missing = [kind.__qualname__ for kind in module.needs if runtime.find(kind) is None]
        if missing:
            raise ModuleError(
                f"module {module.name} needs {', '.join(missing)}: list a module that provides it before"
            )
        await module.open(runtime)
