"""A checkpoint and what came after say what the whole journal says, whenever it was stored."""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import insert, select, text, update

from agents.figures import day, state
from agents.figures.checkpoints import Checkpoint, JournalFigures
from agents.figures.day import DayFigures
from agents.figures.service import FiguresService
from domain.facts import AgentChanged, AnyFact, QueueEntryChanged
from domain.lines import Line
from domain.queues import AgentState, AgentStatus, QueueEntry, QueueOutcome
from gateway.facts.bus import LocalBus
from gateway.facts.recorder import FactRecorder
from gateway.storage.checkpoints import CheckpointRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.journal_reader import JournalReader
from gateway.storage.packer import DAY_S, JournalPacker
from gateway.storage.rows import journal_row
from gateway.storage.tables import checkpoints, journal
from tests.support.journal import stored

LINES = [
    Line(id="12345", name="12345", numbers=(), queue="q"),
    Line("b", "b", (), "b", timezone="Europe/Berlin"),
]
ZONE = "Asia/Shanghai"
NOON = 1_795_500_000.0
AGENTS, QUEUES = ("1001", "1002", "1003"), ("q", "b", "other")


def agent_facts() -> st.SearchStrategy[Any]:
    return st.builds(
        lambda agent, condition, queues, missed, wrap: ("agent", agent, condition, queues, missed, wrap),
        st.sampled_from(AGENTS),
        st.sampled_from(list(AgentState)),
        st.lists(st.sampled_from(QUEUES), unique=True),
        st.integers(0, 3),
        st.booleans(),
    )


def entry_facts() -> st.SearchStrategy[Any]:
    return st.builds(
        lambda *made: ("entry", *made),
        st.integers(0, 6),
        st.sampled_from(QUEUES),
        st.sampled_from(["entered", "left", "served", "wrapped_up"]),
        st.sampled_from(list(QueueOutcome)),
        st.sampled_from(AGENTS),
        st.floats(0, 600),
    )


def made(step: Any, at: float) -> AnyFact:
    """A fact of a drawn step."""
    if step[0] == "agent":
        _, agent, condition, queues, missed, wrap = step
        status = AgentStatus(
            agent, agent, "", condition, at, queues=tuple(queues), missed=missed,
            wrap_up_until=at + 30 if wrap else None, pbx="main",
        )  # fmt: skip
        return AgentChanged(at=at, agent=status)
    _, number, queue, stage, outcome, agent, seconds = step
    entry = QueueEntry("main", queue, queue, f"main-{number}", f"{number}.1", NOON - 90 * number)
    left = stage != "entered"
    entry = structs.replace(
        entry, outcome=outcome if left else None, waited=seconds if left else None,
        agent=agent if left else None,
        talked=seconds if stage == "served" else None,
        wrapped_up=seconds if stage == "wrapped_up" else None,
    )  # fmt: skip
    return QueueEntryChanged(at=at, entry=entry, stage=stage)


STEPS = st.lists(st.tuples(agent_facts() | entry_facts(), st.floats(-30, 4000)), max_size=40)


def facts_of(steps: Sequence[Any]) -> list[AnyFact]:
    at, facts = NOON - 80_000.0, []
    for step, later in steps:
        at = min(at + later, NOON)
        facts.append(made(step, at))
    return facts


def told(figures: DayFigures, now: float) -> tuple[Any, ...]:
    """Everything figures say, and all they know."""
    figures.resume(now)
    known = state.encode(figures.state())
    return known, figures.take(now + 5.0)


class Journal:
    """A journal in memory, as `JournalFigures` reads it; what is not yet committed appears later."""

    def __init__(self, facts: Sequence[AnyFact]) -> None:
        self.facts = dict(enumerate(facts, 1))
        self.under_way: set[int] = set()
        self.end = 0

    async def since(self, at: float, kinds: Any, *, upto: int | None = None) -> Any:
        for _, fact in self.visible(upto):
            if fact.at >= at:
                yield fact

    async def after(self, seq: int, upto: int | None, kinds: Any) -> Any:
        for place, fact in self.visible(upto):
            if place > seq:
                yield fact

    def visible(self, upto: int | None) -> list[tuple[int, AnyFact]]:
        end = self.end if upto is None else min(upto, self.end)
        return [(seq, fact) for seq, fact in self.facts.items() if seq <= end and seq not in self.under_way]

    async def mark(self) -> tuple[int, int]:
        newest = max((seq for seq, _ in self.visible(None)), default=0)
        return newest, newest

    async def is_settled(self, mark: tuple[int, int]) -> bool:
        return not any(seq <= mark[0] for seq in self.under_way)


