"""Recordings the gateway keeps, and the spans of a call that have been transcribed."""

from msgspec import Struct

Span = tuple[float, float]
"""[start, end) in seconds of call time."""


class StoredRecording(Struct, frozen=True):
    """A recording in the archive. `path` is relative to the archive."""

    id: str
    call_id: str
    path: str
    sha256: str
    bytes: int
    duration: float
    """Seconds."""
    offset: float
    """Call time of the first sample, in seconds."""
    taken_at: float
