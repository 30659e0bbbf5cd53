"""What is old is packed and read as before: in order, once, on both databases."""

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from alembic import command
from alembic.config import Config
from msgspec import structs
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from agents.figures.checkpoints import KINDS
from agents.figures.day import DayFigures
from benchmarks.pipeline import LINES
from benchmarks.whole_calls import whole_calls
from domain.facts import ABOUT_NO_CALL, AnyFact, QueueFiguresChanged, call_id_of
from domain.history import CallFilter, OrderFilter
from gateway.storage import packer
from gateway.storage.calls import CallRepository
from gateway.storage.database import MIGRATIONS, Database
from gateway.storage.history import HistoryRepository
from gateway.storage.journal import JournalWriter
from gateway.storage.journal_reader import JournalReader
from gateway.storage.packer import DAY_S, QUIET_S, STALE_S, JournalPacker
from gateway.storage.tables import journal, journal_pack_calls, journal_packs
from tests.support.journal import stored

CALLS = [list(facts) for facts in whole_calls(4, 12)]
LAST = max(fact.at for facts in CALLS for fact in facts)
LATER = LAST + 2 * DAY_S


def mixed(seed: int) -> list[AnyFact]:
    """The facts of all calls at once, each call's in order."""
    rng = random.Random(seed)
    left, order = [list(facts) for facts in CALLS], []
    while any(left):
        order.append(rng.choice([facts for facts in left if facts]).pop(0))
    return order


async def everything(database: Database) -> list[AnyFact]:
    return [fact async for fact in JournalReader(database).since(0.0)]


async def count(database: Database) -> tuple[int, int]:
    """Rows and packs."""
    async with database.reading() as connection:
        rows = await connection.scalar(select(func.count()).select_from(journal))
        packs = await connection.scalar(select(func.count()).select_from(journal_packs))
    return int(rows or 0), int(packs or 0)


async def pack_to(database: Database, now: float) -> int:
    return await JournalPacker(database, pause_share=0.0).pack_old(now)


