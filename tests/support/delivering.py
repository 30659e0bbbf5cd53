"""The delivery of orders in a process of its own, that may be killed; run by `multiprocessing`."""

import asyncio

from pydantic import SecretStr

from gateway.modules.delivery import endpoint_of
from gateway.storage.database import Database
from gateway.storage.outbox import SqlOutbox
from tests.support.receiver import endpoint_settings
from workorders.delivery.worker import DeliveryWorker


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
