"""What a crash left half-way between a recording's file and its row, found and finished at the start."""

import re
from pathlib import PurePosixPath
from typing import Protocol

import structlog

from domain.recordings import StoredRecording
from recordings.takeover import Archive

log = structlog.get_logger(__name__)

NAME = re.compile(r"(?P<call>[A-Za-z0-9._-]+)-\d+\.wav")


class RecordingRows(Protocol):
    """Port: the rows of recordings, and the work left to do on calls."""

    async def recording_at(self, path: str) -> StoredRecording | None:
        """The recording whose file that is."""
        ...

    async def retry_finish(self, call_id: str) -> list[str]:
        """Open the call's work again where it lacks something; the ids of the calls opened."""
        ...


async def finish_half_way(archive: Archive, rows: RecordingRows) -> None:
    """Move each file that has its row to its place; have the call of each other one finished once more.

    A call whose work is still open takes up its file by itself.
    """
    for path in await archive.left_half_way():
        row = await rows.recording_at(path)
        if row is not None and await archive.keep(path, row.sha256):
            log.info("recording_kept", recording=row.id)
            continue
        name = NAME.fullmatch(PurePosixPath(path).name)
        opened = await rows.retry_finish(name["call"]) if name else []
        log.warning("recording_without_row", file=path, reopened=opened)
