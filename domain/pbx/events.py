"""Normalised, typed PBX events, as read by the call tracker: one class per kind of event.

Names and meanings are Asterisk's (AMI 2.0 and later, Asterisk 12–22). `at` is the PBX's own `Timestamp`
header (manager.conf `timestampevents=yes`), else the time of receipt; POSIX seconds.
"""

from msgspec import Struct


class PbxEvent(Struct, frozen=True, kw_only=True):
    """Base of all events: when, and on which PBX (its configured name)."""

    at: float
    pbx: str


class ChannelEvent(PbxEvent, frozen=True, kw_only=True):
    """Something happened to one channel."""

    uniqueid: str
    linkedid: str
    channel: str
    state: str = ""
    """ChannelStateDesc: `Down`, `Ring`, `Ringing`, `Up` …"""
    caller_number: str = ""
    caller_name: str = ""
    connected_number: str = ""
    connected_name: str = ""
    context: str = ""
    exten: str = ""


class NewChannel(ChannelEvent, frozen=True, kw_only=True):
    pass


class NewState(ChannelEvent, frozen=True, kw_only=True):
    pass


class NewCallerId(ChannelEvent, frozen=True, kw_only=True):
    pass


class NewConnectedLine(ChannelEvent, frozen=True, kw_only=True):
    pass


class Rename(ChannelEvent, frozen=True, kw_only=True):
    """`channel` is the old name."""

    new_name: str


class Hangup(ChannelEvent, frozen=True, kw_only=True):
    cause: int = 0
    cause_text: str = ""


class HangupRequest(ChannelEvent, frozen=True, kw_only=True):
    """The channel's own party hung up; a Hangup follows."""

    cause: int = 0


class SoftHangupRequest(ChannelEvent, frozen=True, kw_only=True):
    """Something on the PBX hangs the channel up: a command, the dialplan, a limit, the other side's end."""

    cause: int = 0


class Hold(ChannelEvent, frozen=True, kw_only=True):
    pass


class Unhold(ChannelEvent, frozen=True, kw_only=True):
    pass


class VarSet(ChannelEvent, frozen=True, kw_only=True):
    """A channel variable was set; only `HOTLINE_*` and `QUEUESTATUS` are passed on."""

    variable: str
    value: str


class DtmfEnd(ChannelEvent, frozen=True, kw_only=True):
    digit: str
    direction: str


class MixMonitorStart(ChannelEvent, frozen=True, kw_only=True):
    pass


class RecordingMuted(ChannelEvent, frozen=True, kw_only=True):
    """The recording of the channel was paused or resumed (MixMonitorMute, PauseMonitor)."""

    muted: bool = True
    direction: str = ""
    """`read`, `write` or `both`."""


class DialplanStep(ChannelEvent, frozen=True, kw_only=True):
    """The channel runs an application; only those that tell something about a call are passed on."""

    application: str
    data: str = ""


class MixMonitorStop(ChannelEvent, frozen=True, kw_only=True):
    pass


class BridgeEnter(ChannelEvent, frozen=True, kw_only=True):
    bridge: str
    bridge_type: str = ""
    """`basic`, `parking`, `confbridge` …"""
    technology: str = ""
    """`simple_bridge`, `softmix`, `native_rtp` …; in a `holding_bridge` nobody hears anybody else."""
    channels: int = 0
    swaps: str = ""
    """Unique id of the channel whose place it takes."""


class BridgeLeave(ChannelEvent, frozen=True, kw_only=True):
    bridge: str
    channels: int = 0


class BridgeDestroy(PbxEvent, frozen=True, kw_only=True):
    bridge: str


class BridgeMerge(PbxEvent, frozen=True, kw_only=True):
    from_bridge: str
    to_bridge: str


class DialBegin(ChannelEvent, frozen=True, kw_only=True):
    """`channel` started dialling `dest_channel`."""

    dest_uniqueid: str
    dest_channel: str
    dest_linkedid: str = ""
    dial_string: str = ""
    dest_state: str = ""


