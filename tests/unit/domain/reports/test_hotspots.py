"""What rises in a place is found against its own past, and chance is not."""

import math
import random

import pytest

from domain.reports.hotspots import FALSE_SHARE, WEEKS, at_least, hotspots

NOISE, WATER = "噪声扰民", "停水"
TOWNS = [f"镇街{number}" for number in range(25)]
CATEGORIES = [f"类别{number}" for number in range(20)]


def poisson(chance: random.Random, mean: float) -> int:
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count, product = count + 1, product * chance.random()
    return count


def usual(chance: random.Random) -> dict[tuple[str, str], int]:
    """A quiet day of a district: some pairs are busy, most are rare."""
    found = {}
    for t, town in enumerate(TOWNS):
        for c, category in enumerate(CATEGORIES):
            if count := poisson(chance, 8.0 / ((1 + t % 5) * (1 + c))):
                found[town, category] = count
    return found


def test_a_rise_is_found_and_told_with_what_was_to_be_expected() -> None:
    chance = random.Random(1)
    before = [usual(chance) for _ in range(WEEKS)]
    now = {**usual(chance), (TOWNS[3], WATER): 9}
    (found,) = [one for one in hotspots(now, before) if one.category == WATER]
    assert (found.place, found.count) == (TOWNS[3], 9)
    assert found.expected < 0.1 and found.p < 1e-6
    assert hotspots(now, before)[0] == found


def test_what_is_always_much_is_no_rise_and_few_are_none() -> None:
    busy = {("刘桥镇", NOISE): 30}
    assert hotspots(busy, [busy] * WEEKS) == []
    assert hotspots({("刘桥镇", NOISE): 4}, [{}] * WEEKS) == []
    assert hotspots({("", NOISE): 50, ("刘桥镇", ""): 50}, [{}] * WEEKS) == []
    assert hotspots({}, []) == []


def test_where_weeks_differ_much_more_is_needed() -> None:
    steady, wild = (
        [{("甲", NOISE): 10}] * 8,
        [{("甲", NOISE): count} for count in (1, 30, 2, 25, 3, 12, 5, 2)],
    )
    assert len(hotspots({("甲", NOISE): 28}, steady)) == 1
    assert hotspots({("甲", NOISE): 28}, wild) == []


def test_chance_alone_is_seldom_told() -> None:
    """500 pairs a day, 200 days: about a hundredth of the days may tell of one."""
    chance = random.Random(7)
    days = [usual(chance) for _ in range(200 + 7 * WEEKS)]
    told = sum(
        bool(hotspots(days[at], [days[at - 7 * week] for week in range(1, WEEKS + 1)]))
        for at in range(7 * WEEKS, len(days))
    )
    assert told <= 200 * FALSE_SHARE * 3


@pytest.mark.parametrize(("known", "weeks"), [(0.5, 1.0), (12.5, 9.0), (200.0, 9.0)])
def test_the_chances_add_up(known: float, weeks: float) -> None:
    assert at_least(0, known, weeks) == 1.0
    chances = [at_least(count, known, weeks) for count in range(400)]
    assert chances == sorted(chances, reverse=True)
    # The mean of what is to come is that of what was.
    assert sum(chances[1:]) == pytest.approx(known / weeks, rel=1e-6)
