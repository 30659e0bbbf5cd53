"""What Prometheus is told of the recogniser, from a pool at work."""

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from asr.config import AsrConfig
from asr.pool import EnginePool
from gateway.metrics import recogniser_metrics


class OfPool(Collector):
    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    def collect(self):  # type: ignore[no-untyped-def]
        return recogniser_metrics(self._pool)


async def test_a_pool_at_work_is_told() -> None:
    registry = CollectorRegistry()
    async with EnginePool(AsrConfig(model="loud"), "tests.support.engines:Loud") as pool:
        registry.register(OfPool(pool))
        await pool.wait_ready(20)
        await pool.transcribe(np.full(32_000, 0.1, dtype=np.float32))
        for seconds in (0.3, 0.8, 40.0):
            pool.stats.latency.observe(seconds)
        lines = generate_latest(registry).decode().splitlines()
    told = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert told['hotline_asr_load{load="normal"}'] == "1.0"
    assert told['hotline_asr_queue{urgency="final"}'] == "0.0"
    assert told["hotline_asr_stretches_total"] == "1.0"
    assert told["hotline_asr_audio_seconds_total"] == "2.0"
    assert told["hotline_asr_ready"] == "1.0"
    assert told["hotline_asr_wait_seconds_count"] == "1.0"
    assert told["hotline_asr_compute_seconds_count"] == "1.0"
    assert told['hotline_asr_latency_seconds_bucket{le="0.5"}'] == "1.0"
    assert told['hotline_asr_latency_seconds_bucket{le="1.0"}'] == "2.0"
    assert told['hotline_asr_latency_seconds_bucket{le="+Inf"}'] == "3.0"
    assert told["hotline_asr_latency_seconds_count"] == "3.0"
