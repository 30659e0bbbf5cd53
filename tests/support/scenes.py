"""Scenes written by hand, event by event, as an Asterisk would send them: for what no capture shows."""

from collections.abc import Iterable
from typing import Any

from domain.calls import Call
from domain.facts import AnyFact, CallEnded
from domain.pbx import events as e
from domain.pbx.events import AnyPbxEvent
from gateway.calls.tracker import CallTracker


class Scene:
    """Channels by a name of one word; `at` is the clock in seconds, which the test sets with `wait`."""

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.at = at
        self.events: list[AnyPbxEvent] = []
        self._rows: dict[str, dict[str, str]] = {}

    def wait(self, seconds: float) -> "Scene":
        self.at += seconds
        return self

    def add(self, kind: type[e.PbxEvent], **fields: Any) -> None:
        self.at += 0.001
        self.events.append(kind(at=self.at, pbx="main", **fields))  # type: ignore[arg-type]

    def on(self, kind: type[e.ChannelEvent], who: str, **fields: Any) -> None:
        """An event of a channel."""
        self._rows[who].update(
            {name: fields[name] for name in ("state", "exten", "linkedid") if name in fields}
        )
        self.add(kind, **{**self._rows[who], **fields})

    def uniqueid(self, who: str) -> str:
        return self._rows[who]["uniqueid"]

    def new(
        self, who: str, channel: str, number: str = "", exten: str = "s", of: str = "", state: str = "Down"
    ) -> None:
        """A channel appears: of its own, or with the Linkedid of the channel `of`."""
        uniqueid = f"{int(self.at)}.{len(self._rows) + 1}"
        self._rows[who] = {
            "uniqueid": uniqueid,
            "linkedid": self._rows[of]["linkedid"] if of else uniqueid,
            "channel": channel,
            "caller_number": number,
            "exten": exten,
            "state": state,
        }
        self.on(e.NewChannel, who)

    def originate(self, one: str, two: str, name: str) -> None:
        """Originate of a Local channel: its halves, dialled by nobody; `name` is exten@context."""
        self.local(one, two, name)
        row = self._rows[one]
        self.add(
            e.DialBegin,
            uniqueid="",
            linkedid="",
            channel="",
            dest_uniqueid=row["uniqueid"],
            dest_channel=row["channel"],
        )

    def local(self, one: str, two: str, name: str, of: str = "") -> None:
        """Both halves of a Local channel appear."""
        exten = name.partition("@")[0]
        number = f"{name}-{len(self._rows):08x}"
        self.new(one, f"Local/{number};1", exten=exten, of=of)
        self.new(two, f"Local/{number};2", exten=exten, of=one, state="Ring")

    def dial(self, who: str, dest: str, channel: str, number: str = "") -> None:
        """`who` dials `dest`, which rings."""
        self.new(dest, channel, number, of=who)
        self.dialled(e.DialBegin, who, dest)
        self.on(e.NewState, dest, state="Ringing")

    def dialled_begin(self, who: str, dest: str) -> None:
        """`who` dials `dest`, which is there already."""
        self.dialled(e.DialBegin, who, dest)

    def rejoin(self, who: str, other: str) -> None:
        """The channel takes over the other's Linkedid, and says so with its next event."""
        self.on(e.NewState, who, linkedid=self._rows[other]["linkedid"])

    def pick_up(self, who: str, target: str) -> None:
        """`who` answers what rings on `target`."""
        row = self._rows[target]
        self.on(e.Pickup, who, target_uniqueid=row["uniqueid"], target_channel=row["channel"])

    def dialled(self, kind: type[e.ChannelEvent], who: str, dest: str, **fields: Any) -> None:
        row = self._rows[dest]
        self.on(kind, who, dest_uniqueid=row["uniqueid"], dest_channel=row["channel"], **fields)

    def answer(self, who: str, dest: str) -> None:
        """`dest` answers `who`; they are bridged by `bridge`."""
        self.on(e.NewState, dest, state="Up")
        self.dialled(e.DialEnd, who, dest, status="ANSWER")

    def not_answered(self, who: str, dest: str, status: str = "NOANSWER") -> None:
        self.dialled(e.DialEnd, who, dest, status=status)
        self.hang_up(dest, 19)

    def bridge(self, bridge: str, *who: str) -> None:
        for one in who:
            self.on(e.BridgeEnter, one, bridge=bridge, technology="simple_bridge", state="Up")

    def leave(self, bridge: str, *who: str) -> None:
        for one in who:
            self.on(e.BridgeLeave, one, bridge=bridge)

    def hang_up(self, who: str, cause: int = 16) -> None:
        self.on(e.Hangup, who, cause=cause)

    def blind(self, transferer: str, transferee: str, exten: str) -> None:
        self.add(
            e.BlindTransfer,
            transferer_uniqueid=self.uniqueid(transferer),
            transferer_channel=self._rows[transferer]["channel"],
            transferee_uniqueid=self.uniqueid(transferee),
            exten=exten,
            result="Success",
        )

    def attended(self, original: str, second: str, transferee: str, target: str, **fields: Any) -> None:
        self.add(
            e.AttendedTransfer,
            original_uniqueid=self.uniqueid(original),
            second_uniqueid=self.uniqueid(second),
            transferee_uniqueid=self.uniqueid(transferee),
            target_uniqueid=self.uniqueid(target) if target else "",
            **{"second_state": "Up", "destination_type": "Bridge", "result": "Success", **fields},
        )


def played(on: CallTracker, events: Iterable[AnyPbxEvent]) -> list[AnyFact]:
    """The facts of those events."""
    return [fact for event in events for fact in on.apply(event)]


def ends(facts: Iterable[AnyFact]) -> list[Call]:
    """The calls that ended, in order."""
    return [fact.call for fact in facts if isinstance(fact, CallEnded)]


def talks(call: Call) -> list[tuple[str, float, float]]:
    """(who, seconds from the call's beginning to the talk's, seconds it lasted), whole seconds."""
    return [
        (
            one.agent or one.party,
            round(one.started_at - call.started_at),
            round(one.ended_at - one.started_at),
        )
        for one in call.conversations
        if one.ended_at is not None
    ]
