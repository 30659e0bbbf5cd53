"""Hang-ups a second: 300 calls end at the same moment; each order, with its recording, reaches the receiver.

Per call: the recording is taken over (8 s, both legs, converted and hashed), the order completed, submitted,
signed, delivered over HTTP, and its state noted. Against one after the other, call by call and delivery by
delivery, in the same run: what the gateway does with one place for each. What is left out: speech, and the
time a real work-order system takes.
"""

import argparse
import asyncio
import re
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import AnyHttpUrl, SecretStr

import gateway.post_call
from benchmarks.capture import Calls
from benchmarks.harness import Helper, helper, pin, progress, report, requests
from benchmarks.pbx import PbxPlan, run_pbx
from benchmarks.whole import AGENTS, ALIVE, settings_for
from gateway.app import run_gateway
from gateway.settings import Settings, WorkOrderEndpoint
from gateway.storage.outbox import SqlOutbox
from gateway.telephony import Telephony

BAR_RATIO = 3.0
RATE, SECONDS = 8000, 8
"""Files a little longer than their calls: nothing is waited for."""
ONE_BY_ONE = 40
"""Calls of the baseline, which takes its time."""


def run_receiver(pipe: Connection) -> None:
    """A work-order system in a process of its own: says its port, then how many orders it has."""
    pin(1)
    asyncio.run(_receive(pipe))


async def _receive(pipe: Connection) -> None:
    seen: set[str] = set()

    async def order(request: web.Request) -> web.Response:
        await request.read()
        seen.add(request.headers["webhook-id"])
        return web.json_response({"id": f"GD{len(seen)}"}, status=201)

    application = web.Application(client_max_size=4 * 1024 * 1024)
    application.router.add_post("/orders", order)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    while await requests(pipe) is not None:
        pipe.send(len(seen))
    await runner.cleanup()


def configured(directory: Path, ami: int, receiver: int, *, at_once: int) -> Settings:
    """The whole gateway, with recordings and a receiver."""
    base = settings_for(directory, ami, None)
    recordings = directory / "pbx"
    pbx = base.pbx[0].model_copy(
        update={"recordings_prefix": "/run/hotline/recordings", "recordings_dir": recordings}
    )
    endpoint = WorkOrderEndpoint(
        id="main",
        url=AnyHttpUrl(f"http://127.0.0.1:{receiver}/orders"),
        secret=SecretStr("a secret of the benchmark"),
        at_once=at_once,
    )
    # At once: the time to think again is the agent's, and no work of the gateway's.
    lines = [line.model_copy(update={"send_after_s": 0.0}) for line in base.lines]
    return base.model_copy(update={"pbx": [pbx], "workorders": [endpoint], "lines": lines})


def record(directory: Path, wire: bytes) -> None:
    """Put the files there that the PBX would have written."""
    names = {found.decode() for found in re.findall(rb"/run/hotline/recordings/(\d+\.\d+)\.raw", wire)}
    directory.mkdir(exist_ok=True)
    for name in names:
        for leg in ("rx", "tx"):
            with (directory / f"{name}-{leg}.raw").open("wb") as file:
                file.truncate(RATE * 2 * SECONDS)


async def ended(pbx: Helper, receiver: Helper, directory: Path, count: int, at_once: int) -> float:
    """Orders a second that reach the receiver."""
    ami, port = await pbx.answer(), await receiver.answer()
    settings = configured(directory, ami, port, at_once=at_once)
    record(directory / "pbx", Calls().burst(0, count))
    async with run_gateway(settings) as runtime:
        while runtime.get(Telephony).links["main"].state.phase != "up":
            await asyncio.sleep(0.01)
        await pbx.ask("alive", 0, count)
        pbx.tell("go")
        began = time.monotonic()
        while await receiver.ask("count") < count:
            await asyncio.sleep(0.05)
        took = time.monotonic() - began
        while (await runtime.get(SqlOutbox).counts()).get("pending"):
            await asyncio.sleep(0.05)
    progress(f"{count} orders in {took:.1f} s")
    return count / took


async def measure(count: int) -> bool:
    """Run it; whether the bar is met."""
    figures: dict[str, Any] = {}
    for name, calls, at_once in (("wide", count, 8), ("one_by_one", ONE_BY_ONE, 1)):
        usual, gateway.post_call.AT_ONCE = gateway.post_call.AT_ONCE, 32 if at_once > 1 else 1
        try:
            with (
                tempfile.TemporaryDirectory() as directory,
                helper(run_pbx, PbxPlan(members=AGENTS)) as pbx,
                helper(run_receiver) as receiver,
            ):
                rate = await ended(pbx, receiver, Path(directory), calls, at_once)
        finally:
            gateway.post_call.AT_ONCE = usual
        figures[f"{name}_orders_per_s"] = rate
    figures["ratio"] = figures["wide_orders_per_s"] / figures["one_by_one_orders_per_s"]
    return report("hangups", f"ratio >= {BAR_RATIO}", figures["ratio"] >= BAR_RATIO, figures)


def main(arguments: list[str] | None = None) -> bool:
    """`--calls 300`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=ALIVE)
    return asyncio.run(measure(parser.parse_args(arguments).calls))


if __name__ == "__main__":
    raise SystemExit(not main())
