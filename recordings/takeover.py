"""Take a finished recording over from the PBX: verify it, convert it to WAV and record its hash.

The PBX writes each leg without a header, so that a crash there loses no file: `<name>-rx.raw` from the caller
and `<name>-tx.raw` to the caller (MixMonitor's options r, t and S, Asterisk 16 and later). A single stereo
file `<name>.raw` (its newer option D) is accepted as well. Here they become a WAV in the archive, which is
written under a temporary name and renamed when complete: a crash leaves either nothing or the whole file, and
doing it again gives the same file.
"""

import asyncio
import hashlib
import os
import re
import wave
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import structlog
from msgspec import Struct

from recordings.pcm import RATE, together

log = structlog.get_logger(__name__)

FRAME_BYTES = 4
SETTLE_S = 0.5
"""A file that has not grown for this many seconds is complete."""


class TakeoverError(Exception):
    """The recording is not available; the message names the cause and the fix."""


class TakenRecording(Struct, frozen=True):
    """An archived recording. `path` is relative to the archive, `duration` is in seconds."""

    path: str
    sha256: str
    bytes: int
    duration: float


class Archive:
    """The recordings directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def locate(self, path: str) -> Path:
        """Return the file for a `TakenRecording.path`.

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
        """Take over the raw recording at `source` (or its two legs beside it) once the PBX has finished it.

        `part` numbers the recordings of one call from 0; `at` is the start of the call (POSIX seconds), which
        names the day's folder.

        Raises:
            TakeoverError: there is no such file, or it holds no audio.
        """
        found = await self._settled(source, deadline_s)
        if not any(size >= FRAME_BYTES for size in found.values()):
            raise TakeoverError(
                f"{source} holds no audio: check that MixMonitor may write there and the disk is not full"
            )
        name = f"{re.sub(r'[^A-Za-z0-9._-]', '_', call_id)}-{part}.wav"
        day = datetime.fromtimestamp(at, UTC)
        relative = Path(f"{day:%Y}", f"{day:%m}", f"{day:%d}", name)
        return await asyncio.to_thread(self._convert, tuple(found), relative)

    async def _settled(self, source: Path, deadline_s: float) -> dict[Path, int]:
        """Wait until the one or two files have stopped growing; return them with their sizes."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        last: dict[Path, int] = {}
        since = loop.time()
        while True:
            try:
                found = await asyncio.to_thread(raw_files, source)
            except OSError as error:
                found = {}
                if loop.time() >= end:
                    raise TakeoverError(
                        f"{source}: {error.strerror or error}; check that recordings_dir of this PBX is the"
                        " directory the PBX calls recordings_prefix"
                    ) from error
            now = loop.time()
            if found != last:
                last, since = found, now
            elif found and now - since >= SETTLE_S:
                return found
            if now >= end and found:
                log.warning("recording_still_growing", file=source.name, waited_s=deadline_s)
                return found
            await asyncio.sleep(0.1)

    def _convert(self, files: tuple[Path, ...], relative: Path) -> TakenRecording:
        target = self.directory / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        frames = 0
        with partial.open("wb") as out:
            with wave.open(out, "wb") as file:
                file.setnchannels(2)
                file.setsampwidth(2)
                file.setframerate(RATE)
                for chunk in _stereo(files):
                    whole = len(chunk) // FRAME_BYTES
                    file.writeframes(chunk[: whole * FRAME_BYTES])
                    frames += whole
            out.flush()
            os.fsync(out.fileno())
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()
        size = partial.stat().st_size
        partial.replace(target)
        return TakenRecording(path=str(relative), sha256=digest, bytes=size, duration=frames / RATE)


def legs_of(source: Path) -> tuple[Path, Path]:
    """Return the two one-sided files of a recording: audio from the caller, audio to the caller."""
    return source.with_name(f"{source.stem}-rx.raw"), source.with_name(f"{source.stem}-tx.raw")


def raw_files(source: Path) -> dict[Path, int]:
    """Return the two legs (from the caller first), or else the one stereo file, with their sizes.

    Raises:
        OSError: neither exists.
    """
    try:
        return {file: file.stat().st_size for file in legs_of(source)}
    except FileNotFoundError:
        return {source: source.stat().st_size}


def _stereo(files: tuple[Path, ...]) -> Iterator[bytes]:
    """Yield interleaved stereo, ten seconds at a time, from one stereo file or two mono ones."""
    if len(files) == 1:
        with files[0].open("rb") as both:
            while chunk := both.read(FRAME_BYTES * RATE * 10):
                yield chunk
        return
    with files[0].open("rb") as left, files[1].open("rb") as right:
        while True:
            one, other = left.read(2 * RATE * 10), right.read(2 * RATE * 10)
            if len(one) < 2 and len(other) < 2:
                return
            yield together(one, other)


def local_path(pbx_path: str, prefix: str, directory: Path) -> Path:
    """Return the local path of a file the PBX calls `pbx_path`.

    Raises:
        TakeoverError: it is not below `prefix` (a path from the PBX is not trusted beyond that).
    """
    path = PurePosixPath(pbx_path)
    try:
        relative = path.relative_to(PurePosixPath(prefix))
    except ValueError:
        raise TakeoverError(
            f"the PBX recorded to {pbx_path}, which is not below recordings_prefix {prefix}: fix one of them"
        ) from None
    if ".." in relative.parts:
        raise TakeoverError(f"the PBX recorded to {pbx_path}: '..' is not allowed")
    return directory / relative
