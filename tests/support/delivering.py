"""The delivery of orders in a process of its own, that may be killed; run by `multiprocessing`."""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from gateway.app import run_gateway
from gateway.modules.delivery import endpoint_of
from gateway.storage.database import Database
from gateway.storage.outbox import SqlOutbox
from tests.support.at_the_desk import settings
from tests.support.receiver import endpoint_settings
from workorders.delivery.worker import DeliveryWorker

SECRET = "a secret of this test"


def deliver(database_url: str, url: str, preset: str, secrets: dict[str, str], at_once: int = 8) -> None:
    """Deliver what is in the outbox until killed. `secrets`: name → file."""
    asyncio.run(_deliver(database_url, url, preset, secrets, at_once))


async def _deliver(database_url: str, url: str, preset: str, secrets: dict[str, str], at_once: int) -> None:
    settings = endpoint_settings(
        url, id="tickets", secret=SecretStr("a secret"), preset=preset, secret_files=secrets, at_once=at_once,
        timeout_s=60.0, max_attempts=50,
    )  # fmt: skip
    database = Database(database_url)
    outbox = SqlOutbox(database, holder="worker")
    # As at the start of a gateway: what the process before was sending is sent again.
    await outbox.release(["worker"])
    await DeliveryWorker(outbox, [endpoint_of(settings, "Asia/Shanghai")]).run()


def serve(database_url: str, directory: str, url: str, port: int) -> None:
    """The whole gateway without PBXs, until killed: delivers to `url`, takes statuses at `port`."""
    asyncio.run(_serve(database_url, Path(directory), url, port))


async def _serve(database_url: str, directory: Path, url: str, port: int) -> None:
    usual = settings(directory, database_url)
    tickets = endpoint_settings(url, id="tickets", secret=SecretStr(SECRET), timeout_s=5.0, max_attempts=1000)
    changes = {
        "http": usual.http.model_copy(update={"port": port, "stream_port": 0}),
        "workorders": [tickets],
    }
    async with run_gateway(usual.model_copy(update=changes)):
        await asyncio.Event().wait()
