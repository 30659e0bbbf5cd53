"""What every benchmark needs: cores, helper processes, medians, the machine, the result file."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")
_BEGAN = time.monotonic()
_spawn = multiprocessing.get_context("spawn")


def pin(core: int) -> None:
    """Keep this process on one core, where the machine has that many and lets us say so."""
    with contextlib.suppress(AttributeError, OSError):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


def rss_mib() -> float:
    """This process's resident memory now, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


class Helper:
    """A process of its own that answers one request after another: `work(pipe, *arguments)`."""

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        self._pipe, theirs = _spawn.Pipe()
        self._process = _spawn.Process(target=work, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def tell(self, *request: Any) -> None:
        """Send a request and do not wait."""
        self._pipe.send(request)

    async def answer(self, timeout_s: float = 120.0) -> Any:
        """The next answer."""
        deadline = time.monotonic() + timeout_s
        while not self._pipe.poll():
            if time.monotonic() > deadline or not self._process.is_alive():
                raise TimeoutError(f"{self._process.name} did not answer")
            await asyncio.sleep(0.001)
        return self._pipe.recv()

    async def ask(self, *request: Any, timeout_s: float = 120.0) -> Any:
        """A request and its answer."""
        self.tell(*request)
        return await self.answer(timeout_s)

    def stop(self) -> None:
        """End it."""
        self._pipe.close()
        self._process.terminate()
        self._process.join(5)


@contextlib.contextmanager
def helper(work: Callable[..., None], *arguments: Any) -> Iterator[Helper]:
    """A helper that ends with the block."""
    one = Helper(work, *arguments)
    try:
        yield one
    finally:
        one.stop()


async def requests(pipe: Connection) -> Any:
    """The next request to a helper; `None` when nobody asks any more."""
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(None, pipe.recv)
    except (EOFError, OSError):
        return None


def progress(what: str) -> None:
    """Tell on standard error what is going on, with the seconds since the start and the machine's load."""
    load = os.getloadavg()[0]
    print(f"  … {time.monotonic() - _BEGAN:5.0f} s, load {load:.1f}: {what}", file=sys.stderr, flush=True)


@contextlib.asynccontextmanager
async def stalls() -> AsyncIterator[list[float]]:
    """How late a 1 ms timer comes on this event loop while the block runs, seconds each."""
    late: list[float] = []

    async def probe() -> None:
        while True:
            due = time.monotonic() + 0.001
            await asyncio.sleep(0.001)
            late.append(time.monotonic() - due)

    task = asyncio.create_task(probe())
    try:
        yield late
    finally:
        task.cancel()


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0–1) of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: list[float]) -> float:
    """The median."""
    return statistics.median(values)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "load": [round(one, 2) for one in os.getloadavg()],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def write_json(path: Path | None, result: Any) -> None:
    """Write `result` to `path`, if there is one, with its folders."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def report(name: str, bar: str, met: bool, figures: dict[str, Any]) -> bool:
    """Print the result, write it to `results/<name>.json`; whether the bar is met."""
    print(f"{name}: {'met' if met else 'NOT MET'} ({bar})", flush=True)
    for key, value in figures.items():
        print(f"  {key:<38} {value:.4g}" if isinstance(value, float) else f"  {key:<38} {value}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    document = {"name": name, "bar": bar, "met": met, "figures": figures, "machine": machine()}
    document["at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return met
