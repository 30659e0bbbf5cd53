"""The dedicated seats (专席) and the general group, with real calls: overflow by penalty, priority by weight.

The seat serves its own line first, and helps 12345 once a caller there has waited; nobody is kept idle.
"""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.calls import Call, CallState
from gateway.settings import AgentSettings, LineSettings, OverflowStep, Settings, load_settings
from gateway.settings.load import EXAMPLE
from tests.support.pbx import scenario_asterisk_for
from tests.support.scenario import ScenarioAsterisk, Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

OVERFLOW_S = 4
GENERAL, SEATS, EARLIER = "13962875016", "13962875017", "13962875018"
MORE = tuple(f"1396287502{number}" for number in range(5))


def settings() -> Settings:
    """12345 reaches the seat of 一企来 after a time; 一企来 has priority at its seat, and no overflow."""
    lines = [
        LineSettings(
            id="12345",
            name="政务服务便民热线",
            numbers=["12345"],
            queue="q12345",
            overflow=[OverflowStep(after_s=OVERFLOW_S, max_penalty=5)],
        ),
        LineSettings(id="yiqilai", name="一企来", numbers=["12346"], queue="yiqilai", priority=10),
    ]
    agents = [
        AgentSettings(id="1001", name="王芳", phone="PJSIP/1001", lines={"12345": 0}),
        AgentSettings(id="1002", name="李强", phone="PJSIP/1002", lines={"yiqilai": 0, "12345": 5}),
    ]
    changed = load_settings(EXAMPLE).model_dump() | {
        "lines": [line.model_dump() for line in lines],
        "agents": [agent.model_dump() for agent in agents],
        "workorders": [],
    }
    return Settings.model_validate(changed)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seats_asterisk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ScenarioAsterisk]:
    async with scenario_asterisk_for(settings(), tmp_path_factory.mktemp("seats")) as asterisk:
        yield asterisk


@pytest_asyncio.fixture(loop_scope="session")
async def seats(seats_asterisk: ScenarioAsterisk) -> AsyncIterator[Stage]:
    async with Stage(seats_asterisk, settings()) as stage:
        yield stage


def of(stage: Stage, caller: str) -> Call | None:
    return next((call for call in stage.tracker.calls.values() if call.caller.number == caller), None)


def waits(stage: Stage, caller: str) -> bool:
    call = of(stage, caller)
    return call is not None and call.state is CallState.QUEUED


async def served(stage: Stage, caller: str) -> None:
    """Wait until that caller speaks with an agent."""
    await stage.until(lambda: any(call.talking for call in [of(stage, caller)] if call))


async def test_the_general_line_reaches_the_seat_after_its_time_only(seats: Stage) -> None:
    async with seats.agent("1002") as seat, seats.outside() as public:
        call = await public.dial("12345", GENERAL)
        began = time.monotonic()
        await seats.until(lambda: waits(seats, GENERAL))
        await seats.talking("1002")
        waited = time.monotonic() - began
        # Asterisk looks at the rules between rounds of ringing (retry: 1 s here).
        assert OVERFLOW_S - 0.5 <= waited < OVERFLOW_S + 4
        assert len(seat.calls) == 1
        await call.hang_up()
        await seats.until(lambda: not seats.tracker.channels)


async def test_the_seat_gets_its_own_line_first_and_nobody_is_kept_idle(seats: Stage) -> None:
    async with seats.agent("1002"), seats.outside() as public:
        first = await public.dial("12346", EARLIER)
        await seats.talking("1002")
        # Who has waited longer than the overflow's time for the seat, on the general line …
        general = await public.dial("12345", GENERAL)
        await seats.until(lambda: waits(seats, GENERAL))
        await asyncio.sleep(OVERFLOW_S + 2)
        # … comes after who has just called the seat's own line.
        own = await public.dial("12346", SEATS)
        await seats.until(lambda: waits(seats, SEATS))
        async with seats.agent("1001") as group:
            # The seat's waiting caller keeps nobody of the general group from theirs.
            await asyncio.wait_for(group.incoming(), 5)
            await seats.talking("1001")
            assert waits(seats, SEATS)
            await general.hang_up()
            await seats.until(lambda: of(seats, GENERAL) is None)
        general = await public.dial("12345", GENERAL)
        await seats.until(lambda: waits(seats, GENERAL))
        await asyncio.sleep(OVERFLOW_S + 2)
        # Without priority it would be chance: so again and again, at other moments of the queues' rounds.
        talking, waiting, number = first, own, SEATS
        for following in MORE:
            await talking.hang_up()
            await served(seats, number)
            assert waits(seats, GENERAL)
            talking, waiting, number = waiting, await public.dial("12346", following), following
            await asyncio.sleep(0.3)
        await talking.hang_up()
        await served(seats, number)
        await waiting.hang_up()
        await served(seats, GENERAL)
        await general.hang_up()
        await seats.until(lambda: not seats.tracker.channels)