class Store:
    """Checkpoints in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Checkpoint] = {}

    async def load(self, name: str, made_of: str) -> Checkpoint | None:
        return self.kept.get((name, made_of))

    async def save(self, name: str, made_of: str, checkpoint: Checkpoint) -> None:
        self.kept[name, made_of] = checkpoint


@given(
    STEPS, st.lists(st.integers(0, 40), max_size=6), st.sets(st.integers(1, 40), max_size=5), st.booleans()
)
async def test_a_checkpoint_never_disagrees_with_a_rebuild(
    steps: Any, moments: list[int], late: set[int], restart: bool
) -> None:
    facts = facts_of(steps)
    journal, store = Journal(facts), Store()
    folding = JournalFigures(LINES, ZONE, journal, store)
    for moment in sorted(moments):
        # Some of what was under way is committed, other facts are not yet.
        journal.end, journal.under_way = moment, {seq for seq in late if moment - 6 < seq <= moment}
        await folding.advance(NOON)
        if restart:
            folding = JournalFigures(LINES, ZONE, journal, store)
            await folding.begin(NOON)
    journal.end, journal.under_way = len(facts), set()
    again = JournalFigures(LINES, ZONE, journal, store)
    await again.begin(NOON)
    whole = DayFigures(LINES, ZONE)
    for fact in facts:
        whole.apply(fact)
    assert told(await again.figures(NOON), NOON + 60) == told(whole, NOON + 60)


@pytest.mark.parametrize("seed", range(4))
async def test_nor_does_it_in_a_database(database: Database, seed: int) -> None:
    rng = random.Random(seed)
    facts = facts_of([(drawn(rng), rng.uniform(-30, 3000)) for _ in range(60)])
    reader, store = JournalReader(database), CheckpointRepository(database)
    done = 0
    for moment in sorted(rng.sample(range(1, 60), 4)):
        await stored(database, facts[done:moment])
        done = moment
        folding = JournalFigures(LINES, ZONE, reader, store)
        await folding.begin(NOON)
        await advanced(folding, reader)
        if seed % 2:
            await JournalPacker(database, pause_share=0.0).pack_old(NOON + 2 * DAY_S)
    await stored(database, facts[done:])
    again = JournalFigures(LINES, ZONE, reader, store)
    await again.begin(NOON)
    assert again.restored
    whole = DayFigures(LINES, ZONE)
    for fact in facts:
        whole.apply(fact)
    assert told(await again.figures(NOON), NOON + 60) == told(whole, NOON + 60)


async def advanced(folding: JournalFigures, reader: JournalReader | None = None) -> None:
    """Fold up to the newest place: others on the same server may have transactions under way for a while."""
    mark = None if reader is None else await reader.mark()
    async with asyncio.timeout(60):
        while not await folding.advance(NOON, mark):  # noqa: ASYNC110 - a server is watched
            await asyncio.sleep(0.05)


def drawn(rng: random.Random) -> Any:
    if rng.random() < 0.5:
        queues = rng.sample(QUEUES, rng.randrange(4))
        return ("agent", rng.choice(AGENTS), rng.choice(list(AgentState)), queues, rng.randrange(4), True)
    stage = rng.choice(["entered", "left", "served", "wrapped_up"])
    outcome = rng.choice(list(QueueOutcome))
    return (
        "entry",
        rng.randrange(7),
        rng.choice(QUEUES),
        stage,
        outcome,
        rng.choice(AGENTS),
        rng.uniform(0, 600),
    )


async def test_another_configuration_or_version_is_not_taken_up(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    await stored(database, facts_of([(("agent", "1001", AgentState.AVAILABLE, ["q"], 0, False), 5.0)]))
    reader, store = JournalReader(database), CheckpointRepository(database)

    async def begun(lines: list[Line], zone: str = ZONE, now: float = NOON) -> JournalFigures:
        folding = JournalFigures(lines, zone, reader, store)
        await folding.begin(now)
        return folding

    await advanced(await begun(LINES), reader)
    assert (await begun(LINES)).restored
    assert not (await begun([*LINES, Line("c", "c", (), "c")])).restored
    assert not (await begun([structs.replace(LINES[0], service_level_s=9.0), LINES[1]])).restored
    assert not (await begun(LINES, "Europe/Paris")).restored
    assert not (await begun(LINES, now=NOON + 2 * DAY_S)).restored, "too old to be of use"
    other = tmp_path / "day.py"
    other.write_text("# another way to count\n")
    with monkeypatch.context() as newer:
        newer.setattr(day, "__file__", str(other))
        assert not (await begun(LINES)).restored
    async with database.writing() as connection:
        await connection.execute(update(checkpoints).values(data=b"\x00"))
    assert not (await begun(LINES)).restored, "damaged"
    async with database.writing() as connection:
        await connection.execute(update(checkpoints).values(seq=10**9))
    assert not (await begun(LINES)).restored, "of another journal"


async def test_what_a_start_has_folded_is_stored_though_nothing_new_comes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.figures.checkpoints.SETTLING_S", 0.0)
    await stored(database, facts_of([(("agent", "1001", AgentState.AVAILABLE, ["q"], 0, False), 5.0)]))
    folding = JournalFigures(LINES, ZONE, JournalReader(database), CheckpointRepository(database))
    await folding.begin(NOON)
    await folding.figures(NOON)
    assert not await folding.advance(NOON)
    await advanced(folding)
    assert not await folding.advance(NOON)


async def test_a_checkpoint_never_goes_back(database: Database) -> None:
    store = CheckpointRepository(database)
    for seq in (5, 9, 7):
        await store.save("figures", "a", Checkpoint(seq, NOON, b"%d" % seq))
    assert await store.load("figures", "a") == Checkpoint(9, NOON, b"9")
    await store.save("figures", "b", Checkpoint(1, NOON + 8 * DAY_S, b""))
    assert await store.load("figures", "a") is None, "nobody stores it any more"


async def test_places_that_are_filled_late_are_waited_for(database: Database) -> None:
    """On PostgreSQL a place is given before the commit: one before the newest may be filled later."""
    early, late = (
        made(("agent", "1001", condition, ["q"], 0, False), NOON - 50 + number)
        for number, condition in enumerate((AgentState.PAUSED, AgentState.AVAILABLE))
    )
    await stored(database, [made(("agent", "1002", AgentState.AVAILABLE, ["q"], 0, False), NOON - 60)])
    reader, store = JournalReader(database), CheckpointRepository(database)
    folding = JournalFigures(LINES, ZONE, reader, store)
    await folding.begin(NOON)
    await advanced(folding, reader)
    before = folding.seq
    if database.sqlite:
        await stored(database, [early, late])
    else:
        async with database.writing() as connection:
            await connection.execute(insert(journal), [{"id": 1, **journal_row(early)}])
            await stored(database, [late])
            assert (await reader.mark())[0] == before + 2
            for _ in range(3):
                assert not await folding.advance(NOON, await reader.mark())
            assert folding.seq == before
    await advanced(folding, reader)
    assert folding.seq == before + 2
    again = JournalFigures(LINES, ZONE, reader, store)
    await again.begin(NOON)
    assert (await again.figures(NOON)).statuses["1001"].state is AgentState.AVAILABLE


async def test_the_last_one_is_stored_at_the_end_and_the_next_start_reads_what_came_after(
    database: Database,
) -> None:
    async def started(writer: JournalWriter) -> FiguresService:
        service = FiguresService(LINES, ZONE, FactRecorder(writer, LocalBus()))
        await service.rebuild(JournalReader(database), CheckpointRepository(database))
        return service

    now = time.time()
    facts = [made(("agent", "1001", one, ["q"], 0, False), now - 100 + n) for n, one in enumerate(AgentState)]
    async with JournalWriter(database) as writer:
        service = await started(writer)
        for fact in facts:
            writer.put(fact)
            service.today.apply(fact)
        await service.store_last()
    async with database.reading() as connection:
        assert await connection.scalar(select(checkpoints.c.seq)) == len(facts)
    # What the checkpoint stands for is gone: the next start does not read it again.
    async with database.writing() as connection:
        await connection.execute(text("DELETE FROM journal WHERE seq < 4"))
    async with JournalWriter(database) as writer:
        again = await started(writer)
    assert again.today.statuses == {"1001": facts[-1].agent}  # type: ignore[union-attr]
    assert again.today.agent("1001", now).logged_in_s == len(facts) - 2, (
        "all but what was signed out, and since"
    )


async def test_the_end_does_not_wait_for_a_database_that_is_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with JournalWriter(database) as writer:
        service = FiguresService(LINES, ZONE, FactRecorder(writer, LocalBus()))
        await service.rebuild(JournalReader(database), CheckpointRepository(database))

        async def never(*_: Any) -> None:
            await asyncio.sleep(3600)

        monkeypatch.setattr(FactRecorder, "flush", never)
        monkeypatch.setattr("agents.figures.service.LAST_CHECKPOINT_S", 0.2)
        await asyncio.wait_for(service.store_last(), 5)
