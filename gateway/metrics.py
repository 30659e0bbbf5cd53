"""Figures for Prometheus, read from the running gateway when asked; nothing is counted twice."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from asr.pool import EnginePool
from asr.schedule import Urgency
from domain.recogniser import Load
from gateway.storage.journal import JournalWriter

if TYPE_CHECKING:
    from gateway.runtime import Runtime


class Metrics(Collector):
    """The registry of one gateway."""

    def __init__(self, running: "Runtime", journal: JournalWriter) -> None:
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
        for name, picture in self._running.pbx_states.items():
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
        if self._running.pool is not None:
            yield from recogniser_metrics(self._running.pool)


def recogniser_metrics(pool: EnginePool) -> Iterable[Metric]:
    """How speech recognition keeps up."""
    state, stats = pool.state(), pool.stats
    latency = "From the end of speech to its final text, live calls"
    queue = GaugeMetricFamily("hotline_asr_queue", "Stretches of speech that wait", labels=["urgency"])
    for urgency in Urgency:
        queue.add_metric([urgency.name.lower()], pool.waiting(urgency))
    load = GaugeMetricFamily("hotline_asr_load", "1 for how the recogniser keeps up now", labels=["load"])
    for one in Load:
        load.add_metric([one.value], float(one is state.load))
    yield from (queue, load)
    for name, text, histogram in (
        (
            "hotline_asr_latency_seconds",
            latency,
            stats.latency,
        ),
        ("hotline_asr_wait_seconds", "For how long an ended utterance waits for a worker", stats.wait),
        ("hotline_asr_compute_seconds", "For how long its worker computes", stats.compute),
    ):
        yield HistogramMetricFamily(name, text, buckets=histogram.cumulative(), sum_value=histogram.total)
    for name, text, value in (
        (
            "hotline_asr_lag_seconds",
            "For how long the oldest final utterance of a live call waits",
            state.lag,
        ),
        ("hotline_asr_ready", "1 while a worker with a loaded model is there", float(state.ready)),
    ):
        yield GaugeMetricFamily(name, text, value=value)
    for name, text, value in (
        ("hotline_asr_partials_dropped", "Partial texts dropped for want of time", state.partials_dropped),
        ("hotline_asr_stretches", "Stretches of speech transcribed, of any kind", stats.stretches),
        ("hotline_asr_batches", "Times the engine was asked", stats.batches),
        ("hotline_asr_audio_seconds", "Seconds of speech transcribed, of any kind", stats.audio_s),
        ("hotline_asr_busy_seconds", "Seconds the workers computed", stats.busy_s),
        ("hotline_asr_ahead", "Texts asked for when silence began, on trust", stats.ahead),
        ("hotline_asr_ahead_kept", "Of these, those that became the final text", stats.ahead_kept),
        ("hotline_asr_workers_lost", "Workers that crashed, hung or spoke nonsense", stats.workers_lost),
    ):
        yield CounterMetricFamily(name, text, value=value)
