"""Playback: peaks for a waveform, and clips cut in call time. Blocking, so run it in a thread.

A clip comes from an archived recording or, during the call, from the files the PBX is still writing. Those
are raw, so whatever has been written can be read at any moment.
"""

import io
import os
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog
from msgspec import Struct

from recordings.pcm import RATE, together
from recordings.takeover import FRAME_BYTES, raw_files

log = structlog.get_logger(__name__)

BIN = RATE // 20
"""Samples per peak in the file kept beside the recording: 50 ms."""
MAX_POINTS = 4000
PEAKS_SUFFIX = ".peaks.npy"

Frames = npt.NDArray[np.int16]
"""Stereo: shape (n, 2), caller left."""


class Peaks(Struct, frozen=True):
    """The outline of a recording: the loudest sample, 0..1, of each of a number of equal spans."""

    duration: float
    """Seconds."""
    caller: list[float]
    agent: list[float]


class Source(Struct, frozen=True):
    """Where audio of a call is: an archived WAV, or raw files the PBX writes (as for `Archive.take`)."""

    offset: float
    """Call time of the first sample, in seconds."""
    wav: Path | None = None
    raw: Path | None = None
    growing: bool = False
    """The PBX is still writing."""


class Clip(Struct, frozen=True):
    """A piece of a call as a WAV file (16-bit stereo at 8 kHz), and the call time it covers in seconds."""

    wav: bytes
    start: float
    end: float


def peaks(recording: Path, points: int) -> Peaks:
    """Return the outline of a recording in `points` spans (fewer if it is too short).

    It is computed once and kept beside the file, and again if the recording is newer than its outline.

    Raises:
        OSError: the recording cannot be read.
        ValueError: it is not one of our recordings.
    """
    bins, duration = _bins(recording)
    if not len(bins):
        return Peaks(duration, [], [])
    points = max(1, min(points, MAX_POINTS, len(bins)))
    edges = np.arange(points) * len(bins) // points
    loudest = np.round(np.maximum.reduceat(bins, edges, axis=0) / 32768, 4)
    return Peaks(duration, loudest[:, 0].tolist(), loudest[:, 1].tolist())


def cut(sources: Sequence[Source], start: float, end: float) -> Clip | None:
    """Cut the call between two instants of call time from `sources`; `None` if they hold nothing of it.

    The clip begins at `start` exactly (with silence where nothing was recorded yet) and ends at `end`, or
    where the audio ends.
    """
    frames = np.zeros((max(0, round((end - start) * RATE)), 2), dtype="<i2")
    reached = 0
    for source in sources:
        first = round((start - source.offset) * RATE)
        audio = _read(source, max(0, first), first + len(frames))
        if len(audio):
            at = max(0, -first)
            audio = audio[: len(frames) - at]
            frames[at : at + len(audio)] = audio
            reached = max(reached, at + len(audio))
    if not reached:
        return None
    return Clip(_wav(frames[:reached]), start, start + reached / RATE)


def reached(source: Source) -> float:
    """Return the call time, in seconds, up to which both legs of a source are available."""
    try:
        if source.raw is not None:
            sizes = raw_files(source.raw)
            frames = min(sizes.values()) // (FRAME_BYTES // len(sizes))
        else:
            assert source.wav is not None
            frames = source.wav.stat().st_size // FRAME_BYTES
    except FileNotFoundError:
        return source.offset
    return source.offset + frames / RATE


def _read(source: Source, first: int, last: int) -> Frames:
    """Read frames `first` to `last`, counted from the start of the source, as far as they are available."""
    nothing = np.zeros((0, 2), dtype="<i2")
    if last <= first:
        return nothing
    try:
        if source.wav is not None:
            with wave.open(str(source.wav), "rb") as file:
                if first >= file.getnframes():
                    return nothing
                file.setpos(first)
                data = file.readframes(last - first)
        else:
            assert source.raw is not None
            files = list(raw_files(source.raw))
            wide = FRAME_BYTES // len(files)
            pieces = [_piece(file, wide * first, wide * (last - first)) for file in files]
            data = pieces[0] if len(files) == 1 else together(pieces[0], pieces[1])
    except FileNotFoundError:
        return nothing
    return np.frombuffer(data[: len(data) - len(data) % FRAME_BYTES], dtype="<i2").reshape(-1, 2)


def _piece(path: Path, at: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(size)


def _wav(frames: Frames) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(frames.tobytes())
    return out.getvalue()


def _bins(recording: Path) -> tuple[npt.NDArray[np.uint16], float]:
    """Return the peaks in bins of 50 ms, shape (n, 2), and the recording's duration."""
    with wave.open(str(recording), "rb") as file:
        form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if form != (2, 2, RATE):
            raise ValueError(f"{recording.name}: expected 16-bit stereo at {RATE} Hz, found {form}")
        length = file.getnframes()
        kept = recording.with_suffix(PEAKS_SUFFIX)
        count = -(-length // BIN)
        try:
            if kept.stat().st_mtime >= recording.stat().st_mtime:
                bins = np.load(kept, allow_pickle=False)
                if bins.shape == (count, 2) and bins.dtype == np.uint16:
                    return bins, length / RATE
        except (OSError, ValueError, EOFError):
            pass  # missing or incomplete: computed again
        bins = np.zeros((count, 2), dtype=np.uint16)
        done = 0
        while chunk := file.readframes(BIN * 1200):
            frames = np.abs(np.frombuffer(chunk, dtype="<i2").reshape(-1, 2).astype(np.int32))
            made = np.maximum.reduceat(frames, np.arange(0, len(frames), BIN), axis=0)
            bins[done : done + len(made)] = made
            done += len(made)
    _keep(kept, bins)
    return bins, length / RATE


def _keep(path: Path, bins: npt.NDArray[np.uint16]) -> None:
    """Store the peaks atomically; if the archive is not writable they are just computed again next time."""
    try:
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, bins)
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError as error:
        log.warning("peaks_not_kept", file=path.name, error=str(error))
