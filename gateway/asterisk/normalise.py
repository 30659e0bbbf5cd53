"""Converts AMI headers to typed events; header names are those of Asterisk 12–22. Pure."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from domain.numbers import told, told_name
from domain.pbx import events as ev
from domain.pbx.events import AnyPbxEvent
from domain.text import MAX_LINE, is_line, line

Headers = Mapping[str, str]

_UNKNOWN = frozenset({"<unknown>", "<null>", "(null)"})


MAX_VARIABLES = 20_000
"""Characters of all channel variables of a message together."""
MAX_ALL = 1 << 20
MAX_INT = 2**31


def cleaned(headers: Headers) -> Headers:
    """The headers with their values as plain lines (`domain.text`): the door for what a PBX says."""
    values = headers.values()
    # Joined, for nearly always there is nothing to do.
    if max(map(len, values), default=0) <= MAX_LINE and is_line("".join(values).replace("\n", ""), MAX_ALL):
        return headers
    return {
        name: "\n".join(line(part) for part in value[:MAX_VARIABLES].split("\n"))
        for name, value in headers.items()
    }


def text(headers: Headers, name: str) -> str:
    """Return a header's text; Asterisk's placeholders for "none" become ""."""
    value = headers.get(name, "")
    return "" if value in _UNKNOWN else value


def caller(headers: Headers, prefix: str = "") -> dict[str, str]:
    """Return the caller's number and name; "" where the network withholds them."""
    return {
        "caller_number": told(text(headers, prefix + "CallerIDNum")),
        "caller_name": told_name(text(headers, prefix + "CallerIDName")),
    }


def number(headers: Headers, name: str) -> float:
    """Return a header as a finite number, or 0.0 for anything else."""
    try:
        value = float(headers.get(name, ""))
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _int(headers: Headers, name: str) -> int:
    value = number(headers, name)
    return int(value) if abs(value) < MAX_INT else 0


def variables(headers: Headers) -> dict[str, str]:
    """Return the `HOTLINE_*` variables from `ChanVariable` (repeated headers are joined by newlines)."""
    found = {}
    for one in headers.get("ChanVariable", "").split("\n"):
        key, mark, value = one.partition("=")
        if mark and key.startswith("HOTLINE_"):
            found[key] = value
    return found


Clock = Callable[[float, float], float]
"""A stamp of the PBX and when it arrived → when it happened (`gateway.asterisk.event_clock`)."""


def _taken(stamp: float, received_at: float) -> float:
    return stamp or received_at


def _channel(headers: Headers, prefix: str = "") -> dict[str, Any]:
    return {
        "uniqueid": text(headers, prefix + "Uniqueid"),
        "linkedid": text(headers, prefix + "Linkedid"),
        "channel": text(headers, prefix + "Channel"),
        "state": text(headers, prefix + "ChannelStateDesc"),
        **caller(headers, prefix),
        "connected_number": text(headers, prefix + "ConnectedLineNum"),
        "connected_name": text(headers, prefix + "ConnectedLineName"),
        "context": text(headers, prefix + "Context"),
        "exten": text(headers, prefix + "Exten"),
    }


Field = tuple[str, Callable[[Headers, str], object], str]
_T, _N, _I = text, number, _int


def _flag(headers: Headers, name: str) -> bool:
    return headers.get(name, "").strip().lower() in ("1", "yes", "true")


def _if_told(headers: Headers, name: str) -> bool | None:
    return _flag(headers, name) if headers.get(name, "") else None


_MEMBER: list[Field] = [
    ("queue", _T, "Queue"),
    ("interface", _T, "Interface"),
    ("member", _T, "MemberName"),
    ("state_interface", _T, "StateInterface"),
    ("penalty", _I, "Penalty"),
    ("calls_taken", _I, "CallsTaken"),
    ("last_call", _N, "LastCall"),
    ("in_call", _flag, "InCall"),
    ("status", _I, "Status"),
    ("paused", _flag, "Paused"),
    ("paused_reason", _T, "PausedReason"),
    ("ring_in_use", _if_told, "Ringinuse"),
]
_AGENT: list[Field] = [
    ("queue", _T, "Queue"),
    ("member", _T, "MemberName"),
    ("interface", _T, "Interface"),
    ("dest_uniqueid", _T, "DestUniqueid"),
    ("dest_channel", _T, "DestChannel"),
]
_HOLD: Field = ("hold_time", _N, "HoldTime")
_QUEUE: list[Field] = [("queue", _T, "Queue"), ("position", _I, "Position")]
_COUNT: Field = ("count", _I, "Count")
_BRIDGE: list[Field] = [("bridge", _T, "BridgeUniqueid"), ("channels", _I, "BridgeNumChannels")]
_DEST: list[Field] = [("dest_uniqueid", _T, "DestUniqueid"), ("dest_channel", _T, "DestChannel")]

