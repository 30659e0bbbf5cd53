"""A report: figures of a range of days, told apart by one thing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum

from msgspec import Struct

from domain.reports.counts import COUNTS, OF_THE_ORDER, RATES, Counts, Dimension, Kind
from domain.reports.periods import Grain


class By(StrEnum):
    """What the rows of a report are."""

    LINE = "line"
    AGENT = "agent"
    UNIT = "unit"
    PLACE = "place"
    CATEGORY = "category"
    SOURCE = "source"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    @property
    def grain(self) -> Grain | None:
        """The size of the periods, if the rows are periods."""
        return Grain(self.value) if self.value in list(Grain) else None

    @property
    def dimension(self) -> Dimension | None:
        """The dimension, if the rows are values of one."""
        return Dimension(self.value) if self.value in list(Dimension) else None


class ReportQuery(Struct, frozen=True):
    """What is asked: the days [since, until), the rows, and of what alone."""

    since: date
    until: date
    by: By = By.DAY
    line: str | None = None
    dimension: Dimension | None = None
    value: str = ""
    """Only what has this value of `dimension`; empty text: where it is not known."""

    @property
    def is_countable(self) -> bool:
        """Whether there are figures of it: sums are kept by one dimension at a time."""
        return self.dimension is None or self.by.dimension in (None, self.dimension)


class ReportRow(Struct, frozen=True):
    """One period, line or value of a dimension."""

    key: str | int
    """The value, empty where it is not known; or when the period begins, POSIX seconds."""
    counts: Counts
    rates: Mapping[str, float | None]


class Report(Struct, frozen=True):
    """Figures of a range of days."""

    query: ReportQuery
    rows: Sequence[ReportRow]
    total: ReportRow


def report_of(query: ReportQuery, counted: Mapping[str | int, Counts]) -> Report:
    """The report of what was counted for each row; periods in order, else the most first."""
    of_the_order = query.by.dimension in OF_THE_ORDER
    rows = [
        _row(key, _without_entries(counts) if of_the_order else counts) for key, counts in counted.items()
    ]
    if query.by.grain is not None:
        rows.sort(key=lambda row: row.key)
    else:
        rows.sort(key=lambda row: (-_weight(row.counts), str(row.key)))
    return Report(query, rows, _row("", added(counted.values())))


def added(counts: Iterable[Counts]) -> dict[str, int]:
    """The sums."""
    total = dict.fromkeys(COUNTS, 0)
    for one in counts:
        for name, count in one.items():
            total[name] += count
    return total


def _row(key: str | int, counts: Counts) -> ReportRow:
    return ReportRow(key, counts, {rate.name: rate.of(counts) for rate in RATES})


def _without_entries(counts: Counts) -> dict[str, int]:
    """Nobody knows what those wanted whom nobody answered: no unit, no category can tell of waiting."""
    return {name: count for name, count in counts.items() if COUNTS[name] is not Kind.ENTRY}


def _weight(counts: Counts) -> int:
    return max(counts.get("offered", 0), counts.get("calls", 0), counts.get("concluded", 0))
