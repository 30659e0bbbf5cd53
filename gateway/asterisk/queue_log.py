"""Reads lines of Asterisk's `queue_log` and of its CDR file, `cdr-csv/Master.csv`. Pure."""

import csv
import re
from datetime import UTC, datetime

from domain.pbx.records import DetailRecord, QueueLogLine

UNIQUE_ID = re.compile(r"(?:[A-Za-z0-9_.-]{1,80}-)?(?P<second>\d{9,11})\.\d{1,10}")
"""`[<system name>-]<epoch second>.<counter>`"""
NOBODY = "NONE"
MAX_FIELD = 200
_CDR_FIELDS = 17


def began_at(uniqueid: str) -> float | None:
    """Return the second in which the channel of that unique id was created; `None`: it is none."""
    found = UNIQUE_ID.fullmatch(uniqueid)
    return float(found["second"]) if found else None


def queue_log_line(line: str) -> QueueLogLine | None:
    """Return the line, or `None` where it is not about one caller, or damaged."""
    fields = line.rstrip("\r\n").split("|")
    if len(fields) < 5 or "\0" in line:
        return None
    at, uniqueid, queue, agent, event = fields[:5]
    if not re.fullmatch(r"\d{9,11}(\.\d{1,9})?", at) or began_at(uniqueid) is None:
        return None
    data = tuple(field[:MAX_FIELD] for field in fields[5:15])
    member = "" if agent == NOBODY else agent[:MAX_FIELD]
    return QueueLogLine(float(at), uniqueid, queue[:MAX_FIELD], member, event, data)


def detail_record(line: str, *, utc: bool = False) -> DetailRecord | None:
    """Return the record, or `None`: it is damaged, or lacks the unique id (`loguniqueid = yes` in cdr.conf).

    Its times are UTC with `utc` (`usegmtime = yes`), else this machine's.
    """
    try:
        fields = next(csv.reader([line.rstrip("\r\n")]), [])
    except csv.Error:
        return None
    if len(fields) < _CDR_FIELDS or "\0" in line:
        return None
    uniqueid = fields[16]
    started, ended = local_time(fields[9], utc=utc), local_time(fields[11], utc=utc)
    if began_at(uniqueid) is None or started is None or ended is None or ended < started:
        return None
    answered = local_time(fields[10], utc=utc)
    return DetailRecord(
        uniqueid=uniqueid,
        source=fields[1][:MAX_FIELD],
        destination=fields[2][:MAX_FIELD],
        channel=fields[5][:MAX_FIELD],
        dest_channel=fields[6][:MAX_FIELD],
        started_at=started,
        ended_at=ended,
        answered_at=answered,
        answered=fields[14] == "ANSWERED" and answered is not None,
    )


def log_time(line: str) -> float | None:
    """Return when a line of the queue log was written."""
    found = re.match(r"(\d{9,11})(?:\.\d+)?\|", line)
    return float(found[1]) if found else None


def caller_of(line: QueueLogLine) -> str:
    """Return the caller's number of an `ENTERQUEUE`, as the trunk delivered it."""
    return line.data[1][:64] if line.event == "ENTERQUEUE" and len(line.data) > 1 else ""


def seconds(line: QueueLogLine, index: int) -> float | None:
    """Return a field of the line as seconds; `None`: it is not there, or absurd."""
    text = line.data[index] if index < len(line.data) else ""
    return float(text) if re.fullmatch(r"\d{1,7}", text) else None


def local_time(text: str, *, utc: bool = False) -> float | None:
    """Return POSIX seconds of `2026-03-01 12:00:00`, this machine's time or UTC; `None`: it is none."""
    try:
        at = datetime.fromisoformat(text.strip())
        return (at.replace(tzinfo=UTC) if utc and at.tzinfo is None else at).timestamp()
    except (OverflowError, OSError, ValueError):
        return None
