"""Take a finished recording over from the PBX: verify it, convert it to WAV and record its hash.

The PBX writes each leg without a header, so that a crash there loses no file: `<name>-rx.raw` from the caller
and `<name>-tx.raw` to the caller (MixMonitor's options r, t and S, Asterisk 16 and later). A single stereo
file `<name>.raw` (its newer option D) is accepted as well. Here they become a WAV in the archive, which is
written whole into `incoming/` (`take`), then noted in the database by the caller, and only then moved to its
place (`keep`). A file in its place therefore has its row, and whatever a crash left half-way lies in
`incoming/`, where the next start finds it.
"""

import asyncio
import hashlib
import os
import re
import secrets
import time
import wave
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import structlog
from msgspec import Struct

from recordings.pcm import RATE, together

log = structlog.get_logger(__name__)

FRAME_BYTES = 4
INCOMING = "incoming"
PARTIAL = ".partial"
ABANDONED_S = 3600.0
"""A half-written file that has not grown for so long is nobody's any more."""
SETTLE_S = 0.5
"""A file as long as the call that has not grown for this many seconds is complete."""
STALLED_S = 4.0
"""A shorter one, after so many: MixMonitor writes every two seconds, and the rest when it gets to run."""
SHORT_S = 0.5
"""So much less than the call is not shorter."""


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
        self._incoming = directory / INCOMING

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
        self,
        source: Path,
        call_id: str,
        part: int,
        at: float,
        *,
        deadline_s: float = 30.0,
        expected_s: float = 0.0,
    ) -> TakenRecording:
        """Take over the raw recording at `source` (or its two legs beside it) once the PBX has finished it.

        `part` numbers the recordings of one call from 0; `at` is the start of the call (POSIX seconds), which
        names the day's folder. `expected_s`: how long the recording should be. The file waits in `incoming/`
        until it is kept.

        Raises:
            TakeoverError: there is no such file, or it holds no audio.
        """
        name = f"{safe_name(call_id)}-{part}.wav"
        relative = Path(f"{datetime.fromtimestamp(at, UTC):%Y/%m/%d}", name)
        left = await asyncio.to_thread(self._left, relative, source)
        if left is not None:
            log.info("recording_adopted", call=call_id, file=left.path)
            return left
        found = await self._settled(source, deadline_s, expected_s)
        if not any(size >= FRAME_BYTES for size in found.values()):
            raise TakeoverError(
                f"{source} holds no audio: check that MixMonitor may write there and the disk is not full"
            )
        return await asyncio.to_thread(self._convert, tuple(found), relative)

    async def _settled(self, source: Path, deadline_s: float, expected_s: float) -> dict[Path, int]:
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
            elif found:
                short = _seconds(found) < expected_s - SHORT_S
                if now - since >= (STALLED_S if short else SETTLE_S):
                    return found
            if now >= end and found:
                log.warning("recording_still_growing", file=source.name, waited_s=deadline_s)
                return found
            await asyncio.sleep(0.1)

    def _convert(self, files: tuple[Path, ...], relative: Path) -> TakenRecording:
        target = self._waiting(relative)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}{PARTIAL}")
        try:
            with partial.open("wb") as out:
                with wave.open(out, "wb") as file:
                    file.setnchannels(2)
                    file.setsampwidth(2)
                    file.setframerate(RATE)
                    for chunk in _stereo(files):
                        file.writeframes(chunk[: len(chunk) // FRAME_BYTES * FRAME_BYTES])
                out.flush()
                os.fsync(out.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        _settle_names(target.parent, self.directory)
        return _described(target, relative)

    def _left(self, relative: Path, source: Path) -> TakenRecording | None:
        """What an earlier run made of it, where the PBX's files are gone meanwhile."""
        try:
            raw_files(source)
        except OSError:
            for file in (self._waiting(relative), self.directory / relative):
                if file.is_file():
                    return _described(file, relative)
        return None

    def _waiting(self, relative: Path) -> Path:
        """The file's name until it is kept: in one folder, so that the next start need not search all."""
        return self._incoming / "_".join(relative.parts)

    async def keep(self, path: str, sha256: str) -> bool:
        """Move a recording that was taken, and is noted in the database, to its place; whether it is there.

        `path` and `sha256` as in `TakenRecording`: another than the one noted stays where it is. Doing it
        again changes nothing.
        """
        return await asyncio.to_thread(self._keep, path, sha256)

    def _keep(self, path: str, sha256: str) -> bool:
        target, waiting = self.locate(path), self._waiting(Path(path))
        if waiting.is_file() and _sha256(waiting) == sha256:
            target.parent.mkdir(parents=True, exist_ok=True)
            waiting.replace(target)
            _settle_names(target.parent, self.directory)
        return target.is_file()

    async def left_half_way(self) -> list[str]:
        """The `TakenRecording.path` of each file that waits to be kept; half-written ones are removed."""
        return await asyncio.to_thread(self._sweep)

    def _sweep(self) -> list[str]:
        found = []
        for file in sorted(self._incoming.glob("*")):
            if file.suffix == PARTIAL and time.time() - file.stat().st_mtime > ABANDONED_S:
                log.warning("half_written_recording_removed", file=file.name)
                file.unlink(missing_ok=True)
            elif file.suffix == ".wav":
                found.append("/".join(file.name.split("_", 3)))
        return found


def _seconds(files: dict[Path, int]) -> float:
    """How much is recorded in one stereo file, or in two mono ones, with these sizes."""
    return max(files.values()) / (FRAME_BYTES / len(files)) / RATE


def safe_name(call_id: str) -> str:
    """The call's id as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", call_id)


def _described(file: Path, relative: Path) -> TakenRecording:
    with wave.open(str(file), "rb") as audio:
        duration = audio.getnframes() / audio.getframerate()
    return TakenRecording(str(relative), _sha256(file), file.stat().st_size, duration)


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _settle_names(directory: Path, top: Path) -> None:
    """Make the names in `directory`, and its own up to `top`, outlast a loss of power."""
    for place in (directory, *directory.parents):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if place == top:
            return


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