@pytest.mark.parametrize(("seed", "facts_a_pack"), [(0, 2000), (1, 100), (2, 1)])
async def test_packed_facts_are_read_as_before(
    database: Database, seed: int, facts_a_pack: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packer, "FACTS_A_PACK", facts_a_pack)
    facts = mixed(seed)
    middle = sorted(fact.at for fact in facts)[len(facts) // 2]
    await stored(database, facts)
    reader = JournalReader(database)
    # In steps: rows, packs of parts of calls, and packs of the rest.
    for now in (LAST + 1, middle + STALE_S, LAST + QUIET_S, LATER):
        await pack_to(database, now)
        assert await everything(database) == facts
        for one in CALLS:
            call_id = next(filter(None, map(call_id_of, one)))
            assert await reader.of_call(call_id) == [fact for fact in facts if call_id_of(fact) == call_id]
        since = [fact async for fact in reader.since(middle)]
        assert since == [fact for fact in facts if fact.at >= middle], "from the middle of calls"
        kinds = ["AgentChanged", "QueueEntryChanged"]
        about = [fact async for fact in reader.since(middle, kinds)]
        assert about == [fact for fact in facts if fact.at >= middle and type(fact).__name__ in kinds]
        ended = [fact async for fact in reader.since(middle, ["CallEnded", "AgentChanged"])]
        assert ended == [one for one in since if type(one).__name__ in ("CallEnded", "AgentChanged")]
        part = [fact async for fact in reader.since(0.0, call="00000002.")]
        assert part == [fact for fact in facts if "00000002." in (call_id_of(fact) or "")]
    rows, packs = await count(database)
    assert rows == 1, "the newest stays: its place would be given again"
    assert 0 < packs < 20


async def test_places_behind_a_place(database: Database) -> None:
    facts = mixed(7)
    await stored(database, facts)
    reader = JournalReader(database)
    newest, _ = await reader.mark()
    kinds = sorted(ABOUT_NO_CALL)
    wanted = [fact for fact in facts if call_id_of(fact) is None]
    cuts = [0, newest // 3, newest // 2, newest]
    parts = [[one async for one in reader.after(*cut, kinds)] for cut in itertools.pairwise(cuts)]
    assert [*parts[0], *parts[1], *parts[2]] == wanted
    for now in (LAST + QUIET_S, LATER):
        await pack_to(database, now)
        for cut, part in zip(itertools.pairwise(cuts), parts, strict=True):
            assert [one async for one in reader.after(*cut, kinds)] == part
        assert [one async for one in reader.after(cuts[1], None, kinds)] == parts[1] + parts[2]
        assert [one async for one in reader.since(0.0, kinds, upto=cuts[2])] == parts[0] + parts[1]


async def test_places_are_never_given_twice(database: Database) -> None:
    before = mixed(1)
    await stored(database, before)
    await pack_to(database, LATER)
    newest, _ = await JournalReader(database).mark()
    after = mixed(2)
    await stored(database, after)
    assert (await JournalReader(database).mark())[0] >= newest + len(after)
    assert await everything(database) == before + after


async def test_a_clock_that_is_set_back_changes_no_order(database: Database) -> None:
    facts = mixed(3)
    late = [fact for fact in facts if fact.at > LAST - 60]
    await stored(database, [*late, *facts])
    await pack_to(database, LATER)
    assert await everything(database) == [*late, *facts]
    since = [fact async for fact in JournalReader(database).since(LAST - 60)]
    assert since == [*late, *late]


async def test_a_call_that_goes_on_is_left_alone_and_one_that_never_ends_is_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packer, "FACTS_A_PACK", 1)
    main = call_id_of(CALLS[0][0])
    assert main is not None
    facts = [fact for fact in CALLS[0] if call_id_of(fact) == main]
    begun, end = min(fact.at for fact in facts), max(fact.at for fact in facts)
    on = [structs.replace(facts[-1], at=begun + at) for at in range(300, int(STALE_S), 300)]
    await stored(database, facts)
    await pack_to(database, end + QUIET_S - 60)
    assert (await count(database))[0] == len(facts)
    await stored(database, on)
    await pack_to(database, begun + STALE_S - 1)
    assert (await count(database))[1] == 0
    await pack_to(database, begun + STALE_S + 1)
    assert await count(database) == (1, 1)
    await stored(database, on[-1:] * 2)
    await pack_to(database, on[-1].at + QUIET_S + 1)
    assert await count(database) == (1, 2), "a call in two packs"
    read = await JournalReader(database).of_call(main)
    assert read == await everything(database) == [*facts, *on, *on[-1:] * 2]


async def test_calls_wait_for_each_other_but_no_longer_than_a_day(database: Database) -> None:
    facts = mixed(12)
    await stored(database, facts)
    await pack_to(database, LAST + QUIET_S + 60)
    assert (await count(database))[0] == len(facts), "too few yet"
    await pack_to(database, min(fact.at for fact in facts) + DAY_S + 1)
    async with database.reading() as connection:
        (held,) = await connection.scalars(
            select(journal_packs.c.calls).where(journal_packs.c.calls.is_not(None))
        )
        places = (await connection.execute(select(journal_pack_calls))).all()
    calls = {one for one in map(call_id_of, facts) if one is not None}
    assert set(json.loads(held)) == calls, "all of them together"
    assert {row.call_id for row in places} == calls and len({row.first_seq for row in places}) == 1
    assert await everything(database) == facts


async def test_a_pack_is_of_one_day_and_a_call_without_a_known_age_is_alone(database: Database) -> None:
    """Else a call would be kept as long as the youngest beside it."""
    moved = [
        [at_another_time(fact, days * DAY_S) for fact in facts if call_id_of(fact)]
        for facts, days in zip(CALLS, (0, 0, 300, 301), strict=True)
    ]
    await stored(database, [fact for facts in moved for fact in facts])
    never = call_id_of(moved[1][0])
    async with database.writing() as connection:
        await connection.execute(update(journal).where(journal.c.call_id == never).values(at=12.0))
    await pack_to(database, LAST + 400 * DAY_S)
    async with database.reading() as connection:
        packs = (await connection.execute(select(journal_packs.c.first_at, journal_packs.c.last_at))).all()
    assert len(packs) >= 4
    assert all(pack.last_at - pack.first_at < DAY_S for pack in packs)


def at_another_time(fact: AnyFact, later: float) -> AnyFact:
    return structs.replace(fact, at=fact.at + later)


async def test_two_packers_at_once_pack_each_fact_once(database: Database) -> None:
    facts = mixed(5)
    await stored(database, facts)
    both = await asyncio.gather(*(pack_to(database, LATER) for _ in range(3)), return_exceptions=False)
    assert sum(both) <= len(facts)
    while await pack_to(database, LATER):
        pass
    assert await everything(database) == facts
    assert (await count(database))[0] == 1


async def test_what_was_committed_and_packed_is_written_no_second_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spool of a process may hold facts that were committed after all, and packed by another since."""
    facts = mixed(6)
    writing, lost = database.writing, [0]

    @asynccontextmanager
    async def unanswered() -> AsyncIterator[AsyncConnection]:
        async with writing() as connection:
            yield connection
        if not lost[0]:
            lost[0] = 1
            monkeypatch.setattr(database, "writing", writing)
            await pack_to(database, LATER)
            raise ConnectionResetError("the answer to COMMIT never came")

    async with JournalWriter(database) as writer:
        monkeypatch.setattr(database, "writing", unanswered)
        for fact in facts:
            writer.put(fact)
        await asyncio.wait_for(writer.flush(), 20)
    assert lost == [1]
    assert (await count(database))[1] == 2, "of the calls, and of what is about none"
    assert await everything(database) == facts


async def test_rows_of_before_without_ids_and_rows_nobody_can_read(database: Database) -> None:
    facts = mixed(8)
    await stored(database, facts)
    async with database.writing() as connection:
        await connection.execute(update(journal).values(id=None))
        odd = {"at": 5.0, "kind": "CallStarted", "call_id": "odd", "data": "{broken"}
        await connection.execute(insert(journal), [odd, odd])
    with capture_logs() as logs:
        assert await everything(database) == facts
        await pack_to(database, LATER)
        assert (await count(database))[0] == 1
        assert await everything(database) == facts
    assert [one["event"] for one in logs] == ["journal_fact_unreadable"] * 4


async def test_one_damaged_pack_hides_no_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packer, "FACTS_A_PACK", 1)
    facts = mixed(9)
    await stored(database, facts)
    await pack_to(database, LATER)
    victim = next(filter(None, map(call_id_of, CALLS[1])))
    async with database.writing() as connection:
        its = select(journal_pack_calls.c.first_seq).where(journal_pack_calls.c.call_id == victim)
        harm = update(journal_packs).where(journal_packs.c.first_seq.in_(its)).values(data=b"\x00\x01")
        await connection.execute(harm)
    read = await everything(database)
    assert len(read) < len(facts)
    assert read == [fact for fact in facts if call_id_of(fact) != victim or fact in read]


async def test_prune_takes_the_steps_of_old_calls_and_nothing_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packer, "FACTS_A_PACK", 1)
    facts: Sequence[AnyFact] = mixed(11)
    await stored(database, facts)
    await pack_to(database, LATER)
    keeper = JournalPacker(database, pause_share=0.0)
    old = [fact for fact in CALLS[0] if call_id_of(fact)]
    cut = max(fact.at for fact in old) + 0.001
    published = await what_is_published(database)
    await keeper.prune(cut)
    ends = {
        call_id: max(one.at for one in facts if call_id_of(one) == call_id)
        for call_id in map(call_id_of, facts)
    }
    kept = [one for one in facts if (call_id_of(one) or "") == "" or ends[call_id_of(one)] >= cut]
    assert old[0] not in kept
    assert await everything(database) == kept
    assert await keeper.prune(LATER) > 0
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(journal_pack_calls)) == 0
    left = await everything(database)
    assert [one for one in left if call_id_of(one) is None] == [
        one for one in facts if call_id_of(one) is None
    ]
    assert len([one for one in left if call_id_of(one)]) <= 1
    assert await what_is_published(database) == published


async def what_is_published(database: Database) -> list[object]:
    """Calls, orders, transcripts; figures of the day, counted from the journal."""
    history, figures = HistoryRepository(database), DayFigures(LINES)
    async for fact in JournalReader(database).since(0.0, KINDS):
        figures.apply(fact)
    told = figures.take(LAST)
    assert any(isinstance(one, QueueFiguresChanged) and one.figures.offered == len(CALLS) for one in told)
    found = await history.find_calls(CallFilter(), None, 50)
    said = [await CallRepository(database).list_utterances(one.id) for one in found.items]
    return [told, found, said, await history.find_orders(OrderFilter(), None, 50)]


async def test_a_pbx_that_never_knew_the_time_loses_nothing_before_its_turn(database: Database) -> None:
    await stored(database, CALLS[0])
    async with database.writing() as connection:
        await connection.execute(update(journal).values(at=12.0))
    await pack_to(database, LATER)
    rows, packs = await count(database)
    assert (rows, packs > 1) == (1, True)
    keeper = JournalPacker(database, pause_share=0.0)
    assert await keeper.prune(LAST) == 0
    of_calls = sum(call_id_of(fact) is not None for fact in CALLS[0])
    assert await keeper.prune(2e10) in (of_calls, of_calls - 1)


async def test_the_older_schema_gets_all_facts_back(database: Database) -> None:
    facts = mixed(10)
    await stored(database, facts)
    await pack_to(database, LATER)

    def downgrade(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0010")

    async with database.engine.connect() as connection:
        await connection.run_sync(downgrade)
        await connection.commit()
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(journal)) == len(facts)
    await database.upgrade()
    assert await everything(database) == facts
