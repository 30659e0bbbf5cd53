"""SIGTERM ends the gateway within its grace while the database is locked, and nothing is lost by it."""

import asyncio
import json
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest

HOTLINE = (sys.executable, "-c", "from gateway.cli import main; main()")
CONFIG = """
data_dir = "data"
[http]
port = 0
stream_port = 0
[asr]
engine = "none"
[demo]
call_every_s = 1.0
[log]
format = "json"
"""


async def started(config: Path) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *HOTLINE, "run", "--pbx", "demo", "-c", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while b"recorded call" not in await process.stdout.readline():
            assert process.returncode is None
    return process


async def ended(process: asyncio.subprocess.Process) -> float:
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(40):
        await process.wait()
    return time.monotonic() - began


def facts(path: Path) -> list[tuple[int, str]]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return list(database.execute("SELECT id, kind FROM journal ORDER BY seq"))


@pytest.mark.timeout(180)
async def test_a_locked_database_neither_keeps_the_process_nor_costs_a_fact(tmp_path: Path) -> None:
    config = tmp_path / "hotline.toml"
    config.write_text(CONFIG, encoding="utf-8")
    database, spool = tmp_path / "data" / "hotline.db", tmp_path / "data" / "facts.spool"
    process = await started(config)
    await asyncio.sleep(3)
    lock = sqlite3.connect(database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    committed = facts(database)
    assert committed
    await asyncio.sleep(4)  # calls go on, nothing can be committed
    assert await ended(process) < 30
    lock.execute("ROLLBACK")
    lock.close()
    assert facts(database) == committed
    waiting = {json.loads(line)["id"] for line in spool.read_text(encoding="utf-8").splitlines()}
    assert waiting, "what was not committed is kept"
    process = await started(config)
    assert await ended(process) < 30
    assert not spool.exists()
    after = facts(database)
    assert after[: len(committed)] == committed
    ids = [identity for identity, _ in after]
    assert waiting <= set(ids)
    assert len(set(ids)) == len(ids)
