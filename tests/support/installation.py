"""The product as installed: a private Asterisk and `hotline run` as a process of its own."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from domain.calls import Call
from gateway.asterisk.ports import spare_tcp
from gateway.asterisk.private import PrivateAsterisk
from gateway.settings import Settings
from tests.support.pbx import our_prompts, private
from tests.support.process import GatewayProcess

SECRET = "a secret of this test"


@dataclass
class Installation:
    """Everything a call needs."""

    asterisk: PrivateAsterisk
    gateway: GatewayProcess
    directory: Path


@asynccontextmanager
async def installed(example: Settings, directory: Path, url: str) -> AsyncIterator[Installation]:
    agi, audio = spare_tcp(), spare_tcp()
    async with private(
        PrivateAsterisk,
        example,
        directory / "asterisk",
        agi=f"127.0.0.1:{agi}",
        audiosocket=f"127.0.0.1:{audio}",
        provide=our_prompts,
    ) as asterisk:
        gateway = GatewayProcess(directory / "gateway", asterisk, agi, audio, url, SECRET)
        async with gateway:
            yield Installation(asterisk, gateway, directory)


def stored_call(stage: Installation) -> Call:
    """The one call in the gateway's database."""
    with sqlite3.connect(stage.gateway.directory / "data" / "hotline.db") as database:
        ((data,),) = database.execute("SELECT data FROM calls").fetchall()
    return msgspec.json.decode(data, type=Call)
