"""What is true on a PBX after some events: a table of channels, kept by nothing but their plainest events.

Independent of the tracker, so that what the tracker makes of a damaged stream can be held against it.
"""

from domain.pbx import events as e
from domain.pbx.events import AnyPbxEvent
from domain.pbx.snapshot import (
    BridgeSnapshot,
    ChannelSnapshot,
    PbxSnapshot,
    QueueEntrySnapshot,
    QueueSnapshot,
)
from gateway.calls.channels import is_listener


class Truth:
    """Fold every event, undamaged; ask for a snapshot at any time."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, str]] = {}
        self._waiting: dict[str, str] = {}
        self._technology: dict[str, str] = {}
        self._dialled: set[str] = set()
        self._at = 0.0

    @property
    def channels(self) -> set[str]:
        """Unique ids of all channels but our own listeners'."""
        return {one for one, row in self._rows.items() if not is_listener(row["channel"])}

    @property
    def waiting(self) -> dict[str, str]:
        """Queue by the unique id of who waits in it."""
        return dict(self._waiting)

    def see(self, event: AnyPbxEvent) -> None:
        self._at = max(self._at, event.at)
        match event:
            case e.NewChannel():
                self._rows[event.uniqueid] = {"bridge": ""}
            case e.Hangup():
                self._rows.pop(event.uniqueid, None)
                self._waiting.pop(event.uniqueid, None)
                return
            case e.DialBegin():
                self._dialled.add(event.dest_uniqueid)
            case e.BridgeEnter():
                self._technology[event.bridge] = event.technology
                self._rows[event.uniqueid]["bridge"] = event.bridge
            case e.BridgeLeave():
                self._rows[event.uniqueid]["bridge"] = ""
            case e.QueueCallerJoin():
                self._waiting[event.uniqueid] = event.queue
            case e.QueueCallerLeave():
                self._waiting.pop(event.uniqueid, None)
            case e.AttendedTransfer(destination_type="App") if event.second_uniqueid in self._waiting:
                # A masquerade: the transferee goes on where the second channel was.
                self._waiting[event.transferee_uniqueid] = self._waiting.pop(event.second_uniqueid)
            case e.Rename():
                self._rows[event.uniqueid]["channel"] = event.new_name
                return
            case _:
                pass
        if isinstance(event, e.ChannelEvent) and event.uniqueid in self._rows:
            self._rows[event.uniqueid].update(
                channel=event.channel,
                linkedid=event.linkedid,
                state=event.state,
                caller_number=event.caller_number,
                exten=event.exten,
            )

    def snapshot(self) -> PbxSnapshot:
        """What the list actions would answer."""
        rows = tuple(
            ChannelSnapshot(
                uniqueid=one,
                application="AppDial" if one in self._dialled else "",
                started_at=float(one.split(".")[0]),
                **row,  # type: ignore[arg-type]
            )
            for one, row in self._rows.items()
        )
        queues = {
            name: tuple(
                QueueEntrySnapshot(queue=name, uniqueid=one, channel=self._rows[one]["channel"])
                for one, queue in self._waiting.items()
                if queue == name
            )
            for name in set(self._waiting.values())
        }
        return PbxSnapshot(
            pbx="main",
            at=self._at,
            channels=rows,
            bridges=tuple(
                BridgeSnapshot(bridge=bridge, technology=technology)
                for bridge, technology in self._technology.items()
            ),
            queues=tuple(QueueSnapshot(queue=name, entries=entries) for name, entries in queues.items()),
        )
