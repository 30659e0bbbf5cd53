"""Reads what a PBX left of calls nobody watched: queue log, CDR file, recordings. Blocking."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from domain.pbx.records import DetailRecord, PbxRecords, QueueLogLine, RawRecording
from gateway.asterisk.cel import cel_event, cel_time, detail_records
from gateway.asterisk.queue_log import UNIQUE_ID, began_at, detail_record, log_time, queue_log_line
from gateway.calls.stays import by_caller
from gateway.settings import PbxSettings
from recordings.pcm import RATE
from recordings.takeover import TakeoverError, local_path, raw_files

log = structlog.get_logger(__name__)

BLOCK = 1 << 16
LONGEST_LINE = 1 << 16
LEG = re.compile(rf"(?P<uniqueid>{UNIQUE_ID.pattern.replace('?P<second>', '?:')})-(?P<leg>rx|tx)\.raw")


def read_records(
    pbx: PbxSettings, since: float, paths: Iterable[str] = (), watched_until: float = 0.0
) -> PbxRecords:
    """Read the records from `since` (POSIX seconds) on, and the lengths of the recordings at `paths`.

    What cannot be read is logged with the fix, and missing; the rest is returned all the same.
    """
    queue_log: list[QueueLogLine] = []
    tells = False
    for line in _lines(pbx.queue_log, since, log_time, "queue_log", pbx.name):
        tells = True
        if (entry := queue_log_line(line)) is not None and entry.at >= since:
            queue_log.append(entry)

    def ended_at(line: str) -> float | None:
        found = detail_record(line, utc=pbx.cdr_utc)
        return found.ended_at if found is not None else None

    rows = (
        detail_record(line, utc=pbx.cdr_utc) for line in _lines(pbx.cdr, since, ended_at, "cdr", pbx.name)
    )
    cdr = _by_call(row for row in rows if row is not None and row.ended_at >= since)
    events = (cel_event(line) for line in _lines(pbx.cel, since, cel_time, "cel", pbx.name))
    cel = _by_call(detail_records(one for one in events if one is not None and one.at >= since))
    # Of a call in both, the channel event log tells more: who took over, and when each conversation began.
    details = cdr | cel
    return PbxRecords(
        queue_log=by_caller(queue_log),
        details=details,
        recordings=_recordings(pbx, since),
        lengths=_lengths(pbx, paths),
        watched_until=watched_until,
        tells_answers=tells or bool(details) or _readable(pbx.queue_log),
    )


def _by_call(records: Iterable[DetailRecord]) -> dict[str, tuple[DetailRecord, ...]]:
    found: dict[str, list[DetailRecord]] = {}
    for record in records:
        found.setdefault(record.uniqueid, []).append(record)
    return {uniqueid: tuple(own) for uniqueid, own in found.items()}


def _readable(file: Path | None) -> bool:
    return file is not None and os.access(file, os.R_OK)


def _lines(
    file: Path | None, since: float, time_of: Callable[[str], float | None], key: str, pbx: str
) -> Iterator[str]:
    """Yield the lines of a log from `since` on, and perhaps a few before; then also of its rotated elder."""
    if file is None:
        return
    try:
        start, older = _start_of(file, since, time_of)
        elder = file.with_name(f"{file.name}.1")
        if older is False and elder.is_file():
            yield from _from(elder, _start_of(elder, since, time_of)[0])
        yield from _from(file, start)
    except OSError as error:
        log.warning(
            "pbx_records_unreadable",
            pbx=pbx,
            file=str(file),
            error=str(error),
            fix=f"let the gateway read it, or correct {key} of this PBX in the configuration",
        )


def _start_of(file: Path, since: float, time_of: Callable[[str], float | None]) -> tuple[int, bool]:
    """Return where to begin reading, and whether there is anything older than `since` before that."""
    with file.open("rb") as data:
        at = data.seek(0, os.SEEK_END)
        while at > 0:
            at = max(0, at - BLOCK)
            data.seek(at)
            block = data.read(BLOCK)
            head, _, rest = block.partition(b"\n") if at else (b"", b"", block)
            first = next((t for line in rest.splitlines() if (t := time_of(_text(line))) is not None), None)
            if first is not None and first < since:
                return at + (len(head) + 1 if at else 0), True
    return 0, False


def _from(file: Path, start: int) -> Iterator[str]:
    with file.open("rb") as data:
        data.seek(start)
        while line := data.readline(LONGEST_LINE):
            if line.endswith(b"\n"):  # else it is still being written
                yield _text(line)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def _recordings(pbx: PbxSettings, since: float) -> dict[str, RawRecording]:
    """The pairs of files named after a channel made since then; any other file is somebody else's."""
    found: dict[str, set[str]] = {}
    try:
        with os.scandir(pbx.recordings_dir) as files:
            for file in files:
                name = LEG.fullmatch(file.name)
                began = began_at(name["uniqueid"]) if name else None
                if name and began is not None and began >= since and file.is_file(follow_symlinks=False):
                    found.setdefault(name["uniqueid"], set()).add(name["leg"])
    except OSError as error:
        fix = "correct recordings_dir of this PBX, or mount it"
        log.warning("recordings_unreadable", pbx=pbx.name, error=str(error), fix=fix)
    pairs = {}
    for uniqueid, legs in found.items():
        if len(legs) == 2:
            with suppress(OSError):
                pairs[uniqueid] = _recording(pbx, uniqueid)
    return {uniqueid: one for uniqueid, one in pairs.items() if one.duration > 0}


def _recording(pbx: PbxSettings, uniqueid: str) -> RawRecording:
    name = f"{uniqueid}.raw"
    sizes = raw_files(pbx.recordings_dir / name)
    return RawRecording(
        uniqueid=uniqueid,
        path=f"{pbx.recordings_prefix.rstrip('/')}/{name}",
        duration=_duration(sizes),
        written_at=max(file.stat().st_mtime for file in sizes),
    )


def _duration(sizes: Mapping[Path, int]) -> float:
    """Seconds in raw files of those sizes: a pair of legs, or one file with both."""
    return max(sizes.values()) / (2 if len(sizes) == 2 else 4) / RATE


def _lengths(pbx: PbxSettings, paths: Iterable[str]) -> dict[str, float]:
    """Seconds recorded at those paths, as far as there is anything."""
    found = {}
    for path in paths:
        with suppress(OSError, TakeoverError):
            found[path] = _duration(raw_files(local_path(path, pbx.recordings_prefix, pbx.recordings_dir)))
    return found
