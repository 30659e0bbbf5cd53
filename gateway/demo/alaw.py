"""A-law (ITU-T G.711), and WAV files that contain it, which the standard library cannot read."""

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
A_LAW = 6
RATE = 8000


def _table() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    value = np.where(
        exponent > 0, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0), (mantissa << 4) + 8
    )
    return np.where(code & 0x80, value, -value).astype(np.int16)


TABLE = _table()


def decode(alaw: bytes) -> Samples:
    """Decode A-law bytes to 16-bit samples."""
    return TABLE[np.frombuffer(alaw, np.uint8)]


def alaw_of(path: Path) -> bytes:
    """Return the A-law bytes of an 8 kHz mono A-law WAV file.

    Raises:
        ValueError: it is not such a file.
    """
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path}: not a WAV file")
    position = 12
    right = False
    while position + 8 <= len(data):
        name, size = data[position : position + 4], struct.unpack_from("<I", data, position + 4)[0]
        body = position + 8
        if name == b"fmt ":
            form, channels, rate = struct.unpack_from("<HHI", data, body)
            right = (form, channels, rate) == (A_LAW, 1, RATE)
        elif name == b"data":
            if not right:
                raise ValueError(f"{path}: expected A-law, mono, {RATE} Hz")
            return data[body : body + size]
        position = body + size + size % 2
    raise ValueError(f"{path}: no audio in it")
