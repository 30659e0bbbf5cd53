"""A real ticket system: Roundup with its classic tracker on SQLite, reached over its REST interface.

Between it and whoever talks to it stands a door that breaks some connections once Roundup has done the work:
what was asked for is done, and nobody hears of it.
"""

import asyncio
import contextlib
import random
import sqlite3
import sys
import sysconfig
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from roundup import configuration, init, instance, password

from gateway.asterisk.ports import spare_tcp
from tests.support.machine import ROOT

USER, PASSWORD = "hotline", "a password of this test"
TEMPLATE = Path(sysconfig.get_path("data")) / "share" / "roundup" / "templates" / "classic"


class Roundup:
    """What is in the tracker, read from its database."""

    def __init__(self, home: Path, door: "Door") -> None:
        self.home, self.door = home, door
        self.url = door.url

    def issues(self) -> dict[str, tuple[str, str, list[str]]]:
        """Id of each issue → title, name of its status, messageids of its messages, in order."""
        with self._opened() as database:
            issues = database.execute(
                "SELECT i.id, i._title, s._name FROM _issue i LEFT JOIN _status s ON s.id = i._status"
            ).fetchall()
            linked = database.execute(
                "SELECT l.nodeid, m._messageid FROM issue_messages l JOIN _msg m ON m.id = l.linkid"
                " ORDER BY m.id"
            ).fetchall()
        of: dict[str, list[str]] = {}
        for issue, message in linked:
            of.setdefault(str(issue), []).append(message)
        return {str(number): (title, status, of.get(str(number), [])) for number, title, status in issues}

    def messages(self) -> list[str]:
        """The messageid of every message, whether an issue has it or not."""
        with self._opened() as database:
            return [row[0] for row in database.execute("SELECT _messageid FROM _msg ORDER BY id")]

    def work_on(self, issue: str, status: str, person: str) -> None:
        """Somebody at the tracker takes the issue and gives it that status."""
        database = instance.open(str(self.home)).open("admin")
        try:
            known = [database.user.get(one, "username") for one in database.user.list()]
            if person not in known:
                database.user.create(username=person, roles="User")
            database.issue.set(
                issue, status=database.status.lookup(status), assignedto=database.user.lookup(person)
            )
            database.commit()
        finally:
            database.close()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(f"file:{self.home / 'db' / 'db'}?mode=ro", uri=True)
        try:
            yield database
        finally:
            database.close()


class Door:
    """Passes requests on to `port`, and breaks a share of the connections after the work is done."""

    def __init__(self, port: int, *, breaks: float, seed: int) -> None:
        self._to = f"http://127.0.0.1:{port}"
        self._breaks = breaks
        self._chance = random.Random(seed)
        self.port = spare_tcp()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.passed: list[tuple[str, str]] = []
        """Method and path of each request that was done."""
        self.broken: list[tuple[str, str]] = []
        """Those whose reply was lost."""
        self._once: tuple[str, str] | None = None
        self._working = 0

    async def quiet(self) -> None:
        """Wait until Roundup works on nothing: what it still works on, nobody can find yet."""
        while self._working:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def break_once(self, method: str, path: str) -> None:
        """Lose the reply to the next request of that kind; `path` is its beginning."""
        self._once = (method, path)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open while the block runs."""
        application = web.Application(client_max_size=64 * 1024**2)
        application.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(application, shutdown_timeout=1)
        async with aiohttp.ClientSession(auto_decompress=False) as self._session:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            try:
                yield
            finally:
                await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        url = f"{self._to}{request.raw_path}"
        sent = await request.read()
        self._working += 1
        try:
            async with self._session.request(
                request.method, url, headers=request.headers, data=sent, allow_redirects=False
            ) as answer:
                body = await answer.read()
        finally:
            self._working -= 1
        self.passed.append((request.method, request.path))
        # Not only what creates: what changes, looks and reads is lost as well.
        if self._chance.random() < self._breaks or self._is_the_one(request):
            self.broken.append((request.method, request.path))
            assert request.transport is not None
            request.transport.abort()
        kept = {
            name: value
            for name, value in answer.headers.items()
            if name.lower() in ("content-type", "content-encoding", "etag")
        }
        return web.Response(status=answer.status, body=body, headers=kept)

    def _is_the_one(self, request: web.Request) -> bool:
        if self._once is None:
            return False
        method, path = self._once
        if request.method != method or not request.path.startswith(path):
            return False
        self._once = None
        return True


@asynccontextmanager
async def roundup(home: Path, *, breaks: float = 0.0, seed: int = 1) -> AsyncIterator[Roundup]:
    """A tracker of the test's own, up while the block runs; its address is the door's."""
    port = spare_tcp()
    door = Door(port, breaks=breaks, seed=seed)
    await asyncio.to_thread(_install, home, door.url)
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.roundup_server", str(home), str(port),
        cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _listens(port, server)
        async with door.open():
            yield Roundup(home, door)
    finally:
        if server.returncode is None:
            server.kill()
        await server.wait()


def _install(home: Path, url: str) -> None:
    init.install(str(home), str(TEMPLATE), settings={"rdbms_backend": "sqlite", "tracker_web": url})
    # It would write e-mail.
    (home / "detectors" / "nosyreaction.py").unlink()
    config = configuration.CoreConfig(str(home))
    config["RDBMS_BACKEND"] = "sqlite"
    config["TRACKER_WEB"] = url
    config["MAIL_DOMAIN"] = config["MAIL_HOST"] = "localhost"
    # Each request brings the password: with the usual rounds, hashing would be most of the work.
    config["PASSWORD_PBKDF2_DEFAULT_ROUNDS"] = 1000
    config.save(str(home / "config.ini"))
    tracker = instance.open(str(home))
    tracker.init(password.Password("admin", config=config))
    database = tracker.open("admin")
    secret = password.Password(PASSWORD, config=database.config)
    database.user.create(username=USER, password=secret, roles="User", realname="Hotline")
    database.commit()
    database.close()


async def _listens(port: int, server: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(60):
        while True:
            assert server.returncode is None, "Roundup ended"
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.1)
