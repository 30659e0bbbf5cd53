"""Recovers what happened on a PBX while nobody watched it, from what it left behind.

Until when a PBX was watched stands in the database. After each reconnect the calls known and gone are closed
with what the records say (`records_of`), and those that lay wholly inside the outage are added (`run`). Both
may happen again: what is known is not added twice.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import PurePosixPath

import structlog

from domain.calls import Call
from domain.facts import AnyFact, CallEnded, QueueEntryChanged, Recorder
from domain.pbx.records import PbxRecords
from domain.pbx.snapshot import ChannelSnapshot
from gateway import clock
from gateway.asterisk.records import read_records
from gateway.calls.outage import Recovered, inside
from gateway.pbx_state import PbxState
from gateway.settings import PbxSettings
from gateway.storage.calls import CallRepository
from gateway.storage.pbx_watch import PbxWatchRepository

log = structlog.get_logger(__name__)

BEAT_S = 10.0
LOOK_S = 1.0
MARGIN_S = 600.0
"""For so long before the outage the records are read too: clocks differ, and a crash loses the last facts."""
SETTLE_S = 5.0
"""After this time files and logs of the calls that ended during the reconnect are complete."""
HEARD_S = 2.0
"""After this time whatever stood in the log has arrived as an event too."""
DAY_S = 86_400.0
READ_S = 20.0


class Outages:
    """Those of one PBX."""

    def __init__(
        self,
        pbx: PbxSettings,
        state: PbxState,
        facts: Recorder,
        calls: CallRepository,
        watch: PbxWatchRepository,
        *,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._pbx, self._state, self._facts = pbx, state, facts
        self._calls, self._watch = calls, watch
        self._settle_s = settle_s
        self._recovered_at = 0.0
        """`synchronised_at` of the reconnect whose outage has been recovered."""
        self._beat_at = float("-inf")

    async def records_of(self, known: list[Call], living: Sequence[ChannelSnapshot] = ()) -> PbxRecords:
        """Read the records of these calls and channels. What cannot be read in time is not waited for."""
        if not known and not living:
            return PbxRecords()
        watched = await self._watched()
        until = watched[1] if watched is not None else 0.0
        paths = [one.path for call in known for one in call.recordings]
        began = [call.started_at for call in known] + [one.started_at for one in living if one.started_at]
        since = min(began, default=until) - MARGIN_S
        try:
            async with asyncio.timeout(READ_S):
                return await asyncio.to_thread(read_records, self._pbx, since, paths, until)
        except TimeoutError:
            log.warning("pbx_records_slow", pbx=self._pbx.name, waited_s=READ_S)
            return PbxRecords(watched_until=until)

    async def run(self) -> None:
        """Recover after each reconnect; while all is watched, note so."""
        while True:
            if self._state.link.phase == "up" and self._state.synchronised_at:
                if self._recovered_at != self._state.synchronised_at:
                    await self.recover()
                elif time.monotonic() - self._beat_at >= BEAT_S:
                    await self._watch.note(self._pbx.name, clock.now())
                    self._beat_at = time.monotonic()
            await asyncio.sleep(LOOK_S)

    async def recover(self) -> list[Call]:
        """Add the calls that lay wholly inside the last outage; return them."""
        synchronised = self._state.synchronised_at
        watched = await self._watched()
        if watched is None:
            await self._noted(synchronised, clock.now())
            return []
        first, since = watched
        earliest = max(first, since - MARGIN_S)
        await asyncio.sleep(self._settle_s)
        records = await asyncio.to_thread(read_records, self._pbx, earliest)
        # Whatever ended meanwhile, and stands in the log, is known by its events by then.
        await asyncio.sleep(min(HEARD_S, self._settle_s))
        await self._facts.flush()
        known = await self._calls.calls_since(self._pbx.name, earliest - DAY_S)
        taken = self._state.live_channels | {name for call in known for name in _uniqueids(call)}
        found = inside(records, self._state.registry, since, earliest, taken)
        now = clock.now()
        for one in found:
            self._facts.record(*_facts(one, now))
        await self._facts.flush()
        # Not before all of it is committed: a crash until then finds the same again.
        await self._noted(synchronised, now, first)
        if found:
            log.warning("calls_recovered", pbx=self._pbx.name, calls=len(found), since=round(since, 1))
        return [one.call for one in found]

    async def _noted(self, synchronised: float, until: float, first: float | None = None) -> None:
        await self._watch.note(self._pbx.name, until, first)
        self._recovered_at, self._beat_at = synchronised, time.monotonic()

    async def _watched(self) -> tuple[float, float] | None:
        """From when until when it was watched; `None`: never, so that there is no outage yet."""
        stored = await self._watch.watched(self._pbx.name)
        if stored is None:
            # Version 0.1 did not note it; its calls tell.
            last = await self._calls.last_end(self._pbx.name)
            stored = None if last is None else (0.0, last)
        return None if stored is None else (stored[0], min(stored[1], clock.now()))


def _uniqueids(call: Call) -> set[str]:
    """All by which records may name the call."""
    recorded = {PurePosixPath(one.path).stem for one in call.recordings}
    return {call.linkedid, *(leg.uniqueid for leg in call.legs), *recorded}


def _facts(one: Recovered, at: float) -> list[AnyFact]:
    facts: list[AnyFact] = [CallEnded(at=at, call=one.call)]
    for entry in one.entries:
        facts.append(QueueEntryChanged(at=at, entry=entry, stage="entered"))
        facts.append(QueueEntryChanged(at=at, entry=entry, stage="left"))
        if entry.talked is not None:
            facts.append(QueueEntryChanged(at=at, entry=entry, stage="served"))
    return facts
