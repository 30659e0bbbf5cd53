"""Databases of a test's own, on SQLite and on PostgreSQL; gone when the test is over."""

import asyncio
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.outbox import delivery_rows
from gateway.storage.rows import order_row, order_row_columns, order_text_row, put_order_text, upsert
from gateway.storage.tables import deliveries, orders
from tests.support.machine import absent

POSTGRESQL = os.environ.get("HOTLINE_TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
SERVER = POSTGRESQL.rpartition("/")[0]


@contextmanager
def postgresql(template: str = "") -> Iterator[str]:
    """A new database's name there, if need be a copy of `template`; skips or fails without PostgreSQL."""
    name = f"hotline_test_{uuid.uuid4().hex}"
    create = f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else "")
    asyncio.run(_say(create))
    try:
        yield name
    finally:
        # A process that was killed may not have hung up yet.
        asyncio.run(_say(f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _say(statement: str) -> None:
    try:
        admin = await asyncpg.connect(POSTGRESQL, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        absent(f"POSTGRESQL ({error})", "start one at 127.0.0.1:5432 or set HOTLINE_TEST_POSTGRESQL_URL")
    try:
        await admin.execute(statement)
    finally:
        await admin.close()


def url_of(name: str) -> str:
    """What the gateway's configuration says of a database there."""
    return f"{SERVER.replace('postgresql://', 'postgresql+asyncpg://', 1)}/{name}"


def sqlite_url(path: Path) -> str:
    """The same of a file."""
    return f"sqlite+aiosqlite:///{path}"


def migrate(url: str) -> None:
    """Bring it to the newest schema, as the operator does with `hotline db upgrade`."""

    async def upgraded() -> None:
        database = Database(url)
        await database.upgrade()
        await database.close()

    asyncio.run(upgraded())


async def put_order(
    database: Database, order: Order, bodies: Mapping[str, bytes] | None = None, at: float = 0.0
) -> None:
    """The order as it is, whatever the database holds of it, with deliveries made at `at`."""
    async with database.writing() as connection:
        row, text = order_row(order), order_text_row(order)
        await connection.execute(upsert(database, orders, ["id"], order_row_columns()[1:]), [row])
        await connection.execute(put_order_text(database), [text])
        if bodies:
            made = delivery_rows(order, bodies, at)
            await connection.execute(database.insert(deliveries).on_conflict_do_nothing(), made)
