"""Takes the snapshot of a PBX with list actions."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import structlog

from domain.pbx.errors import ActionRefused
from domain.pbx.events import QueueMemberStatus
from domain.pbx.snapshot import (
    BridgeSnapshot,
    ChannelSnapshot,
    PbxSnapshot,
    QueueEntrySnapshot,
    QueueSnapshot,
)
from domain.spans import elapsed
from gateway import clock
from gateway.asterisk.normalise import caller, cleaned, normalise, number, text, variables
from gateway.asterisk.protocol import Response

log = structlog.get_logger(__name__)


Rows = list[dict[str, str]]
Lister = Callable[[str, Mapping[str, str]], Awaitable[Rows]]
"""Sends a list action, given its name and headers, and returns the rows."""
Asker = Callable[[str, Mapping[str, str]], Awaitable[Response]]
"""Sends a single action and returns the answer."""


def _seconds(duration: str) -> float:
    """Parse CoreShowChannels' `HH:MM:SS`; 0.0 if malformed."""
    found = re.fullmatch(r"(\d{1,9}):(\d{1,2}):(\d{1,2})", duration)
    if found is None:
        return 0.0
    parts = zip(found.groups(), (3600, 60, 1), strict=True)
    return elapsed(0.0, float(sum(int(part) * unit for part, unit in parts)))


def channel_rows(rows: Rows, at: float) -> tuple[ChannelSnapshot, ...]:
    """Convert the rows of CoreShowChannels."""
    return tuple(
        ChannelSnapshot(
            uniqueid=text(row, "Uniqueid"),
            linkedid=text(row, "Linkedid"),
            channel=text(row, "Channel"),
            state=text(row, "ChannelStateDesc"),
            **caller(row),
            connected_number=text(row, "ConnectedLineNum"),
            connected_name=text(row, "ConnectedLineName"),
            context=text(row, "Context"),
            exten=text(row, "Exten"),
            application=text(row, "Application"),
            application_data=text(row, "ApplicationData"),
            started_at=at - _seconds(row.get("Duration", "")),
            bridge=text(row, "BridgeId"),
            variables=variables(row),
        )
        for row in rows
        if row.get("Event") == "CoreShowChannel"
    )


def queue_rows(rows: Rows, pbx: str, at: float) -> tuple[QueueSnapshot, ...]:
    """Convert the rows of QueueStatus: each queue's parameters, members and waiting callers."""
    members: dict[str, list[QueueMemberStatus]] = {}
    entries: dict[str, list[QueueEntrySnapshot]] = {}
    for row in rows:
        name = row.get("Queue", "")
        if row.get("Event") == "QueueMember":
            # QueueStatus has Name and Location where the events have MemberName and Interface.
            event = normalise(
                {
                    **row,
                    "Event": "QueueMemberStatus",
                    "MemberName": row.get("Name", ""),
                    "Interface": row.get("Location", ""),
                },
                pbx,
                at,
            )
            if isinstance(event, QueueMemberStatus):
                members.setdefault(name, []).append(event)
        elif row.get("Event") == "QueueEntry":
            entries.setdefault(name, []).append(
                QueueEntrySnapshot(
                    queue=name,
                    uniqueid=text(row, "Uniqueid"),
                    channel=text(row, "Channel"),
                    position=int(number(row, "Position")),
                    wait=elapsed(0.0, number(row, "Wait")),
                    caller_number=caller(row)["caller_number"],
                )
            )
    return tuple(
        QueueSnapshot(
            queue=name,
            strategy=text(row, "Strategy"),
            max=int(number(row, "Max")),
            calls=int(number(row, "Calls")),
            completed=int(number(row, "Completed")),
            abandoned=int(number(row, "Abandoned")),
            hold_time=number(row, "Holdtime"),
            talk_time=number(row, "TalkTime"),
            service_level=number(row, "ServiceLevel"),
            members=tuple(members.get(name, ())),
            entries=tuple(entries.get(name, ())),
        )
        for row in rows
        if row.get("Event") == "QueueParams"
        for name in (row.get("Queue", ""),)
    )


async def take_snapshot(pbx: str, rows_of: Lister, single: Asker) -> PbxSnapshot:
    """Ask the PBX for everything.

    A list that it refuses (a module or a privilege is missing) stays empty and is logged with the fix.

    Raises:
        ConnectionLost, ActionTimeout: the PBX went away meanwhile.
    """

    async def rows(action: str, headers: Mapping[str, str] | None = None) -> Rows:
        try:
            return [dict(cleaned(row)) for row in await rows_of(action, headers or {})]
        except ActionRefused as error:
            log.warning(
                "snapshot_incomplete",
                pbx=pbx,
                action=action,
                reason=str(error),
                fix="load the module and grant read=system,call,reporting in manager.conf",
            )
            return []

    status = cleaned((await single("CoreStatus", {})).headers)
    core = cleaned((await single("CoreSettings", {})).headers)
    at = clock.now()
    channels = channel_rows(await rows("CoreShowChannels"), at)
    queues = queue_rows(await rows("QueueStatus"), pbx, at)
    members: dict[str, list[str]] = {}
    for channel in channels:
        if channel.bridge:
            members.setdefault(channel.bridge, []).append(channel.uniqueid)
    bridges = tuple(
        BridgeSnapshot(
            bridge=text(row, "BridgeUniqueid"),
            bridge_type=text(row, "BridgeType"),
            technology=text(row, "BridgeTechnology"),
            channels=tuple(members.get(text(row, "BridgeUniqueid"), ())),
        )
        for row in await rows("BridgeList")
        if row.get("Event") == "BridgeListItem"
    )
    devices = {
        row["Device"]: text(row, "State")
        for row in await rows("DeviceStateList")
        if row.get("Event") == "DeviceStateChange" and row.get("Device")
    }
    return PbxSnapshot(
        pbx=pbx,
        at=at,
        version=text(core, "AsteriskVersion"),
        system_name=text(core, "SystemName"),
        started_at=_instant(text(status, "CoreStartupDate"), text(status, "CoreStartupTime")),
        channels=channels,
        bridges=bridges,
        queues=queues,
        device_states=devices,
    )


def _instant(date: str, clock: str) -> float:
    """Parse CoreStatus' start date and time, assuming this machine's time zone; 0.0 if malformed."""
    try:
        return datetime.fromisoformat(f"{date}T{clock}").astimezone().timestamp()
    except ValueError:
        return 0.0
