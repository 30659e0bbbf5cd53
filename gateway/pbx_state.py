"""The state of one PBX kept true: its events go through the call tracker, and what follows is recorded."""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from agents.queues.state import QueueState
from domain.calls import Call
from domain.facts import PbxLinkChanged, Recorder
from domain.pbx.events import AnyPbxEvent
from domain.pbx.records import PbxRecords
from domain.pbx.snapshot import ChannelSnapshot, PbxSnapshot
from gateway import clock
from gateway.asterisk.link import LinkState
from gateway.calls.registry import CallRegistry
from gateway.calls.resync import NO_RECORDS, resync
from gateway.calls.tracker import CallTracker
from gateway.storage.calls import CallRepository

log = structlog.get_logger(__name__)

RecordsOf = Callable[[list[Call], Sequence[ChannelSnapshot]], Awaitable[PbxRecords]]


async def _no_records(_: list[Call], __: Sequence[ChannelSnapshot]) -> PbxRecords:
    return NO_RECORDS


class PbxState:
    """The handlers that a `PbxLink` calls, over one tracker."""

    def __init__(self, tracker: CallTracker, facts: Recorder, calls: CallRepository) -> None:
        self._tracker = tracker
        self._facts = facts
        self._stored = calls
        self.link = LinkState(pbx=tracker.pbx, phase="disconnected", reason="not connected yet")
        self.version = ""
        """Asterisk's version; empty before the first connection."""
        self.events = 0
        """PBX events folded since the start."""
        self.synchronised_at = 0.0
        """When its state was last read as a whole, POSIX seconds; 0.0: not yet."""
        self.records_of: RecordsOf = _no_records
        """Reads what the PBX left of the calls known, and of the channels on it, from when nobody watched."""
        self.after: Callable[[], None] = lambda: None
        """Called after each fold: the queue state may have effects to carry out."""

    @property
    def live_calls(self) -> list[Call]:
        """The calls going on now."""
        return list(self._tracker.calls.values())

    def live_call(self, call_id: str) -> Call | None:
        """The call of that id, if it is going on."""
        return self._tracker.calls.get(call_id)

    @property
    def live_channels(self) -> set[str]:
        """The unique ids of the channels there are now, and of those that began their calls."""
        channels = self._tracker.registry.channels.values()
        return {name for one in channels for name in (one.uniqueid, one.linkedid)}

    @property
    def registry(self) -> CallRegistry:
        """Its lines, agents and calls."""
        return self._tracker.registry

    @property
    def queue_state(self) -> QueueState:
        """Its queues and agents."""
        return self._tracker.queue_state

    async def on_event(self, event: AnyPbxEvent) -> None:
        """Fold one event and record what follows."""
        self.events += 1
        self._facts.record(*self._tracker.apply(event))
        self.after()

    async def on_snapshot(self, snapshot: PbxSnapshot) -> None:
        """Rebuild from what the PBX says, reconciled with the calls that the database holds as open."""
        await self._facts.flush()
        known = await self._stored.open_calls(self._tracker.pbx)
        self.version = snapshot.version
        records = await self.records_of([*known, *self.live_calls], snapshot.channels)
        facts = resync(self._tracker, snapshot, known, records)
        log.info(
            "pbx_synchronised",
            pbx=snapshot.pbx,
            version=snapshot.version,
            calls=len(self._tracker.calls),
            reopened=len(known),
            facts=len(facts),
        )
        self._facts.record(*facts)
        self.synchronised_at = clock.now()
        self.after()

    async def on_state(self, state: LinkState) -> None:
        """Record that the link came up or went down."""
        was_up, self.link = self.link.phase == "up", state
        up = state.phase == "up"
        if state.phase == "connecting":
            self.synchronised_at = 0.0
        if up != was_up or state.phase == "refused":
            at = state.at or clock.now()
            self._facts.record(PbxLinkChanged(at=at, pbx=state.pbx, up=up, reason=state.reason))
