"""Calls that are over and lack something: their recording, transcript or order."""

from msgspec import Struct


class UnfinishedCall(Struct, frozen=True):
    """One such call, as operators see it."""

    id: str
    pbx: str
    line: str | None
    agent: str | None
    started_at: float
    """POSIX seconds."""
    waits: bool
    """The work is tried again by itself; otherwise only where somebody opens it again."""
    trouble: str
    """Why the last try failed, or what could not be had. In English, from libraries too: shown as it is."""
