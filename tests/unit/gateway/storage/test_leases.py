"""Leases in PostgreSQL: one holder at a time, and nothing written by an earlier one."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, insert, select, text

from domain.facts import PbxLinkChanged
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.leases import IDLE_S, Fence, Grant, LeaseLostError, LeaseRepository, session_of
from gateway.storage.spool import spool_of_terms, write_spool
from gateway.storage.tables import journal
from tests.support.wire import Wire

pytestmark = pytest.mark.postgresql
NAMES = ("pbx:main", "pbx:second")
FACT = PbxLinkChanged(at=1.0, pbx="main", up=True, reason="")


@pytest.fixture
async def shared(postgresql_url: str) -> AsyncIterator[Database]:
    database = Database(postgresql_url)
    yield database
    await database.close()


async def taken(leases: LeaseRepository, holder: str, ttl_s: float = 60.0) -> Grant:
    grant = await leases.take(NAMES, holder, f"http://{holder}/", ttl_s)
    assert grant is not None
    return grant


async def test_of_many_that_ask_at_once_one_gets_them(shared: Database) -> None:
    leases = LeaseRepository(shared)
    asked = await asyncio.gather(*(leases.take(NAMES, f"p{n}", "", 60.0) for n in range(8)))
    assert sum(grant is not None for grant in asked) == 1


async def test_a_lease_runs_out_and_the_next_holder_has_a_higher_term(shared: Database) -> None:
    leases = LeaseRepository(shared)
    first = await taken(leases, "first", 0.05)
    assert (await leases.renew(first, 0.05)).held
    await asyncio.sleep(0.1)
    second = await taken(leases, "second")
    assert second.terms == tuple(term + 1 for term in first.terms)
    assert second.before == ("first",)
    assert not (await leases.renew(first, 60.0)).held
    assert [one.holder for one in await leases.list_leases()] == ["second", "second"]


async def test_all_or_nothing(shared: Database) -> None:
    leases = LeaseRepository(shared)
    assert await leases.take(("pbx:second",), "other", "", 60.0) is not None
    assert await leases.take(NAMES, "both", "", 60.0) is None
    held = {one.name: one.holder for one in await leases.list_leases() if one.held}
    assert held == {"pbx:second": "other", "standby:both": "both"}


async def test_the_holder_learns_that_somebody_stands_by(shared: Database) -> None:
    leases = LeaseRepository(shared)
    grant = await taken(leases, "first")
    assert not (await leases.renew(grant, 60.0)).contested
    assert await leases.take(NAMES, "second", "", 60.0) is None
    assert (await leases.renew(grant, 60.0)).contested
    await leases.leave("second")
    assert not (await leases.renew(grant, 60.0)).contested
    await leases.give_back(grant)
    assert (await taken(leases, "second")).before == ("first",)


async def test_what_an_earlier_holder_writes_is_refused(shared: Database) -> None:
    leases = LeaseRepository(shared)
    shared.fence = Fence(await taken(leases, "first", 0.0))
    async with JournalWriter(shared) as facts:
        facts.put(FACT)
        await facts.flush()
        # The lease ran out, and nobody took it: what is written is still right.
        facts.put(FACT)
        await facts.flush()
        await taken(leases, "second")
        facts.put(FACT)
        while not facts.lost:  # noqa: ASYNC110 - the journal says so by a flag
            await asyncio.sleep(0.01)
        with pytest.raises(LeaseLostError):
            async with shared.writing() as connection:
                await connection.execute(text("DELETE FROM journal"))
    async with shared.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(journal)) == 2


async def test_a_change_of_hands_waits_for_the_write_under_way(shared: Database, postgresql_url: str) -> None:
    leases, other = LeaseRepository(shared), Database(postgresql_url)
    shared.fence = Fence(await taken(leases, "first", 0.0))
    async with shared.writing() as connection:
        taking = asyncio.create_task(LeaseRepository(other).take(NAMES, "second", "", 60.0))
        await asyncio.sleep(0.2)
        assert not taking.done()
        await connection.execute(insert(journal), [{"id": 1, "at": 1.0, "kind": "x", "data": "{}"}])
    assert await taking is not None
    await other.close()


async def test_a_write_that_nobody_goes_on_with_holds_no_one_up_for_long(
    shared: Database, postgresql_url: str
) -> None:
    leases, other = LeaseRepository(shared), Database(postgresql_url)
    shared.fence = Fence(await taken(leases, "first", 0.0))
    with pytest.raises(Exception, match=r"idle|closed|terminat"):
        async with shared.writing() as connection:
            # As if the process were stopped here.
            async with asyncio.timeout(IDLE_S + 10):
                while True:
                    try:
                        if await LeaseRepository(other).take(NAMES, "second", "", 60.0):
                            break
                    except Exception:
                        await asyncio.sleep(0.1)
            await connection.execute(insert(journal), [{"id": 1, "at": 1.0, "kind": "x", "data": "{}"}])
    async with other.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(journal)) == 0
    await other.close()


def test_a_spool_is_taken_up_where_nobody_served_in_between(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("data")
    plain = folder / "facts.spool"
    ours = spool_of_terms(plain, (4, 7))
    write_spool(ours, [(1, FACT)])
    assert spool_of_terms(plain, (5, 8)).exists(), "the terms just before"
    late = spool_of_terms(plain, (7, 10))
    assert not late.exists()
    assert [path.name for path in folder.iterdir()] == ["facts-5-8.spool.outdated"]


async def test_a_process_cut_off_in_the_middle_of_a_statement_keeps_nothing(postgresql_url: str) -> None:
    """The server waits for the rest of a statement for as long as the connection seems to be there."""
    other, former = Database(postgresql_url), "host:1:abcd"
    leases = LeaseRepository(other)
    first = await taken(leases, former, 0.0)
    port = int(postgresql_url.rpartition(":")[2].partition("/")[0])
    async with Wire(port) as wire:
        through = postgresql_url.replace(f":{port}/", f":{wire.port}/")
        cut = Database(through, session=session_of(former))
        cut.fence = Fence(first)

        async def write() -> None:
            async with cut.writing() as connection:
                rows = [{"id": n, "at": 1.0, "kind": "x", "data": "y" * 2000} for n in range(2_000)]
                wire.cut(silent=True, after=100_000)
                await connection.execute(insert(journal), rows)

        writing = asyncio.create_task(write())
        await wire.is_cut.wait()
        async with asyncio.timeout(IDLE_S / 2):
            second = await leases.take(NAMES, "second", "", 60.0)
        assert second is not None
        assert second.before == (former,)
        wire.fix()
        (failed,) = await asyncio.gather(writing, return_exceptions=True)
        assert isinstance(failed, Exception)
        await cut.close()
    async with other.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(journal)) == 0
    await other.close()
