"""A snapshot of one PBX at one moment, from which the call tracker is rebuilt."""

from msgspec import Struct, field

from domain.pbx.events import QueueMemberStatus


class ChannelSnapshot(Struct, frozen=True, kw_only=True):
    """One row of CoreShowChannels. `started_at` is POSIX seconds."""

    uniqueid: str
    linkedid: str
    channel: str
    state: str = ""
    caller_number: str = ""
    caller_name: str = ""
    connected_number: str = ""
    connected_name: str = ""
    context: str = ""
    exten: str = ""
    application: str = ""
    application_data: str = ""
    started_at: float = 0.0
    bridge: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    """`HOTLINE_*` only, and only those listed as `channelvars` in manager.conf."""


class BridgeSnapshot(Struct, frozen=True, kw_only=True):
    """One bridge. `channels` are unique ids."""

    bridge: str
    bridge_type: str = ""
    technology: str = ""
    channels: tuple[str, ...] = ()


class QueueEntrySnapshot(Struct, frozen=True, kw_only=True):
    """A waiting caller. `wait` is in seconds."""

    queue: str
    uniqueid: str
    channel: str
    position: int = 0
    wait: float = 0.0
    caller_number: str = ""


class QueueSnapshot(Struct, frozen=True, kw_only=True):
    """One queue. Times are in seconds; `max` 0 means no limit."""

    queue: str
    strategy: str = ""
    max: int = 0
    calls: int = 0
    completed: int = 0
    abandoned: int = 0
    hold_time: float = 0.0
    talk_time: float = 0.0
    service_level: float = 0.0
    members: tuple[QueueMemberStatus, ...] = ()
    entries: tuple[QueueEntrySnapshot, ...] = ()


class PbxSnapshot(Struct, frozen=True, kw_only=True):
    """One PBX as a whole. `at` and `started_at` are POSIX seconds; `started_at` is 0.0 if unknown."""

    pbx: str
    at: float
    version: str = ""
    system_name: str = ""
    started_at: float = 0.0
    channels: tuple[ChannelSnapshot, ...] = ()
    bridges: tuple[BridgeSnapshot, ...] = ()
    queues: tuple[QueueSnapshot, ...] = ()
    device_states: dict[str, str] = field(default_factory=dict)