class DialState(ChannelEvent, frozen=True, kw_only=True):
    """What the dialled channel reports meanwhile (Asterisk 14 and newer)."""

    dest_uniqueid: str
    dest_channel: str
    status: str = ""
    """`RINGING`, `PROGRESS` or `PROCEEDING`."""


class DialEnd(ChannelEvent, frozen=True, kw_only=True):
    dest_uniqueid: str
    dest_channel: str
    status: str = ""
    """DIALSTATUS: `ANSWER`, `NOANSWER`, `BUSY`, `CANCEL`, `CONGESTION`, `CHANUNAVAIL` …"""
    forward: str = ""
    """Where the phone forwarded the call to."""


class LocalBridge(PbxEvent, frozen=True, kw_only=True):
    """The two halves of a Local channel were connected."""

    one_uniqueid: str
    two_uniqueid: str
    one_channel: str
    two_channel: str
    context: str = ""
    exten: str = ""


class LocalOptimizationEnd(PbxEvent, frozen=True, kw_only=True):
    """A Local channel was optimised away: both halves are about to go, their peers are connected directly."""

    one_uniqueid: str
    two_uniqueid: str


class Pickup(ChannelEvent, frozen=True, kw_only=True):
    """`channel` answered the call that was ringing on the target channel."""

    target_uniqueid: str
    target_channel: str


class ParkedCall(PbxEvent, frozen=True, kw_only=True):
    uniqueid: str
    space: str


class UnParkedCall(PbxEvent, frozen=True, kw_only=True):
    """Somebody retrieved a parked call."""

    uniqueid: str
    space: str
    retriever_uniqueid: str = ""
    retriever_channel: str = ""


class ParkedCallOver(PbxEvent, frozen=True, kw_only=True):
    """A parked caller hung up (AMI ParkedCallGiveUp)."""

    uniqueid: str
    space: str


class ParkedCallTimeOut(PbxEvent, frozen=True, kw_only=True):
    """Nobody retrieved a parked call in time; it returns to the phone that parked it."""

    uniqueid: str
    space: str
    parker: str = ""
    """The device that parked it, e.g. `PJSIP/1001`."""


class ChanSpyStart(PbxEvent, frozen=True, kw_only=True):
    """One channel started listening to another."""

    spyer_uniqueid: str
    spyee_uniqueid: str


class BlindTransfer(PbxEvent, frozen=True, kw_only=True):
    transferer_uniqueid: str
    transferer_channel: str
    transferee_uniqueid: str = ""
    transferee_channel: str = ""
    context: str = ""
    exten: str = ""
    result: str = ""


class AttendedTransfer(PbxEvent, frozen=True, kw_only=True):
    original_uniqueid: str
    """The transferer's channel towards the transferee."""
    second_uniqueid: str
    """The transferer's channel towards the target."""
    transferee_uniqueid: str = ""
    target_uniqueid: str = ""
    target_channel: str = ""
    second_state: str = ""
    """ChannelStateDesc of the second channel: not `Up` while the target still rings."""
    destination_type: str = ""
    """`Bridge`, `App`, `Link`, `Threeway` or `Fail`."""
    destination_bridge: str = ""
    result: str = ""


class QueueCallerJoin(ChannelEvent, frozen=True, kw_only=True):
    queue: str
    position: int
    count: int = 0


class QueueCallerLeave(ChannelEvent, frozen=True, kw_only=True):
    queue: str
    position: int = 0
    count: int = 0


class QueueCallerAbandon(ChannelEvent, frozen=True, kw_only=True):
    queue: str
    position: int = 0
    hold_time: float = 0.0


class QueueMemberEvent(PbxEvent, frozen=True, kw_only=True):
    """A member's state in one queue: the fields of AMI's QueueMember* events."""

    queue: str
    interface: str
    member: str
    """MemberName: the agent's id."""
    state_interface: str = ""
    penalty: int = 0
    calls_taken: int = 0
    last_call: float = 0.0
    in_call: bool = False
    status: int = 0
    """AST_DEVICE_*: 1 not in use, 2 in use, 3 busy, 4 invalid, 5 unavailable, 6 ringing,
    7 ringing and in use, 8 on hold."""
    paused: bool = False
    paused_reason: str = ""
    ring_in_use: bool | None = None
    """Whether the queue rings the member while it talks; `None`: not told (QueueStatus never does)."""


