"""A gateway inside the test's own process, on real PBXs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.app import run_gateway
from gateway.runtime import Runtime
from gateway.settings import AsrSettings, PbxSettings, Settings
from gateway.settings.orders import WorkOrderEndpoint
from tests.support.databases import new_file, sqlite_url


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
    changed = settings.model_copy(update=changes)
    if not (file := data / "hotline.db").exists() and changed.database_url == sqlite_url(file):
        new_file(file)
    async with run_gateway(changed) as running:
        yield running
