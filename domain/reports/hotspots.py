"""What rises in a place (热点): more orders of one category in one place than its own past lets expect. Pure.

Each place and category is compared with itself: the same hours of the same weekdays in the weeks before. How
many to expect is uncertain where little is known, so the test is against the predictive distribution of a
Poisson rate with a Gamma prior (negative binomial): a single busy week in the past makes it wider. Many pairs
are looked at, so that what is told keeps the share of false ones small (Benjamini and Hochberg).
"""

from collections.abc import Mapping, Sequence
from math import exp, lgamma, log

from msgspec import Struct

WEEKS = 8
"""Of the past that is compared with."""
MIN_COUNT = 5
"""Fewer are no rise, whatever was before."""
FALSE_SHARE = 0.01
"""Of those told, so many may be chance."""
FEWEST_WEEKS = 2
"""With less of a past, nothing can be said."""
PRIOR_COUNT, PRIOR_WEEKS = 0.5, 1.0
"""What is known of a pair of which nothing is known: half an order in a week's window."""
Pair = tuple[str, str]
"""(place, category)"""


class Hotspot(Struct, frozen=True):
    """One category in one place that rises. Texts are untrusted input."""

    place: str
    category: str
    count: int
    expected: float
    """In the same hours, by the weeks before."""
    p: float
    """How likely so many are, or more, if nothing has changed."""


def hotspots(now: Mapping[Pair, int], before: Sequence[Mapping[Pair, int]]) -> list[Hotspot]:
    """What rises, the least likely first.

    `now`: orders of each pair in the window; `before`: the same, of the same window in each week before.
    Where neither place nor category is known, nothing can rise.
    """
    pairs = {pair for one in (now, *before) for pair in one if all(pair)}
    tested = sorted((_tested(pair, now, before) for pair in pairs), key=lambda one: one.p)
    told = 0
    for rank, one in enumerate(tested, start=1):
        if one.p <= FALSE_SHARE * rank / len(tested):
            told = rank
    return [one for one in tested[:told] if one.count >= MIN_COUNT and one.count > one.expected]


def _tested(pair: Pair, now: Mapping[Pair, int], before: Sequence[Mapping[Pair, int]]) -> Hotspot:
    past = [one.get(pair, 0) for one in before]
    known, weeks = sum(past) + PRIOR_COUNT, len(past) + PRIOR_WEEKS
    expected, count = known / weeks, now.get(pair, 0)
    # Variance through mean of the next week: of a Poisson process whose rate is not known better than this,
    # and more where weeks differ more than chance has them differ.
    variance = _dispersion(past) * (1 + 1 / weeks)
    certain = 1 / (variance - 1)
    return Hotspot(*pair, count, expected, at_least(count, expected * certain, certain))


def at_least(count: int, known: float, weeks: float) -> float:
    """How likely `count` or more are in a week, where `known` were seen in so many weeks."""
    below = 0.0
    for k in range(count):
        below += exp(
            lgamma(known + k)
            - lgamma(known)
            - lgamma(k + 1)
            + known * log(weeks / (weeks + 1))
            - k * log(weeks + 1)
        )
    return max(0.0, min(1.0, 1.0 - below))


def _dispersion(past: Sequence[int]) -> float:
    """Variance through mean, at least 1: 1 of a Poisson process."""
    if len(past) < 2 or not sum(past):
        return 1.0
    mean = sum(past) / len(past)
    variance = sum((one - mean) ** 2 for one in past) / (len(past) - 1)
    return max(1.0, variance / mean)
