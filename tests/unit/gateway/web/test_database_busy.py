"""A locked database: requests are told to try again, nothing is done twice, and the gateway is not ready."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from tests.support.at_the_desk import at_the_desk
from tests.support.databases import POSTGRESQL


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Somebody else writes, and does not come to an end."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        other = sqlite3.connect(str(parsed.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()
        return
    holder = await asyncpg.connect(POSTGRESQL.rpartition("/")[0] + f"/{parsed.database}")
    async with holder.transaction():
        await holder.execute("LOCK TABLE orders, journal IN EXCLUSIVE MODE")
        yield
    await holder.close()


async def test_a_locked_database_is_said_and_the_same_again_does_nothing_twice(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.patience.PATIENCE_S", 0.3)
    monkeypatch.setattr("gateway.modules.storage.STALE_S", 0.2)
    async with at_the_desk(tmp_path, database_url) as (gateway, desk, order):
        path = f"/api/v1/orders/{order}/fields"
        before = await gateway.orders.get_order(order)
        assert before is not None
        asked = {"fields": {"title": "路灯坏了"}, "revision": before.revision}
        assert await desk.not_ready() == ""
        async with locked(database_url):
            for _ in range(2):
                status, after, problem = await desk.ask("PATCH", path, asked)
                assert (status, problem["reason"], after) == (503, "database_busy", "5")
            assert "has waited" in await desk.not_ready()
            assert (await desk.ask("GET", f"/api/v1/orders/{order}"))[0] == 200
        # Meanwhile it is saved, or it is now: the same again is no second change.
        status, _, saved = await desk.ask("PATCH", path, asked)
        assert (status, saved["fields"]["title"]["value"]) == (200, "路灯坏了")
        assert saved["revision"] == before.revision + 1
        status, _, again = await desk.ask("PATCH", path, asked)
        assert (status, again) == (200, saved)
        assert await desk.not_ready() == ""


async def test_a_write_that_failed_is_said_until_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.storage.database.SQLITE_BUSY_S", 0.05)
    url = f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
    async with at_the_desk(tmp_path, url) as (_, desk, order):
        async with locked(url):
            status, after, problem = await desk.ask(
                "PUT", f"/api/v1/orders/{order}/unsaved", {"unsaved": {"title": "路"}}
            )
            assert (status, problem["reason"], after) == (503, "database_busy", "5")
            assert "database is locked" in await desk.not_ready()
            await asyncio.sleep(0)
        assert await desk.not_ready() == ""
