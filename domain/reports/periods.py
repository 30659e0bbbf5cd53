"""Hours, days, months and years, and how a range is made of the largest of them."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct

HOUR_S = 3600


class Grain(StrEnum):
    """A size of periods."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


LARGER = (Grain.HOUR, Grain.DAY, Grain.MONTH, Grain.YEAR)


class Span(Struct, frozen=True):
    """Periods of one size in a row, [start, end) in POSIX seconds."""

    grain: Grain
    start: int
    end: int


def midnight(day: date, zone: ZoneInfo) -> int:
    """When that day begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def day_at(at: float, zone: ZoneInfo) -> date:
    """The day in which `at` lies."""
    return datetime.fromtimestamp(at, zone).date()


def shift_of(at: float, zone: ZoneInfo) -> int:
    """By how many seconds the hours of that zone begin behind those of UTC: 1800 in Asia/Kolkata."""
    offset = datetime.fromtimestamp(at, zone).utcoffset() or timedelta()
    return int(-offset.total_seconds()) % HOUR_S


def period_of(grain: Grain, at: float, zone: ZoneInfo) -> tuple[int, int]:
    """The period in which `at` lies, [start, end)."""
    if grain is Grain.HOUR:
        shift = shift_of(at, zone)
        start = int((at - shift) // HOUR_S) * HOUR_S + shift
        return start, start + HOUR_S
    first = _first(grain, day_at(at, zone))
    return midnight(first, zone), midnight(_next(grain, first), zone)


def spans(since: date, until: date, zone: ZoneInfo, largest: Grain = Grain.YEAR) -> list[Span]:
    """The days [since, until) as the largest whole periods, in order; neighbours of one size are one span."""
    if largest is Grain.HOUR:
        whole = Span(Grain.HOUR, midnight(since, zone), midnight(until, zone))
        return [whole] if since < until else []
    found: list[Span] = []
    for grain, first, after in _pieces(since, until, largest):
        start, end = midnight(first, zone), midnight(after, zone)
        if found and found[-1].grain is grain:
            start = found.pop().start
        found.append(Span(grain, start, end))
    return found


def starts(grain: Grain, since: date, until: date, zone: ZoneInfo) -> list[int]:
    """When each period that touches the days [since, until) begins, in order; the first one maybe earlier."""
    if since >= until:
        return []
    at, end = period_of(grain, midnight(since, zone), zone)[0], midnight(until, zone)
    found = []
    while at < end:
        found.append(at)
        at = period_of(grain, at, zone)[1]
    return found


def _pieces(since: date, until: date, largest: Grain) -> Iterator[tuple[Grain, date, date]]:
    while since < until:
        for grain in (Grain.YEAR, Grain.MONTH, Grain.DAY):
            if LARGER.index(grain) > LARGER.index(largest) or _first(grain, since) != since:
                continue
            after = _next(grain, since)
            if after <= until:
                yield grain, since, after
                since = after
                break


def _first(grain: Grain, day: date) -> date:
    if grain is Grain.YEAR:
        return day.replace(month=1, day=1)
    return day.replace(day=1) if grain is Grain.MONTH else day


def _next(grain: Grain, first: date) -> date:
    if grain is Grain.YEAR:
        return first.replace(year=first.year + 1)
    if grain is Grain.MONTH:
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return first + timedelta(days=1)
