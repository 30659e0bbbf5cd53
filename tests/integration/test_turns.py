"""Of two gateways on one database one serves; whichever way it is lost, the other takes over, whole."""

import asyncio
import random
from pathlib import Path

import pytest

from gateway.settings import Settings
from tests.support.turns import TAKES_OVER_S, Callers, everything_done, faults, listeners, pair_on

pytestmark = [pytest.mark.asterisk, pytest.mark.postgresql]

WAYS = ("kill", "stop", "cut", "term")
ROUNDS = 40


async def rounds(example: Settings, directory: Path, url: str, ways: list[str]) -> list[tuple[float, str]]:
    """Lose whoever serves in each of these ways, under calls; how long each take-over took, in seconds."""
    async with pair_on(example, directory, url) as pair:
        async with Callers(pair) as callers:
            for way in ways:
                await asyncio.sleep(random.uniform(1.0, 8.0))
                await pair.lose(way)
        await everything_done(pair)
        assert await faults(pair, callers.placed) == []
        assert pair.receiver.orders
        assert await listeners(pair) == []
        return pair.took_s


@pytest.mark.timeout(400)
async def test_the_other_takes_over_whichever_way_one_is_lost(
    example: Settings, tmp_path: Path, postgresql_url: str
) -> None:
    took = await rounds(example, tmp_path, postgresql_url, list(WAYS))
    assert max(took) < (TAKES_OVER_S, "")


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_forty_losses_under_calls(example: Settings, tmp_path: Path, postgresql_url: str) -> None:
    ways = [WAYS[number % len(WAYS)] for number in range(ROUNDS)]
    random.shuffle(ways)
    took = await rounds(example, tmp_path, postgresql_url, ways)
    median, longest = sorted(took)[len(took) // 2], max(took)
    print(f"take-overs: median {median[0]:.1f} s, longest {longest[0]:.1f} s ({longest[1]})")
    assert max(took) < (TAKES_OVER_S, "")
