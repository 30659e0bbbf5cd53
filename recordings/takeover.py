"""Taking a finished recording over from the PBX: checked, made a WAV file, kept under its hash.

The PBX writes headerless stereo (`MixMonitor(…,D)`), so that a crash there loses no file. Here it becomes a
WAV in the archive, written beside its final name and moved there when complete: a crash here leaves either
nothing or the whole file, and doing it again gives the same file.
"""

import asyncio
import hashlib
import os
import re
import wave
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import structlog
from msgspec import Struct

from recordings.pcm import RATE

log = structlog.get_logger(__name__)

FRAME_BYTES = 4
SETTLE_S = 0.5
"""A file that has not grown for so long is complete."""


class TakeoverError(Exception):
    """The recording cannot be had; the text names the cause and the mend."""


class TakenRecording(Struct, frozen=True):
    """A recording in the archive. `path` is relative to it; `duration` in seconds."""

    path: str
    sha256: str
    bytes: int
    duration: float


class Archive:
    """The recordings directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def locate(self, path: str) -> Path:
        """The file of a `TakenRecording.path`.

        Raises:
            ValueError: the path leads out of the archive.
        """
        found = (self.directory / path).resolve()
        if not found.is_relative_to(self.directory.resolve()):
            raise ValueError(f"{path!r} is not inside the recordings archive")
        return found

    async def take(
        self, source: Path, call_id: str, part: int, at: float, *, deadline_s: float = 30.0
    ) -> TakenRecording:
        """Take over the raw recording at `source` once the PBX has finished it.

        `part` numbers the recordings of one call from 0; `at` is the call's start (POSIX seconds), which
        names the day's folder.

        Raises:
            TakeoverError: there is no such file, or it holds no audio.
        """
        size = await self._settled(source, deadline_s)
        if size < FRAME_BYTES:
            raise TakeoverError(
                f"{source} holds no audio: check that MixMonitor may write there and the disk is not full"
            )
        name = f"{re.sub(r'[^A-Za-z0-9._-]', '_', call_id)}-{part}.wav"
        day = datetime.fromtimestamp(at, UTC)
        relative = Path(f"{day:%Y}", f"{day:%m}", f"{day:%d}", name)
        return await asyncio.to_thread(self._convert, source, relative)

    async def _settled(self, source: Path, deadline_s: float) -> int:
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        last, since = -1, loop.time()
        while True:
            try:
                size = (await asyncio.to_thread(source.stat)).st_size
            except OSError as error:
                size = -1
                if loop.time() >= end:
                    raise TakeoverError(
                        f"{source}: {error.strerror or error}; check that recordings_dir of this PBX is the"
                        " directory the PBX calls recordings_prefix"
                    ) from error
            now = loop.time()
            if size != last:
                last, since = size, now
            elif size >= 0 and now - since >= SETTLE_S:
                return size
            if now >= end and size >= 0:
                log.warning("recording_still_growing", file=source.name, waited_s=deadline_s)
                return size
            await asyncio.sleep(0.1)

    def _convert(self, source: Path, relative: Path) -> TakenRecording:
        target = self.directory / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        frames = 0
        with source.open("rb") as raw, partial.open("wb") as out:
            with wave.open(out, "wb") as file:
                file.setnchannels(2)
                file.setsampwidth(2)
                file.setframerate(RATE)
                while chunk := raw.read(FRAME_BYTES * RATE * 10):
                    whole = len(chunk) // FRAME_BYTES
                    file.writeframes(chunk[: whole * FRAME_BYTES])
                    frames += whole
            out.flush()
            os.fsync(out.fileno())
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()
        size = partial.stat().st_size
        partial.replace(target)
        return TakenRecording(path=str(relative), sha256=digest, bytes=size, duration=frames / RATE)


def local_path(pbx_path: str, prefix: str, directory: Path) -> Path:
    """Where a file that the PBX names `pbx_path` is on this machine.

    Raises:
        TakeoverError: it is not below `prefix` (a path from the PBX is not trusted further than that).
    """
    path = PurePosixPath(pbx_path)
    try:
        relative = path.relative_to(PurePosixPath(prefix))
    except ValueError:
        raise TakeoverError(
            f"the PBX recorded to {pbx_path}, which is not below recordings_prefix {prefix}: mend one of them"
        ) from None
    if ".." in relative.parts:
        raise TakeoverError(f"the PBX recorded to {pbx_path}: '..' is not allowed")
    return directory / relative
