"""Hearing calls again: recordings from the archive, clips of a call, running or over."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from domain.calls import Call
from domain.recordings import StoredRecording
from recordings.playback import Clip, Peaks, Source, cut, peaks, reached
from recordings.takeover import Archive, TakeoverError, local_path

WAIT_S = 3.0
"""The PBX writes recordings through a buffer of some seconds: what was just said is waited for so long."""
LOOK_S = 0.2


class RecordingSource(Protocol):
    """Port: where a PBX writes its recordings, as the PBX names the place and as it is seen from here."""

    @property
    def recordings_prefix(self) -> str: ...

    @property
    def recordings_dir(self) -> Path: ...


class RecordingIndex(Protocol):
    """Port: the recordings in the archive."""

    async def list_recordings(self, call_id: str) -> list[StoredRecording]:
        """By offset."""
        ...

    async def get_recording(self, recording_id: str) -> StoredRecording | None: ...


class RecordingService:
    """Recordings as people hear them; while a call goes on, what the PBX has written so far."""

    def __init__(self, pbxs: Mapping[str, RecordingSource], archive: Archive, calls: RecordingIndex) -> None:
        self._pbxs = pbxs
        self._archive = archive
        self._calls = calls

    async def list_recordings(self, call_id: str) -> list[StoredRecording]:
        """The call's recordings in the archive, by offset."""
        return await self._calls.list_recordings(call_id)

    async def get_recording(self, recording_id: str) -> StoredRecording | None:
        """The recording of that id."""
        return await self._calls.get_recording(recording_id)

    async def file_of(self, recording: StoredRecording) -> Path | None:
        """Its WAV file; `None` where that is gone."""
        path = self._archive.locate(recording.path)
        return path if await asyncio.to_thread(path.is_file) else None

    async def peaks(self, recording: StoredRecording, points: int) -> Peaks | None:
        """Its outline; `None` where the file is gone."""
        path = await self.file_of(recording)
        return None if path is None else await asyncio.to_thread(peaks, path, points)

    async def clip(self, call: Call, start: float, end: float) -> Clip | None:
        """The call's audio between two instants of call time; `None` where there is none of it."""
        sources = await self._sources(call)
        last = asyncio.get_running_loop().time() + WAIT_S
        growing = [one for one in sources if one.growing]
        while growing and asyncio.get_running_loop().time() < last:
            if max(await asyncio.gather(*(asyncio.to_thread(reached, one) for one in growing))) >= end:
                break
            await asyncio.sleep(LOOK_S)
        return await asyncio.to_thread(cut, sources, start, end)

    async def _sources(self, call: Call) -> list[Source]:
        kept = {one.id: one for one in await self._calls.list_recordings(call.id)}
        found: list[Source] = []
        for part, recording in enumerate(call.recordings):
            taken = kept.get(f"{call.id}/{part}")
            if taken is not None:
                found.append(Source(taken.offset, wav=self._archive.locate(taken.path)))
                continue
            pbx = self._pbxs.get(call.pbx)
            if pbx is None:
                continue
            try:
                path = local_path(recording.path, pbx.recordings_prefix, pbx.recordings_dir)
            except TakeoverError:
                continue  # not ours to read; finishing the call tells it loudly
            offset = recording.started_at - call.started_at
            growing = recording.ended_at is None and call.ended_at is None
            found.append(Source(offset, raw=path, growing=growing))
        return found