class QueueMemberAdded(QueueMemberEvent, frozen=True, kw_only=True):
    pass


class QueueMemberStatus(QueueMemberEvent, frozen=True, kw_only=True):
    pass


class QueueMemberPause(QueueMemberEvent, frozen=True, kw_only=True):
    pass


class QueueMemberPenalty(QueueMemberEvent, frozen=True, kw_only=True):
    """`penalty` was changed; of the other fields only those that name the member count."""


class QueueMemberRingInUse(QueueMemberEvent, frozen=True, kw_only=True):
    """`ring_in_use` was changed; likewise."""


class QueueMembersListed(PbxEvent, frozen=True, kw_only=True):
    """All members of all queues, asked for: a reload of the queues sends no events of its own."""

    members: tuple[QueueMemberStatus, ...]


class Reload(PbxEvent, frozen=True, kw_only=True):
    """A module was reloaded; `All`: every one. The CLI's `queue reload` does not tell."""

    module: str


class QueueMemberRemoved(QueueMemberEvent, frozen=True, kw_only=True):
    pass


class AgentCallEvent(ChannelEvent, frozen=True, kw_only=True):
    """app_queue on one caller and one agent: `channel` is the caller's, `dest_channel` the agent's."""

    queue: str
    member: str
    interface: str
    dest_uniqueid: str
    dest_channel: str


class AgentCalled(AgentCallEvent, frozen=True, kw_only=True):
    pass


class AgentConnect(AgentCallEvent, frozen=True, kw_only=True):
    hold_time: float = 0.0
    ring_time: float = 0.0


class AgentComplete(AgentCallEvent, frozen=True, kw_only=True):
    hold_time: float = 0.0
    talk_time: float = 0.0
    reason: str = ""
    """Who ended it: `caller`, `agent` or `transfer`."""


class AgentRingNoAnswer(AgentCallEvent, frozen=True, kw_only=True):
    ring_time: float = 0.0


class DeviceStateChange(PbxEvent, frozen=True, kw_only=True):
    device: str
    state: str
    """`NOT_INUSE`, `INUSE`, `RINGING`, `UNAVAILABLE`, `ONHOLD` …"""


class FullyBooted(PbxEvent, frozen=True, kw_only=True):
    """Sent after login and whenever Asterisk has (re)started; `uptime_s` tells which."""

    uptime_s: int = 0


class Shutdown(PbxEvent, frozen=True, kw_only=True):
    restart: bool = False


AnyPbxEvent = (
    NewChannel
    | NewState
    | NewCallerId
    | NewConnectedLine
    | Rename
    | Hangup
    | HangupRequest
    | SoftHangupRequest
    | Hold
    | Unhold
    | VarSet
    | DtmfEnd
    | MixMonitorStart
    | MixMonitorStop
    | RecordingMuted
    | DialplanStep
    | BridgeEnter
    | BridgeLeave
    | BridgeDestroy
    | BridgeMerge
    | DialBegin
    | DialState
    | DialEnd
    | LocalBridge
    | LocalOptimizationEnd
    | Pickup
    | ParkedCall
    | UnParkedCall
    | ParkedCallOver
    | ParkedCallTimeOut
    | ChanSpyStart
    | BlindTransfer
    | AttendedTransfer
    | QueueCallerJoin
    | QueueCallerLeave
    | QueueCallerAbandon
    | QueueMemberAdded
    | QueueMemberStatus
    | QueueMemberPause
    | QueueMemberPenalty
    | QueueMemberRingInUse
    | QueueMembersListed
    | Reload
    | QueueMemberRemoved
    | AgentCalled
    | AgentConnect
    | AgentComplete
    | AgentRingNoAnswer
    | DeviceStateChange
    | FullyBooted
    | Shutdown
)
