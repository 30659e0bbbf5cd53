"""The product as installed: a private Asterisk and `hotline run` as a process of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text

from domain.calls import Call
from gateway.asterisk.ports import spare_tcp
from gateway.asterisk.private import PrivateAsterisk
from gateway.factories import open_database
from gateway.settings import Settings, load_settings
from tests.support.pbx import our_prompts, private
from tests.support.process import GatewayProcess

SECRET = "a secret of this test"


@dataclass
class Installation:
    """Everything a call needs."""

    asterisk: PrivateAsterisk
    gateway: GatewayProcess
    directory: Path

    async def stored(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the gateway's database, whichever that is."""
        database = open_database(load_settings(self.gateway.config))
        try:
            async with database.reading() as connection:
                return [tuple(row) for row in await connection.execute(text(statement))]
        finally:
            await database.close()

    async def stored_calls(self) -> list[Call]:
        """Every call in it, oldest first."""
        rows = await self.stored("SELECT data FROM calls ORDER BY started_at")
        return [msgspec.json.decode(data, type=Call) for (data,) in rows]


@asynccontextmanager
async def installed(example: Settings, directory: Path, url: str, **more: Any) -> AsyncIterator[Installation]:
    """Up while the block runs; orders go to `url`; `more` goes to `GatewayProcess`."""
    agi, audio = spare_tcp(), spare_tcp()
    async with private(
        PrivateAsterisk,
        example,
        directory / "asterisk",
        agi=f"127.0.0.1:{agi}",
        audiosocket=f"127.0.0.1:{audio}",
        provide=our_prompts,
    ) as asterisk:
        gateway = GatewayProcess(directory / "gateway", asterisk, agi, audio, url, SECRET, **more)
        async with gateway:
            yield Installation(asterisk, gateway, directory)
