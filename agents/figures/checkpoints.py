"""Figures folded from the journal alone, stored from time to time: a start folds only what came after.

Apart from the live figures on purpose: those may be ahead of the journal, or know one process's facts alone.
What is stored is what the journal says up to a place, whoever folds it: several processes may store it in
turn.
"""

import hashlib
import time
import zlib
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import structlog
from msgspec import Struct

import domain.figures
import domain.queues
from agents.figures import day, state
from agents.figures.day import DayFigures
from agents.figures.state import FiguresState
from domain.facts import AnyFact
from domain.lines import Line

log = structlog.get_logger(__name__)

NAME = "figures"
BACK_S = 36 * 3600.0
"""How far back the journal is read: every line's day, and what was going on when it began."""
KINDS = ("QueueEntryChanged", "AgentChanged")
SETTLING_S = 0.3
"""Older than that, a mark is known to every transaction that was under way."""
Mark = tuple[int, int]
"""A place in the journal, and what tells whether all places up to it are filled."""


class Checkpoint(Struct, frozen=True):
    """What the journal says up to and including a place."""

    seq: int
    at: float
    """When it was stored, POSIX seconds."""
    data: bytes


class Journal(Protocol):
    """Port: the journal, read in the order in which it was written."""

    def since(self, at: float, kinds: Collection[str], *, upto: int | None = None) -> AsyncIterator[AnyFact]:
        """The facts of those kinds from then on (POSIX seconds), up to and including that place."""
        ...

    def after(self, seq: int, upto: int | None, kinds: Collection[str]) -> AsyncIterator[AnyFact]:
        """The facts of those kinds behind a place, up to and including another."""
        ...

    async def mark(self) -> Mark:
        """The newest place."""
        ...

    async def is_settled(self, mark: Mark) -> bool:
        """Whether no fact can appear any more at or before it."""
        ...


class CheckpointStore(Protocol):
    """Port: where checkpoints are stored."""

    async def load(self, name: str, made_of: str) -> Checkpoint | None:
        """The newest one that was made of the same."""
        ...

    async def save(self, name: str, made_of: str, checkpoint: Checkpoint) -> None:
        """Store it, unless there is a newer one."""
        ...


class JournalFigures:
    """The journal's figures up to `seq`; `None` until they are known."""

    def __init__(
        self, lines: Sequence[Line], timezone: str, journal: Journal, store: CheckpointStore
    ) -> None:
        self._lines, self._timezone = lines, timezone
        self._journal, self._store = journal, store
        self._made_of = made_of(lines, timezone)
        self._fold: DayFigures | None = None
        self._mark: Mark | None = None
        self.seq = 0
        self._stored = 0
        """The place of the checkpoint that is stored."""
        self.restored = False
        """Whether it began with a checkpoint."""

    async def begin(self, now: float) -> None:
        """Take up the newest checkpoint that is of use, if there is one."""
        stored = await self._store.load(NAME, self._made_of)
        newest, _ = await self._journal.mark()
        if stored is None or stored.seq > newest or not now - BACK_S < stored.at:
            return
        try:
            known = state.decode(zlib.decompress(stored.data))
        except (zlib.error, msgspec.MsgspecError) as error:
            log.warning("checkpoint_unreadable", name=NAME, error=str(error))
            return
        self._fold, self.restored = self._made(known), True
        self.seq = self._stored = stored.seq

    async def figures(self, now: float) -> DayFigures:
        """The figures as the whole journal has them, to be kept up by whoever asks."""
        if self._fold is not None:
            figures, seq = self._copy(now), self.seq
        else:
            mark, began = await self._journal.mark(), time.monotonic()
            figures, seq = await self._fold_to(mark[0], now), mark[0]
            if time.monotonic() - began > SETTLING_S and await self._journal.is_settled(mark):
                self._fold, self.seq = figures, seq
                figures = self._copy(now)
        async for fact in self._journal.after(seq, None, KINDS):
            figures.apply(fact)
        return figures

    async def advance(self, now: float, mark: Mark | None = None) -> bool:
        """Fold what is settled, and store it; whether there was anything new.

        Settled is what was the newest at the last call, or at `mark`, once nothing can come before it.
        """
        mark, self._mark = mark or self._mark, await self._journal.mark()
        if mark is None or mark[0] < self.seq or mark[0] == self._stored:
            return False
        if not await self._journal.is_settled(mark):
            return False
        # Half-way it would be of no use.
        fold, self._fold = self._fold, None
        if fold is None:
            fold = await self._fold_to(mark[0], now)
        else:
            fold.now = now
            async for fact in self._journal.after(self.seq, mark[0], KINDS):
                fold.apply(fact)
        fold.forget(now - BACK_S)
        self._fold, self.seq = fold, mark[0]
        data = zlib.compress(state.encode(fold.state()), 1)
        await self._store.save(NAME, self._made_of, Checkpoint(self.seq, now, data))
        self._stored = self.seq
        return True

    async def _fold_to(self, seq: int, now: float) -> DayFigures:
        fold = DayFigures(self._lines, self._timezone)
        fold.now = now
        async for fact in self._journal.since(now - BACK_S, KINDS, upto=seq):
            fold.apply(fact)
        return fold

    def _copy(self, now: float) -> DayFigures:
        assert self._fold is not None
        copy = self._made(state.decode(state.encode(self._fold.state())))
        copy.now = now
        copy.forget(now - BACK_S)
        return copy

    async def mark(self) -> Mark:
        """The newest place of the journal."""
        return await self._journal.mark()

    def _made(self, known: FiguresState) -> DayFigures:
        fold = DayFigures(self._lines, self._timezone)
        fold.restore(known)
        return fold


def made_of(lines: Sequence[Line], timezone: str) -> str:
    """What figures depend on beside the journal: the code that counts, and the configuration."""
    digest = hashlib.sha256(msgspec.json.encode([list(lines), timezone]))
    for module in (day, state, domain.figures, domain.queues):
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()
