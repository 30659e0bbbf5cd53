"""Decode audio files (WAV, MP3, FLAC, Ogg, A-law …) to samples with PyAV (FFmpeg's libraries)."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
"""16-bit samples of one channel, shape (n,)."""

_RAW = {".alaw": "alaw", ".al": "alaw", ".ulaw": "mulaw", ".ul": "mulaw"}
"""Headerless 8 kHz mono telephone audio as written by Asterisk: file suffix to FFmpeg format name."""
MAX_CHANNELS = 8


class AudioError(Exception):
    """Raised when a file cannot be read as audio; the message says why."""


@dataclass(frozen=True)
class Audio:
    """A file's channels, at the file's own sample rate."""

    rate: int
    channels: tuple[Pcm, ...]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.channels[0].size / self.rate if self.channels else 0.0


def read_audio(path: Path) -> Audio:
    """Decode the first audio stream of a file. Raises AudioError."""
    raw = _RAW.get(path.suffix.lower())
    options = {"sample_rate": "8000", "ch_layout": "mono"} if raw else {}
    try:
        with av.open(str(path), format=raw, options=options) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: there is no sound in it")
            stream = container.streams.audio[0]
            rate, count = stream.codec_context.sample_rate, stream.codec_context.channels
            if not 1 <= count <= MAX_CHANNELS:
                raise AudioError(f"{path}: {count} channels; 1 to {MAX_CHANNELS} are understood")
            planar = av.AudioResampler(format="s16p", layout=stream.codec_context.layout, rate=rate)
            parts = [
                frame.to_ndarray()
                for decoded in (*container.decode(stream), None)
                for frame in planar.resample(decoded)
            ]
    except (OSError, av.FFmpegError) as error:
        raise AudioError(f"{path}: {error.strerror or error}") from error
    sound = np.concatenate(parts, axis=1) if parts else np.zeros((count, 0), dtype=np.int16)
    return Audio(rate, tuple(np.ascontiguousarray(channel) for channel in sound))
