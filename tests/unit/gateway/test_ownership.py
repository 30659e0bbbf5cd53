"""Who may act: by a lease that is renewed, lost, given back, or cannot be asked about."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway import ownership
from gateway.ownership import Ownership
from gateway.storage.leases import Grant, LeaseRepository, Renewal

GRANT = Grant(("pbx:main",), "me", (3,), ())


class Leases(LeaseRepository):
    """A database that answers as told."""

    def __init__(self) -> None:
        self.answer: Callable[[], Awaitable[Renewal]] = self.held
        self.contested = True

    async def held(self) -> Renewal:
        return Renewal(True, self.contested)

    async def lost(self) -> Renewal:
        return Renewal(False, True)

    async def away(self) -> Renewal:
        raise OSError("connection refused")

    async def silent(self) -> Renewal:
        await asyncio.Event().wait()
        return Renewal(True, True)

    async def take(self, *_: object) -> Grant | None:
        return GRANT

    async def renew(self, *_: object) -> Renewal:
        return await self.answer()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "RENEW_S", 0.01)
    monkeypatch.setattr(ownership, "ANSWER_S", 0.05)


async def holding() -> tuple[Ownership, Leases, Clock]:
    leases, clock = Leases(), Clock()
    mine = Ownership(leases, GRANT.names, "http://here/", ttl_s=5.0, clock=clock)
    await mine.take()
    assert mine.holds
    return mine, leases, clock


def test_before_it_holds_anything_it_may_not_act() -> None:
    assert not Ownership(Leases(), GRANT.names, "http://here/").holds


async def test_a_holder_that_was_stopped_may_not_act_when_it_wakes_up() -> None:
    mine, _, clock = await holding()
    clock.now += 3.9
    assert mine.holds
    clock.now += 0.2
    assert not mine.holds, "before the lease runs out"


async def test_renewed_it_holds_on_also_after_a_pause_in_which_nobody_took_over() -> None:
    mine, _, clock = await holding()
    keeping = asyncio.create_task(mine.keep())
    for _ in range(3):
        clock.now += 100.0
        # With the next renewal, whenever a busy machine comes to it.
        async with asyncio.timeout(5):
            while not mine.holds:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    keeping.cancel()


async def test_told_that_it_is_lost_it_stops() -> None:
    mine, leases, _ = await holding()
    leases.answer = leases.lost
    assert "took over" in await asyncio.wait_for(mine.keep(), 5)
    assert not mine.holds


@pytest.mark.parametrize("trouble", ["away", "silent"])
async def test_where_the_database_is_gone_it_gives_up_in_time_if_another_stands_by(trouble: str) -> None:
    mine, leases, clock = await holding()
    leases.answer = getattr(leases, trouble)
    keeping = asyncio.create_task(mine.keep())
    await asyncio.sleep(0.2)
    assert not keeping.done()
    clock.now += 4.1
    assert "another process stands by" in await asyncio.wait_for(keeping, 5)


@pytest.mark.parametrize("trouble", ["away", "silent"])
async def test_alone_it_carries_on_while_the_database_is_gone(trouble: str) -> None:
    mine, leases, clock = await holding()
    leases.contested = False
    keeping = asyncio.create_task(mine.keep())
    await asyncio.sleep(0.05)
    leases.answer = getattr(leases, trouble)
    await asyncio.sleep(0.2)
    clock.now += 3600.0
    await asyncio.sleep(0.2)
    assert mine.holds
    assert not keeping.done()
    keeping.cancel()


async def test_alone_but_just_woken_up_it_asks_before_it_acts() -> None:
    mine, leases, clock = await holding()
    leases.contested = False
    keeping = asyncio.create_task(mine.keep())
    await asyncio.sleep(0.05)
    clock.now += 60.0
    assert not mine.holds
    keeping.cancel()
