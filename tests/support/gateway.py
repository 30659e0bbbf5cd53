"""A gateway inside the test's own process, on real PBXs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.app import run_gateway
from gateway.runtime import Runtime
from gateway.settings import AsrSettings, PbxSettings, Settings
from gateway.settings.orders import WorkOrderEndpoint


@asynccontextmanager
async def gateway_on(
    settings: Settings, pbxs: Sequence[PbxSettings], data: Path, workorders: Sequence[WorkOrderEndpoint] = ()
) -> AsyncIterator[Runtime]:
    """The whole gateway on spare ports, without recogniser, and with these work-order systems."""
    changes = {
        "data_dir": data,
        "http": settings.http.model_copy(update={"port": 0, "stream_port": 0}),
        "pbx": list(pbxs),
        "agi": settings.agi.model_copy(update={"port": 0}),
        "audiosocket": settings.audiosocket.model_copy(update={"port": 0}),
        "asr": AsrSettings(engine="none"),
        "workorders": list(workorders),
    }
    async with run_gateway(settings.model_copy(update=changes)) as running:
        yield running