_PARKED: list[Field] = [("uniqueid", _T, "ParkeeUniqueid"), ("space", _T, "ParkingSpace")]

# AMI event name -> class, prefix of the channel headers (None: it has none), further fields.
_TABLE: dict[str, tuple[type[Any], str | None, list[Field]]] = {
    "Newchannel": (ev.NewChannel, "", []),
    "Newstate": (ev.NewState, "", []),
    "NewCallerid": (ev.NewCallerId, "", []),
    "NewConnectedLine": (ev.NewConnectedLine, "", []),
    "Rename": (ev.Rename, "", [("new_name", _T, "Newname")]),
    "Hangup": (ev.Hangup, "", [("cause", _I, "Cause"), ("cause_text", _T, "Cause-txt")]),
    "HangupRequest": (ev.HangupRequest, "", [("cause", _I, "Cause")]),
    "SoftHangupRequest": (ev.SoftHangupRequest, "", [("cause", _I, "Cause")]),
    "Hold": (ev.Hold, "", []),
    "Unhold": (ev.Unhold, "", []),
    "VarSet": (ev.VarSet, "", [("variable", _T, "Variable"), ("value", _T, "Value")]),
    "DTMFEnd": (ev.DtmfEnd, "", [("digit", _T, "Digit"), ("direction", _T, "Direction")]),
    "MixMonitorStart": (ev.MixMonitorStart, "", []),
    "MixMonitorStop": (ev.MixMonitorStop, "", []),
    "MixMonitorMute": (ev.RecordingMuted, "", [("muted", _flag, "State"), ("direction", _T, "Direction")]),
    "PauseMonitor": (ev.RecordingMuted, "", [("muted", lambda *_: True, "")]),
    "UnpauseMonitor": (ev.RecordingMuted, "", [("muted", lambda *_: False, "")]),
    "Newexten": (ev.DialplanStep, "", [("application", _T, "Application"), ("data", _T, "AppData")]),
    "BridgeEnter": (
        ev.BridgeEnter,
        "",
        [
            *_BRIDGE,
            ("bridge_type", _T, "BridgeType"),
            ("technology", _T, "BridgeTechnology"),
            ("swaps", _T, "SwapUniqueid"),
        ],
    ),
    "BridgeLeave": (ev.BridgeLeave, "", _BRIDGE),
    "BridgeDestroy": (ev.BridgeDestroy, None, [("bridge", _T, "BridgeUniqueid")]),
    "BridgeMerge": (
        ev.BridgeMerge,
        None,
        [("from_bridge", _T, "FromBridgeUniqueid"), ("to_bridge", _T, "ToBridgeUniqueid")],
    ),
    "DialBegin": (
        ev.DialBegin,
        "",
        [
            *_DEST,
            ("dest_linkedid", _T, "DestLinkedid"),
            ("dial_string", _T, "DialString"),
            ("dest_state", _T, "DestChannelStateDesc"),
        ],
    ),
    "DialState": (ev.DialState, "", [*_DEST, ("status", _T, "DialStatus")]),
    "DialEnd": (ev.DialEnd, "", [*_DEST, ("status", _T, "DialStatus"), ("forward", _T, "Forward")]),
    "LocalBridge": (
        ev.LocalBridge,
        None,
        [
            ("one_uniqueid", _T, "LocalOneUniqueid"),
            ("two_uniqueid", _T, "LocalTwoUniqueid"),
            ("one_channel", _T, "LocalOneChannel"),
            ("two_channel", _T, "LocalTwoChannel"),
            ("context", _T, "Context"),
            ("exten", _T, "Exten"),
        ],
    ),
    "LocalOptimizationEnd": (
        ev.LocalOptimizationEnd,
        None,
        [("one_uniqueid", _T, "LocalOneUniqueid"), ("two_uniqueid", _T, "LocalTwoUniqueid")],
    ),
    "Pickup": (
        ev.Pickup,
        "",
        [("target_uniqueid", _T, "TargetUniqueid"), ("target_channel", _T, "TargetChannel")],
    ),
    "ParkedCall": (ev.ParkedCall, None, _PARKED),
    "ParkedCallGiveUp": (ev.ParkedCallOver, None, _PARKED),
    "ParkedCallTimeOut": (ev.ParkedCallTimeOut, None, [*_PARKED, ("parker", _T, "ParkerDialString")]),
    "UnParkedCall": (
        ev.UnParkedCall,
        None,
        [
            *_PARKED,
            ("retriever_uniqueid", _T, "RetrieverUniqueid"),
            ("retriever_channel", _T, "RetrieverChannel"),
        ],
    ),
    "ChanSpyStart": (
        ev.ChanSpyStart,
        None,
        [("spyer_uniqueid", _T, "SpyerUniqueid"), ("spyee_uniqueid", _T, "SpyeeUniqueid")],
    ),
    "BlindTransfer": (
        ev.BlindTransfer,
        None,
        [
            ("transferer_uniqueid", _T, "TransfererUniqueid"),
            ("transferer_channel", _T, "TransfererChannel"),
            ("transferee_uniqueid", _T, "TransfereeUniqueid"),
            ("transferee_channel", _T, "TransfereeChannel"),
            ("context", _T, "Context"),
            ("exten", _T, "Extension"),
            ("result", _T, "Result"),
        ],
    ),
    "AttendedTransfer": (
        ev.AttendedTransfer,
        None,
        [
            ("original_uniqueid", _T, "OrigTransfererUniqueid"),
            ("second_uniqueid", _T, "SecondTransfererUniqueid"),
            ("transferee_uniqueid", _T, "TransfereeUniqueid"),
            ("target_uniqueid", _T, "TransferTargetUniqueid"),
            ("target_channel", _T, "TransferTargetChannel"),
            ("second_state", _T, "SecondTransfererChannelStateDesc"),
            ("destination_type", _T, "DestType"),
            ("destination_bridge", _T, "DestBridgeUniqueid"),
            ("result", _T, "Result"),
        ],
    ),
    "QueueCallerJoin": (ev.QueueCallerJoin, "", [*_QUEUE, _COUNT]),
    "QueueCallerLeave": (ev.QueueCallerLeave, "", [*_QUEUE, _COUNT]),
    "QueueCallerAbandon": (ev.QueueCallerAbandon, "", [*_QUEUE, _HOLD]),
    "QueueMemberAdded": (ev.QueueMemberAdded, None, _MEMBER),
    "QueueMemberStatus": (ev.QueueMemberStatus, None, _MEMBER),
    "QueueMemberPause": (ev.QueueMemberPause, None, _MEMBER),
    "QueueMemberPenalty": (ev.QueueMemberPenalty, None, _MEMBER),
    "QueueMemberRinginuse": (ev.QueueMemberRingInUse, None, _MEMBER),
    "Reload": (ev.Reload, None, [("module", _T, "Module")]),
    "QueueMemberRemoved": (ev.QueueMemberRemoved, None, _MEMBER),
    "AgentCalled": (ev.AgentCalled, "", _AGENT),
    "AgentConnect": (ev.AgentConnect, "", [*_AGENT, _HOLD, ("ring_time", _N, "RingTime")]),
    "AgentComplete": (
        ev.AgentComplete,
        "",
        [*_AGENT, _HOLD, ("talk_time", _N, "TalkTime"), ("reason", _T, "Reason")],
    ),
    "AgentRingNoAnswer": (ev.AgentRingNoAnswer, "", [*_AGENT, ("ring_time", _N, "RingTime")]),
    "DeviceStateChange": (ev.DeviceStateChange, None, [("device", _T, "Device"), ("state", _T, "State")]),
    "FullyBooted": (ev.FullyBooted, None, [("uptime_s", _I, "Uptime")]),
}
WANTED = frozenset({*_TABLE, "Shutdown"})
"""The names of the events worth parsing."""


