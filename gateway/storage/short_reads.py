"""Reads of one statement on SQLite, each a single step of a thread.

A statement through aiosqlite takes eight steps (cursor, BEGIN, rows, close, rollback …), each of which waits
for a turn of the event loop: on a busy one a screen-pop waited for a tenth of a second.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import Row, Select, create_engine, event
from sqlalchemy.engine import URL

THREADS = 2


class ShortReads:
    """Connections of their own to the same file; nothing is written through them."""

    def __init__(self, url: URL, busy_s: float) -> None:
        self._engine = create_engine(url.set(drivername="sqlite"), pool_size=THREADS, max_overflow=0)
        self._threads = ThreadPoolExecutor(THREADS, "short reads")
        self._busy_s = busy_s
        event.listen(self._engine, "connect", self._prepare)

    def _prepare(self, connection: Any, _record: Any) -> None:
        # One statement sees one state: no transaction around it is needed.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={int(self._busy_s * 1000)}")
        connection.execute("PRAGMA query_only=ON")

    async def rows(self, query: Select[Any], values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """Return all rows of it."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._rows, query, values)

    def _rows(self, query: Select[Any], values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query, values).all()

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()
