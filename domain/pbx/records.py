"""What a PBX leaves of calls nobody watched: its queue log, its call detail records, its recordings."""

from collections.abc import Mapping

from msgspec import Struct


class QueueLogLine(Struct, frozen=True):
    """One line of app_queue's `queue_log`."""

    at: float
    """POSIX seconds, whole ones."""
    uniqueid: str
    """The caller's channel."""
    queue: str
    agent: str
    """The member's name; empty where the line is about the caller alone."""
    event: str
    """`ENTERQUEUE`, `CONNECT`, `COMPLETECALLER`, `ABANDON` …"""
    data: tuple[str, ...] = ()


class DetailRecord(Struct, frozen=True):
    """One call detail record (CDR), or the same told by channel events (CEL). Times are POSIX seconds."""

    uniqueid: str
    source: str
    """The caller's number."""
    destination: str
    """The last extension."""
    channel: str
    dest_channel: str
    started_at: float
    ended_at: float
    answered_at: float | None = None
    answered: bool = False


class RawRecording(Struct, frozen=True):
    """A recording as it lies on the PBX, complete. Times are POSIX seconds of the file's own clock."""

    uniqueid: str
    path: str
    """As the PBX names it."""
    duration: float
    """Seconds."""
    written_at: float
    """When its last sample was written."""


class PbxRecords(Struct, frozen=True):
    """What was found, by unique id of the channel."""

    queue_log: Mapping[str, tuple[QueueLogLine, ...]] = {}
    details: Mapping[str, tuple[DetailRecord, ...]] = {}
    recordings: Mapping[str, RawRecording] = {}
    lengths: Mapping[str, float] = {}
    """Seconds recorded, by the path as the PBX names it."""
    watched_until: float = 0.0
    """When the PBX was last watched, POSIX seconds: until then the calls known went on."""
    tells_answers: bool = False
    """Whether there is a queue log, CDR or CEL to tell who was answered."""
