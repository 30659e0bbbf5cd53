"""Figures for Prometheus, read from the running gateway when asked; nothing is counted twice."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.storage.journal import JournalWriter

if TYPE_CHECKING:
    from gateway.app import Running


class Metrics(Collector):
    """The registry of one gateway."""

    def __init__(self, running: "Running", journal: JournalWriter) -> None:
        self._running = running
        self._journal = journal
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """What Prometheus scrapes."""
        up = GaugeMetricFamily("hotline_pbx_up", "1 while the link to the PBX is up", labels=["pbx"])
        events = CounterMetricFamily("hotline_pbx_events", "PBX events folded", labels=["pbx"])
        live = GaugeMetricFamily("hotline_calls_live", "Calls going on", labels=["pbx", "state"])
        for name, picture in self._running.pictures.items():
            up.add_metric([name], float(picture.link.phase == "up"))
            events.add_metric([name], picture.events)
            states: dict[str, int] = {}
            for call in picture.live_calls:
                states[call.state.value] = states.get(call.state.value, 0) + 1
            for state, count in states.items():
                live.add_metric([name, state], count)
        yield from (up, events, live)
        yield CounterMetricFamily("hotline_journal_facts", "Facts committed", value=self._journal.written)
        yield GaugeMetricFamily(
            "hotline_journal_backlog", "Facts not committed yet", value=self._journal.backlog
        )
        yield GaugeMetricFamily(
            "hotline_calls_finishing", "Calls over, not yet finished", value=self._running.finishing.backlog
        )
