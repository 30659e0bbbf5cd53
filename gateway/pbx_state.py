"""One PBX's picture kept true: events through the tracker, facts to the journal and the bus."""

import time
from collections.abc import Callable, Iterable

import structlog

from agents.queues.state import QueueState
from domain.calls import Call
from domain.facts import AnyFact, PbxLinkChanged, QueueChanged
from domain.pbx.events import AnyPbxEvent
from domain.pbx.snapshot import PbxSnapshot
from gateway.asterisk.link import LinkState
from gateway.calls.resync import resync
from gateway.calls.tracker import CallTracker
from gateway.facts.bus import LocalBus
from gateway.storage.calls import CallRepository
from gateway.storage.journal import JournalWriter

log = structlog.get_logger(__name__)


class PbxState:
    """The handlers a `PbxLink` wants, over one tracker."""

    def __init__(
        self, tracker: CallTracker, journal: JournalWriter, bus: LocalBus, calls: CallRepository
    ) -> None:
        self._tracker = tracker
        self._journal = journal
        self._bus = bus
        self._stored = calls
        self.link = LinkState(pbx=tracker.pbx, phase="disconnected", reason="not connected yet")
        self.version = ""
        """Asterisk's own, once it was connected to."""
        self.events = 0
        """PBX events folded since the start."""
        self.after: Callable[[], None] = lambda: None
        """Called after each fold: the queue_state may have effects to carry out."""

    @property
    def live_calls(self) -> list[Call]:
        """The calls going on now."""
        return list(self._tracker.calls.values())

    def live_call(self, call_id: str) -> Call | None:
        """The call of that id, if it is going on."""
        return self._tracker.calls.get(call_id)

    @property
    def queue_state(self) -> QueueState:
        """Its queues and agents."""
        return self._tracker.queue_state

    async def on_event(self, event: AnyPbxEvent) -> None:
        """Fold one event; journal and publish what follows."""
        self.events += 1
        self.tell(self._tracker.apply(event))
        self.after()

    def tell(self, facts: Iterable[AnyFact]) -> None:
        """Journal and publish facts of this PBX."""
        for fact in facts:
            self._tell(fact)

    async def on_snapshot(self, snapshot: PbxSnapshot) -> None:
        """Rebuild from what the PBX says, reconciled with what the database holds as open."""
        await self._journal.flush()
        known = await self._stored.open_calls(self._tracker.pbx)
        self.version = snapshot.version
        facts = resync(self._tracker, snapshot, known)
        log.info(
            "pbx_synchronised",
            pbx=snapshot.pbx,
            version=snapshot.version,
            calls=len(self._tracker.calls),
            reopened=len(known),
            facts=len(facts),
        )
        self.tell(facts)
        self.after()

    async def on_state(self, state: LinkState) -> None:
        """The link changed; screens are told."""
        was_up, self.link = self.link.phase == "up", state
        up = state.phase == "up"
        if up != was_up or state.phase == "refused":
            at = state.at or time.time()
            self._tell(PbxLinkChanged(at=at, pbx=state.pbx, up=up, reason=state.reason))

    def _tell(self, fact: AnyFact) -> None:
        # First the journal: a listener that acts on the fact may flush before it does.
        if not isinstance(fact, QueueChanged):
            self._journal.put(fact)
        self._bus.publish(fact)
