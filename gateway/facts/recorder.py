"""The one door for facts: into the journal, and on to everybody who follows them."""

from domain.facts import AnyFact, is_journalled
from gateway.facts.bus import LocalBus
from gateway.storage.journal import JournalWriter


class FactRecorder:
    """Implements `domain.facts.Recorder`."""

    def __init__(self, journal: JournalWriter, bus: LocalBus) -> None:
        self._journal = journal
        self._bus = bus

    def record(self, *facts: AnyFact) -> None:
        """Keep the facts in the journal and pass them on, in order. Never waits."""
        for fact in facts:
            # The journal first: a listener that acts on the fact may flush before it does.
            if is_journalled(fact):
                self._journal.put(fact)
            self._bus.publish(fact)

    async def flush(self) -> None:
        """Return when everything recorded before is committed."""
        await self._journal.flush()
