"""Password hashing beside everything else: in threads of low priority, on half the cores at most."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from agents.accounts.passwords import Passwords

T = TypeVar("T")
NICENESS = 10


class Hashing:
    """Runs `Passwords`. A flood of logins queues: each takes a tenth of a second of a core, and 64 MiB."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords
        workers = max(1, (os.cpu_count() or 2) // 2)
        # Not the threads that everything else uses: those would all wait for passwords.
        self._threads = ThreadPoolExecutor(workers, "passwords", initializer=_give_way)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """See `Passwords.verify`."""
        return await self._run(lambda: self._passwords.verify(password_hash, password))

    async def hash(self, password: str) -> str:
        """See `Passwords.hash`."""
        return await self._run(lambda: self._passwords.hash(password))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _give_way() -> None:
    """Let the event loop, speech and calls go first. On Linux a thread has a priority of its own."""
    with suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
