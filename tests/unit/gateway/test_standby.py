"""Two gateways of one configuration on one PostgreSQL: one serves, the other stands by and says so."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from gateway.asterisk.ports import spare_tcp
from gateway.cli import app
from gateway.settings import Settings, load_settings
from gateway.standby import serve_until
from tests.support.databases import sqlite_url

CONFIG = """
data_dir = "{data}"
[database]
url = "{url}"
[http]
port = {web}
stream_port = {stream}
[agi]
port = {agi}
[asr]
engine = "none"
[[pbx]]
name = "main"
port = 1
secret_file = "ami.secret"
"""
RUNNER = CliRunner()


class Process:
    """What `hotline run` does, here without a process of its own."""

    def __init__(self, directory: Path, url: str) -> None:
        directory.mkdir()
        (directory / "ami.secret").write_text("a-long-secret")
        self.config = directory / "hotline.toml"
        self.web, self.stream, self.agi = spare_tcp(), spare_tcp(), spare_tcp()
        text = CONFIG.format(data=directory, url=url, web=self.web, stream=self.stream, agi=self.agi)
        self.config.write_text(text, encoding="utf-8")
        self.settings: Settings = load_settings(self.config)
        self.told = asyncio.Event()
        self.roles: list[str] = []

    def start(self) -> "asyncio.Task[None]":
        return asyncio.create_task(
            serve_until(
                self.settings,
                self.told,
                on_up=lambda _: self.roles.append("serves"),
                on_standby=lambda: self.roles.append("standby"),
            )
        )

    async def until(self, roles: list[str]) -> None:
        async with asyncio.timeout(30):
            while self.roles != roles:  # noqa: ASYNC110 - two processes are watched
                await asyncio.sleep(0.02)

    async def ask(self, path: str, port: int | None = None) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port or self.web}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def status(self) -> tuple[int, str]:
        result = await asyncio.to_thread(RUNNER.invoke, app, ["status", "-c", str(self.config)])
        return result.exit_code, result.output


@pytest.mark.postgresql
async def test_one_serves_the_other_stands_by_and_takes_over(tmp_path: Path, postgresql_url: str) -> None:
    one, two = Process(tmp_path / "one", postgresql_url), Process(tmp_path / "two", postgresql_url)
    first = one.start()
    await one.until(["standby", "serves"])
    second = two.start()
    await two.until(["standby"])

    status, text = await one.ask("/readyz")
    assert (status, '"lease","ok":true' in text, "pbx:main" in text) == (503, True, True)
    for path, port in (("/readyz", two.web), ("/api/v1/session", two.web), ("/", two.stream)):
        status, text = await two.ask(path, port)
        assert (status, '"role":"standby"' in text) == (503, True), path
    assert (await two.ask("/healthz"))[0] == 200
    with pytest.raises(OSError, match="111"):
        await asyncio.open_connection("127.0.0.1", two.agi)

    code, said = await two.status()
    assert code == 1
    assert f"http://127.0.0.1:{one.web}/" in next(line for line in said.splitlines() if "pbx:main" in line)
    assert f"http://127.0.0.1:{two.web}/" in next(
        line for line in said.splitlines() if "standing by" in line and "since" in line
    )

    one.told.set()
    await first
    await two.until(["standby", "serves"])
    assert '"pbx:main"' in (await two.ask("/readyz"))[1]
    (_, writer) = await asyncio.open_connection("127.0.0.1", two.agi)
    writer.close()
    assert "standing by" not in (await two.status())[1].replace("this one stands by", "")
    two.told.set()
    await second
    assert "nobody" in (await two.status())[1]


async def test_on_sqlite_there_is_nothing_of_it(tmp_path: Path) -> None:
    alone = Process(tmp_path / "alone", sqlite_url(tmp_path / "hotline.db"))
    running = alone.start()
    await alone.until(["serves"])
    assert "lease" not in (await alone.ask("/readyz"))[1]
    said = (await alone.status())[1]
    assert "pbx:main: " in said, "the check of the link"
    assert "term" not in said
    assert "standing by" not in said
    alone.told.set()
    await running
