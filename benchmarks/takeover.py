"""From `kill -9` of the gateway that serves until the other is ready: linked to the PBX, /readyz 200.

Against what one would pick instead: a single gateway that its service manager starts again at once. That one
does not notice a process that hangs, nor a machine that is gone; the second gateway takes those over in the
same time, for it goes by the lease alone. Needs PostgreSQL. What is left out: speech (a second gateway keeps
its model loaded, a restarted one loads it again), and calls (`make long` loses gateways under calls, in four
ways).
"""

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.databases import postgresql
from benchmarks.harness import helper, median, percentile, progress, report
from benchmarks.pbx import SECRET, USER, PbxPlan, run_pbx
from gateway.asterisk.ports import spare_tcp

BAR_S = 10.0
AGENTS = 200
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
port = {ami}
username = "{user}"
secret_file = "{secret}"
reconnect_max_s = 1
[[lines]]
id = "12345"
name = "热线"
queue = "q12345"
numbers = ["12345"]
"""


class Process:
    """`hotline run` of its own."""

    def __init__(self, directory: Path, name: str, url: str, ami: int) -> None:
        self.web = spare_tcp()
        secret, self._config = directory / "ami.secret", directory / f"{name}.toml"
        secret.write_text(SECRET)
        text = CONFIG.format(
            data=directory, url=url, web=self.web, stream=spare_tcp(), agi=spare_tcp(), ami=ami, user=USER,
            secret=secret,
        )  # fmt: skip
        self._config.write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns at once."""
        command = [
            sys.executable,
            "-c",
            "from gateway.cli import main; main()",
            "run",
            "-c",
            str(self._config),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def answers(self, status: int) -> None:
        """Wait until /readyz answers with that status."""
        timeout = aiohttp.ClientTimeout(total=1)
        async with asyncio.timeout(60), aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                    async with session.get(f"http://127.0.0.1:{self.web}/readyz") as answer:
                        if answer.status == status:
                            return
                await asyncio.sleep(0.02)


@contextlib.contextmanager
def ended(*processes: Process) -> Iterator[None]:
    """Killed when the block is left."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()


async def taken_over(one: Process, other: Process, rounds: int) -> list[float]:
    """Seconds of each take-over."""
    took: list[float] = []
    one.start()
    await one.answers(200)
    other.start()
    for _ in range(rounds):
        await other.answers(503)
        await asyncio.sleep(1.5)  # whoever serves has learnt that it is not alone
        began = time.monotonic()
        one.kill()
        await other.answers(200)
        took.append(time.monotonic() - began)
        progress(f"taken over in {took[-1]:.2f} s")
        one, other = other, one
        other.start()
    return took


async def restarted(one: Process, rounds: int) -> list[float]:
    """Seconds from the kill to readiness of a process that is started again at once."""
    took: list[float] = []
    one.start()
    await one.answers(200)
    for _ in range(rounds):
        began = time.monotonic()
        one.kill()
        one.start()
        await one.answers(200)
        took.append(time.monotonic() - began)
        progress(f"restarted in {took[-1]:.2f} s")
    return took


async def measure(rounds: int) -> bool:
    """Run it; whether the bar is met."""
    with tempfile.TemporaryDirectory() as name, helper(run_pbx, PbxPlan(members=AGENTS)) as pbx:
        ami, directory = await pbx.answer(), Path(name)
        async with postgresql() as url:
            if url is None:
                print("takeover: left out, there is no PostgreSQL", flush=True)
                return True
            one, other = (Process(directory, each, url, ami) for each in ("one", "two"))
            with ended(one, other):
                took = await taken_over(one, other, rounds)
        alone = Process(directory, "alone", f"sqlite+aiosqlite:///{directory / 'alone.db'}", ami)
        with ended(alone):
            again = await restarted(alone, max(3, rounds // 3))
    figures: dict[str, Any] = {
        "takeover_p50_s": median(took),
        "takeover_p99_s": percentile(took, 0.99),
        "restart_p50_s": median(again),
        "restart_p99_s": percentile(again, 0.99),
        "ratio_p50": median(took) / median(again),
    }
    return report("takeover", f"p99 <= {BAR_S:g} s", figures["takeover_p99_s"] <= BAR_S, figures)


def main(arguments: list[str] | None = None) -> bool:
    """`--rounds 20`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    return asyncio.run(measure(parser.parse_args(arguments).rounds))


if __name__ == "__main__":
    raise SystemExit(not main())
