"""When a report is due, and of which days it is. Pure."""

from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Every = Literal["day", "week", "month", "year"]


def due_until(every: Every, at: time, zone: ZoneInfo, now: float) -> int:
    """When it was due last, POSIX seconds."""
    day = datetime.fromtimestamp(now, zone).date()
    first = _first(every, day)
    due = _instant(first, at, zone)
    return due if due <= now else _instant(_first(every, first - timedelta(days=1)), at, zone)


def due_after(every: Every, at: time, zone: ZoneInfo, due_at: float) -> int:
    """When it is due next after it was due at `due_at`."""
    day = datetime.fromtimestamp(due_at, zone).date()
    following = _next(every, _first(every, day))
    due = _instant(following, at, zone)
    # Where the time of day was changed since.
    return due if due > due_at else _instant(_next(every, following), at, zone)


def days_of(every: Every, zone: ZoneInfo, due_at: float) -> tuple[date, date]:
    """The days [since, until) of the report due then: the day, week, month or year that is over."""
    until = _first(every, datetime.fromtimestamp(due_at, zone).date())
    return _first(every, until - timedelta(days=1)), until


def _instant(day: date, at: time, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, at, tzinfo=zone).timestamp())


def _first(every: Every, day: date) -> date:
    if every == "year":
        return day.replace(month=1, day=1)
    if every == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if every == "week" else day


def _next(every: Every, first: date) -> date:
    days = {"day": 1, "week": 7, "month": 32, "year": 367}[every]
    return _first(every, first + timedelta(days=days))
