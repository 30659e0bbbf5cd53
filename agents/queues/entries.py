"""Callers' stays in queues, folded from app_queue's own events: what all queue figures are made of. Pure."""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import structs

from domain.facts import AnyFact, QueueVisitChanged
from domain.pbx import events as e
from domain.queues import QueueVisit, VisitOutcome

Stage = Literal["entered", "left", "served", "wrapped_up"]
Talk = tuple[str, str, str]
"""(caller's uniqueid, queue, agent)"""

FORGET_TALK_S = 60.0
"""AgentComplete may follow the caller's hang-up; one that has not come by then does not come."""

OUTCOME_OF_STATUS = {
    "TIMEOUT": VisitOutcome.TIMEOUT,
    "FULL": VisitOutcome.FULL,
    "JOINEMPTY": VisitOutcome.EMPTY,
    "LEAVEEMPTY": VisitOutcome.EMPTY,
    "JOINUNAVAIL": VisitOutcome.EMPTY,
    "LEAVEUNAVAIL": VisitOutcome.EMPTY,
    "WITHDRAW": VisitOutcome.WITHDRAWN,
    "ABANDONED": VisitOutcome.ABANDONED,
}
"""QUEUESTATUS to outcome; anything else (CONTINUE, a key) is `left`."""


class Visits:
    """The stays that are not over."""

    def __init__(self, pbx: str, line_of_queue: Mapping[str, str]) -> None:
        self._pbx = pbx
        self._line_of_queue = line_of_queue
        self.waiting: dict[str, QueueVisit] = {}
        """By the caller's channel, until it is known how the wait ended."""
        self.talking: dict[Talk, QueueVisit] = {}
        self._wrapping: dict[str, QueueVisit] = {}
        self._of_channel: dict[str, set[Talk]] = {}
        self._hung_up: dict[Talk, float] = {}

    def entered(self, at: float, queue: str, uniqueid: str, call_id: str) -> list[AnyFact]:
        """A caller begins to wait; said twice (event and snapshot), it is one stay."""
        facts: list[AnyFact] = []
        before = self.waiting.get(uniqueid)
        if before is not None:
            if before.queue == queue and before.left_at is None:
                return []
            facts = self._left_for(at, before, VisitOutcome.LEFT)
        visit = QueueVisit(
            pbx=self._pbx,
            queue=queue,
            line=self._line_of_queue.get(queue),
            call_id=call_id,
            uniqueid=uniqueid,
            entered_at=at,
        )
        self.waiting[uniqueid] = visit
        return [*facts, _told(at, visit, "entered")]

    def missed(self, event: e.AgentRingNoAnswer) -> None:
        """An agent's phone rang for the caller and was not answered; told when the wait is over."""
        visit = self.waiting.get(event.uniqueid)
        if visit is not None:
            self.waiting[event.uniqueid] = structs.replace(visit, missed=visit.missed + 1)

    def left(self, at: float, uniqueid: str) -> None:
        """QueueCallerLeave: the wait is over; how, the next event says."""
        visit = self.waiting.get(uniqueid)
        if visit is not None and visit.left_at is None:
            self.waiting[uniqueid] = structs.replace(visit, left_at=at)

    def abandoned(self, event: e.QueueCallerAbandon) -> list[AnyFact]:
        """Nobody answered. Asterisk says so of a timeout too: only a hang-up that follows means abandoned."""
        visit = self.waiting.get(event.uniqueid)
        if visit is not None:
            left = structs.replace(visit, left_at=visit.left_at or event.at, waited=event.hold_time)
            self.waiting[event.uniqueid] = left
        return []

    def status(self, event: e.VarSet) -> list[AnyFact]:
        """QUEUESTATUS: why Queue() let the caller go on."""
        visit = self.waiting.get(event.uniqueid)
        if visit is None or visit.left_at is None or not event.value:
            return []
        return self._left_for(event.at, visit, OUTCOME_OF_STATUS.get(event.value, VisitOutcome.LEFT))

    def connected(self, event: e.AgentConnect, agent: str) -> list[AnyFact]:
        """An agent answered."""
        visit = self.waiting.get(event.uniqueid)
        if visit is None or visit.queue != event.queue:
            return []
        visit = structs.replace(visit, agent=agent)
        facts = self._end_wait(event.at, visit, VisitOutcome.ANSWERED, event.hold_time)
        key = (event.uniqueid, event.queue, agent)
        self.talking[key] = facts[0].visit
        self._of_channel.setdefault(event.uniqueid, set()).add(key)
        return [*facts]

    def completed(self, event: e.AgentComplete, agent: str) -> list[AnyFact]:
        """The conversation is over."""
        return self._end_talk(
            event.at,
            self._talk_of(event, agent),
            talked=event.talk_time,
            transferred=event.reason == "transfer",
        )

    def hung_up(self, at: float, uniqueid: str) -> list[AnyFact]:
        """The channel is gone: a wait of its, whose end nobody told, is over too."""
        visit = self.waiting.get(uniqueid)
        for talk in self._of_channel.pop(uniqueid, ()):
            if talk in self.talking:
                self._hung_up[talk] = at
        return [] if visit is None else self._left_for(at, visit, VisitOutcome.LEFT)

    def wrapping(self, agent: str) -> QueueVisit | None:
        """The stay whose wrap-up the agent is in, or was last."""
        return self._wrapping.get(agent)

    def wrapped_up(self, at: float, agent: str, seconds: float) -> list[AnyFact]:
        """The agent has finished wrap-up."""
        visit = self._wrapping.pop(agent, None)
        if visit is None:
            return []
        return [_told(at, structs.replace(visit, wrapped_up=max(0.0, seconds)), "wrapped_up")]

    def time_passed(self, now: float) -> list[AnyFact]:
        """Give up conversations whose end will not be told any more."""
        gone = [talk for talk, at in self._hung_up.items() if now - at >= FORGET_TALK_S]
        return [fact for talk in gone for fact in self._end_talk(now, talk, talked=None, transferred=False)]

    # -- after a loss ------------------------------------------------------------------------------------
    @property
    def next_due(self) -> float | None:
        """When `time_passed` should be told next, POSIX seconds."""
        return min(self._hung_up.values()) + FORGET_TALK_S if self._hung_up else None

    def restore(self, visits: Iterable[QueueVisit], wrapping: Iterable[QueueVisit] = ()) -> None:
        """Stays that an earlier run left open, and those whose wrap-up was going on."""
        self._wrapping.update((visit.agent, visit) for visit in wrapping if visit.agent is not None)
        for visit in visits:
            if visit.outcome is None:
                self.waiting[visit.uniqueid] = visit
            elif visit.outcome is VisitOutcome.ANSWERED and visit.agent is not None:
                key = (visit.uniqueid, visit.queue, visit.agent)
                self.talking[key] = visit
                self._of_channel.setdefault(visit.uniqueid, set()).add(key)

    def resync(
        self, at: float, entries: Mapping[str, tuple[str, float, str]], channels: frozenset[str]
    ) -> list[AnyFact]:
        """`entries`: uniqueid → (queue, waiting since, call); `channels`: uniqueids of all live channels."""
        facts: list[AnyFact] = []
        for uniqueid, visit in list(self.waiting.items()):
            entry = entries.get(uniqueid)
            if entry is None or entry[0] != visit.queue or visit.left_at is not None:
                facts += self._left_for(at, structs.replace(visit, waited=None), VisitOutcome.UNSEEN)
        for talk in [talk for talk in self.talking if talk[0] not in channels]:
            facts += self._end_talk(at, talk, talked=None, transferred=False)
        for uniqueid, (queue, since, call_id) in entries.items():
            facts += [] if uniqueid in self.waiting else self.entered(since, queue, uniqueid, call_id)
        return facts

    # -- inside ------------------------------------------------------------------------------------------
    def _talk_of(self, event: e.AgentComplete, agent: str) -> Talk:
        """Said after both channels are gone, it names neither: then it is of a conversation that hung up."""
        if event.uniqueid:
            return event.uniqueid, event.queue, agent
        of_agent = [talk for talk in self.talking if talk[1:] == (event.queue, agent)]
        unknown = ("", event.queue, agent)
        return min(of_agent, key=lambda talk: self._hung_up.get(talk, math.inf), default=unknown)

    def _left_for(self, at: float, visit: QueueVisit, outcome: VisitOutcome) -> list[AnyFact]:
        left_at = visit.left_at if visit.left_at is not None else at
        waited = visit.waited
        if waited is not None and outcome is VisitOutcome.LEFT:
            outcome = VisitOutcome.ABANDONED
        elif waited is None and outcome is not VisitOutcome.UNSEEN:
            waited = left_at - visit.entered_at
        return [*self._end_wait(at, visit, outcome, waited)]

    def _end_wait(
        self, at: float, visit: QueueVisit, outcome: VisitOutcome, waited: float | None
    ) -> list[QueueVisitChanged]:
        del self.waiting[visit.uniqueid]
        left_at = visit.left_at if visit.left_at is not None else at
        visit = structs.replace(visit, outcome=outcome, left_at=left_at, waited=waited)
        return [_told(at, visit, "left")]

    def _end_talk(self, at: float, talk: Talk, *, talked: float | None, transferred: bool) -> list[AnyFact]:
        visit = self.talking.pop(talk, None)
        self._hung_up.pop(talk, None)
        if visit is None:
            return []
        if (rest := self._of_channel.get(talk[0])) is not None:
            rest.discard(talk)
        visit = structs.replace(visit, talked=talked, transferred=transferred)
        self._wrapping[talk[2]] = visit
        return [_told(at, visit, "served")]


def _told(at: float, visit: QueueVisit, stage: Stage) -> QueueVisitChanged:
    return QueueVisitChanged(at=at, visit=visit, stage=stage)
