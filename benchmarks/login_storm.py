"""Agents sign in with their passwords, all at once: login over HTTP, then the stream up to its snapshot.

Measured against the same with passwords checked by `asyncio.to_thread`, as one would write it first: how late
the event loop is meanwhile, on which calls and screens wait.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp

from agents.accounts.identity import Account, Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from benchmarks.harness import helper, median, percentile, pin, progress, report, requests, stalls
from benchmarks.midday import midday
from gateway.memory import keep_settled
from gateway.storage.accounts import AccountRepository
from gateway.storage.database import Database
from gateway.stream.hub import Hub
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView
from gateway.web.access import Access
from gateway.web.app import create_app
from gateway.web.options import WebOptions
from gateway.web.routes import session
from gateway.web.routes.session import DeskProfile
from gateway.web.serve import serve_web

LATE_BAR = 0.5
PASSWORD = "correct horse battery"


class AsOneWould:
    """Passwords in the threads that everything else uses, at the same priority."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def verify(self, password_hash: str | None, password: str) -> bool:
        return await asyncio.to_thread(self._passwords.verify, password_hash, password)


def run_browsers(pipe: Connection) -> None:
    """The process of all browsers: `storm` answers the seconds each agent's sign-in took."""
    pin(1)
    asyncio.run(_browsers(pipe))


async def _browsers(pipe: Connection) -> None:
    while (request := await requests(pipe)) is not None:
        _, web, stream, agents = request
        pipe.send(await asyncio.gather(*(_sign_in(web, stream, 2000 + number) for number in range(agents))))


async def _sign_in(web: int, stream: int, agent: int) -> float:
    began = time.monotonic()
    jar, patient = aiohttp.CookieJar(unsafe=True), aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=patient) as browser:
        body = {"username": f"agent{agent}", "password": PASSWORD}
        async with browser.post(f"http://127.0.0.1:{web}/api/v1/session", json=body) as answer:
            answer.raise_for_status()
        async with browser.ws_connect(f"http://127.0.0.1:{stream}/", max_msg_size=0) as socket:
            while json.loads(await socket.receive_str())["type"] != "snapshot":
                pass
    return time.monotonic() - began


@asynccontextmanager
async def gateway(
    directory: Path, view: LiveView, agents: int
) -> AsyncIterator[tuple[AccountService, int, int]]:
    """(accounts, port of the API, port of the stream) over SQLite; every agent has the same password."""
    database = Database(f"sqlite+aiosqlite:///{directory}/hotline.db")
    await database.upgrade()
    repository = AccountRepository(database)
    hashed = Passwords().hash(PASSWORD)
    for number in range(agents):
        agent = str(2000 + number)
        await repository.put_account(Account(f"agent{agent}", hashed, Role.AGENT, agent))
    accounts = AccountService(repository, repository)

    async def none(_: str) -> None:
        return None

    options = WebOptions(version="0", stream_port=lambda: None)
    routes = session.router(Access(accounts.authenticate, none, none), accounts, DeskProfile(), options)
    async with (
        serve_web(create_app([routes], options), "127.0.0.1", 0) as web,
        StreamServer(Hub(view), authenticate=accounts.authenticate, max_clients=agents) as stream,
    ):
        yield accounts, web, stream.port
    await database.close()


async def storm(view: LiveView, agents: int, *, plain: bool) -> tuple[list[float], list[float], float]:
    """(seconds each sign-in took, how late the loop was, CPU seconds of the loop)."""
    with tempfile.TemporaryDirectory() as directory, helper(run_browsers) as browsers:
        async with gateway(Path(directory), view, agents) as (accounts, web, stream):
            if plain:
                accounts._hashing = AsOneWould(Passwords())  # type: ignore[assignment]
            async with stalls() as late:
                began = time.thread_time()
                took = await browsers.ask("storm", web, stream, agents, timeout_s=600)
                spent = time.thread_time() - began
    return took, late, spent


async def measure(agents: int) -> bool:
    """Run it; whether the bar is met."""
    progress("login storm: the view of mid-day")
    view = midday(3000)
    settling = asyncio.create_task(keep_settled())  # as in `hotline run`
    passwords = Passwords()
    hashed = passwords.hash(PASSWORD)
    began = time.process_time()
    passwords.verify(hashed, PASSWORD)
    each = time.process_time() - began
    progress(f"login storm: {agents} agents, passwords in the common threads")
    plain, plain_late, _ = await storm(view, agents, plain=True)
    progress(f"login storm: {agents} agents")
    took, late, spent = await storm(view, agents, plain=False)
    settling.cancel()
    figures: dict[str, Any] = {
        "agents": agents,
        "password_cpu_ms": each * 1000,
        "sign_in_median_s": median(took),
        "sign_in_last_s": max(took),
        "sign_in_last_in_common_threads_s": max(plain),
        "event_loop_cpu_each_ms": spent / agents * 1000,
        "event_loop_late_p99_ms": percentile(late, 0.99) * 1000,
        "event_loop_late_most_ms": max(late) * 1000,
        "late_p99_in_common_threads_ms": percentile(plain_late, 0.99) * 1000,
        "late_most_in_common_threads_ms": max(plain_late) * 1000,
        "ratio": percentile(late, 0.99) / percentile(plain_late, 0.99),
    }
    bar = f"all get in; the loop's p99 lateness <= {LATE_BAR} x that with passwords in the common threads"
    return report("login_storm", bar, figures["ratio"] <= LATE_BAR, figures)


def main(arguments: list[str] | None = None) -> bool:
    """`--agents`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=150)
    return asyncio.run(measure(parser.parse_args(arguments).agents))


if __name__ == "__main__":
    raise SystemExit(not main())
