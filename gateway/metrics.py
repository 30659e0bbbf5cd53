"""Metrics for Prometheus, read from the modules at every scrape: nothing is counted twice."""

from collections.abc import Callable, Iterable, Sequence

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

Source = Callable[[], Iterable[Metric]]


class _Sources(Collector):
    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        for source in self._sources:
            yield from source()


def registry_of(sources: Sequence[Source]) -> CollectorRegistry:
    """A registry of these sources, of the process and of the platform."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(_Sources(sources))
    return registry


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