TELLING_APPS = frozenset({"voicemail", "minivmrecord", "pausemonitor", "unpausemonitor", "zapateller"})
"""Applications that tell something about a call; and any in a context of a blacklist."""


def _wanted_variable(variable: str) -> bool:
    """Whether it is one of the gateway's own variables, or app_queue's on how a wait ended."""
    return variable.startswith("HOTLINE_") or variable == "QUEUESTATUS"


def _wanted_step(headers: Headers) -> bool:
    """Whether a step in the dialplan tells something about the call."""
    return headers.get("Application", "").lower() in TELLING_APPS or "blacklist" in headers.get("Context", "")


def normalise(headers: Headers, pbx: str, received_at: float, clock: Clock = _taken) -> AnyPbxEvent | None:
    """Convert one AMI event to its typed form; `None` if nobody reads that event.

    Malformed numbers become 0, and a malformed or missing `Timestamp` becomes `received_at` (POSIX seconds).
    AgentRingNoAnswer's `RingTime` is in milliseconds on the wire and in seconds here.
    """
    headers = cleaned(headers)
    name = headers.get("Event", "")
    if name == "Shutdown":
        at = clock(number(headers, "Timestamp"), received_at)
        return ev.Shutdown(at=at, pbx=pbx, restart=_flag(headers, "Restart"))
    row = _TABLE.get(name)
    if row is None:
        return None
    if name == "VarSet" and not _wanted_variable(headers.get("Variable", "")):
        return None
    if name == "Newexten" and not _wanted_step(headers):
        return None
    cls, prefix, fields = row
    kwargs: dict[str, Any] = {"at": clock(number(headers, "Timestamp"), received_at), "pbx": pbx}
    if prefix is not None:
        kwargs.update(_channel(headers, prefix))
    for attr, read, header in fields:
        kwargs[attr] = read(headers, header)
    if name == "AgentRingNoAnswer":
        kwargs["ring_time"] /= 1000.0
    event: AnyPbxEvent = cls(**kwargs)
    return event
