"""The corpus's table of truth (`tests/data/ami/truth.md`), what a tracker tells, and what queue_log counts.

All three come to the same rows, so that they can be compared as they are.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from agents.figures.day import DayFigures
from domain.calls import Call, EndReason
from domain.facts import AnyFact, CallEnded, QueueEntryChanged
from domain.lines import Line
from tests.support.captures import FOLDER, LINES

TABLE = FOLDER / "truth.md"
COLUMNS = (
    "scenario",
    "what happens",
    "call",
    "end",
    "by",
    "talks",
    "moves",
    "holds",
    "marks",
    "queues",
    "made",
)
SHORT_S = 5
"""Who gives up earlier than after so many seconds is counted apart, and here with the others."""
Spans = tuple[tuple[str, int], ...]
Counts = Mapping[str, Mapping[str, int]]


class Told(NamedTuple):
    """One call, as people would tell it."""

    call: str
    end: str
    by: str
    talks: Spans
    moves: tuple[str, ...]
    holds: Spans
    marks: tuple[str, ...]
    """Voicemail, blocked, a recording paused."""

    @property
    def timeless(self) -> "Told":
        """The same without seconds, which differ each time a scenario is played."""
        return self._replace(
            talks=tuple((who, 0) for who, _ in self.talks), holds=tuple((who, 0) for who, _ in self.holds)
        )


class Row(NamedTuple):
    """What is true of one call of a scenario; `queues` stands in the row of its first call."""

    scenario: str
    what: str
    told: Told
    queues: Counts
    made: str


@cache
def truth() -> Mapping[str, tuple[Row, ...]]:
    """The table, by scenario."""
    found: dict[str, tuple[Row, ...]] = {}
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| ") or cells[0] == COLUMNS[0]:
            continue
        assert len(cells) == len(COLUMNS), f"not {len(COLUMNS)} cells: {line}"
        row = dict(zip(COLUMNS, cells, strict=True))
        told = Told(
            row["call"], row["end"], row["by"], _spans(row["talks"]),
            _words(row["moves"]), _spans(row["holds"]), _words(row["marks"]),
        )  # fmt: skip
        name = row["scenario"]
        one = Row(name, row["what happens"], told, _counts(row["queues"]), row["made"])
        found[name] = (*found.get(name, ()), one)
    return found


def _words(cell: str) -> tuple[str, ...]:
    return tuple(filter(None, cell.split(", ")))


def _spans(cell: str) -> Spans:
    """`1001 3, Desk 6 2` → who, and seconds."""
    pairs = [one.rsplit(" ", 1) for one in cell.split(", ") if one]
    return tuple((who, int(seconds)) for who, seconds in pairs)


def _counts(cell: str) -> Counts:
    """`q12345: offered 1, answered 1; yiqilai: …` → queue: what: how many."""
    return {
        queue: dict(_spans(counts))
        for queue, counts in (one.split(": ", 1) for one in cell.split("; ") if one)
    }


def told_of(call: Call) -> Told:
    """What the tracker tells of a call that is over."""
    kind = " asks" if call.consults else " listens" if call.monitors else ""
    return Told(
        call=f"{call.direction}{kind}",
        end=str(call.end_reason),
        by=str(call.ended_by or ""),
        talks=tuple(
            (talk.agent or talk.party or "?", _seconds(talk.started_at, talk.ended_at))
            for talk in call.conversations
        ),
        moves=tuple(
            f"{one.transfer_type} {one.origin}→{one.target}" + (f" {one.result}" * (one.result != "success"))
            for one in call.transfers
        ),
        holds=tuple((one.agent or "other", _seconds(one.started_at, one.ended_at)) for one in call.holds),
        marks=tuple(f"{one.kind} {one.detail}".strip() for one in call.incidents),
    )


def _seconds(start: float, end: float | None) -> int:
    assert end is not None, "it never ended"
    return round(end - start)


def calls_told(facts: Iterable[AnyFact]) -> list[Call]:
    """The calls that ended and are not part of another, in the order they began."""
    ended = [fact.call for fact in facts if isinstance(fact, CallEnded)]
    own = [call for call in ended if call.end_reason is not EndReason.MERGED]
    return sorted(own, key=lambda call: (call.started_at, call.id))


# -- queues ------------------------------------------------------------------------------------------------
COUNTED = ("offered", "answered", "timeout", "other", "withdrawn", "unseen", "transferred")


def figures_of(facts: Iterable[AnyFact], lines: Iterable[Line] = LINES) -> Counts:
    """What the figures count in each queue, without what is 0."""
    lines = list(lines)
    figures, last = DayFigures(lines), 0.0
    for fact in facts:
        if isinstance(fact, QueueEntryChanged):
            figures.apply(fact)
        last = max(last, fact.at)
    found = {}
    for line in lines:
        day = figures.day(("main", line.queue), last)
        counts = {name: getattr(day, name) for name in COUNTED}
        counts |= {"given up": day.abandoned + day.short_abandoned, "talk": round(day.talk_s)}
        if kept := {name: count for name, count in counts.items() if count}:
            found[line.queue] = kept
    return found


FIGURE_OF = {
    "ENTERQUEUE": "offered", "CONNECT": "answered", "ABANDON": "given up", "EXITWITHTIMEOUT": "timeout",
    "EXITEMPTY": "other", "EXITWITHKEY": "other", "WITHDRAW": "withdrawn",
    "BLINDTRANSFER": "transferred", "ATTENDEDTRANSFER": "transferred",
}  # fmt: skip
"""What a line of queue_log counts as."""
SERVED = frozenset({"COMPLETECALLER", "COMPLETEAGENT", "BLINDTRANSFER", "ATTENDEDTRANSFER"})
"""Lines whose last field but one has the seconds talked."""


def logged_figures(lines: Iterable[str]) -> Counts:
    """The same from the lines of Asterisk's queue_log. It has no line of a caller who was not let in."""
    found: dict[str, Counter[str]] = {}
    for line in lines:
        fields = line.split("|")
        counts = found.setdefault(fields[2], Counter())
        if (name := FIGURE_OF.get(fields[4])) is not None:
            counts[name] += 1
        if fields[4] in SERVED:
            counts["talk"] += int(fields[-2])
    return {queue: dict(+counts) for queue, counts in found.items() if +counts}


def log_of(name: str) -> list[str]:
    """The queue_log kept beside a capture; none, if its Asterisk wrote none."""
    path = FOLDER / f"{name}.queue_log"
    return path.read_text().splitlines() if path.exists() else []


def cells(name: str, what: str, told: Told, queues: Counts, made: str) -> str:
    """A row of the table."""

    def spans(pairs: Iterable[tuple[str, int]]) -> str:
        return ", ".join(f"{who} {count}" for who, count in pairs)

    counts = "; ".join(f"{queue}: {spans(sorted(one.items(), key=_order))}" for queue, one in queues.items())
    row = (
        name, what, told.call, told.end, told.by, spans(told.talks), ", ".join(told.moves),
        spans(told.holds), ", ".join(told.marks), counts, made,
    )  # fmt: skip
    return re.sub(" +", " ", f"| {' | '.join(row)} |")


def _order(item: tuple[str, int]) -> int:
    names = (*COUNTED[:2], "given up", *COUNTED[2:], "talk")
    return names.index(item[0])
