"""Queue entries, folded from app_queue's own events; all queue figures are computed from them. Pure."""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import structs

from domain.facts import AnyFact, QueueEntryChanged
from domain.pbx import events as e
from domain.queues import QueueEntry, QueueOutcome
from domain.spans import ROUNDING_S, elapsed, measured

Stage = Literal["entered", "moved", "left", "served", "wrapped_up"]
ConversationKey = tuple[str, str, str]
"""(caller's unique id, queue, agent)"""

FORGET_CONVERSATION_S = 60.0
"""AgentComplete may arrive after the caller's hang-up; after this many seconds it is no longer expected."""
LOG_S = 2.0
"""queue_log has whole seconds: an entry that differs by no more is the same."""
SAYS_WHY_S = 2.0
"""Why somebody left the queue is said within this time."""

OUTCOME_OF_STATUS = {
    "TIMEOUT": QueueOutcome.TIMEOUT,
    "FULL": QueueOutcome.FULL,
    "JOINEMPTY": QueueOutcome.EMPTY,
    "LEAVEEMPTY": QueueOutcome.EMPTY,
    "JOINUNAVAIL": QueueOutcome.EMPTY,
    "LEAVEUNAVAIL": QueueOutcome.EMPTY,
    "WITHDRAW": QueueOutcome.WITHDRAWN,
    "ABANDONED": QueueOutcome.ABANDONED,
}
"""QUEUESTATUS → outcome; anything else (CONTINUE, a key press) is `left`."""


class QueueEntries:
    """The queue entries that are not over."""

    def __init__(self, pbx: str, line_of_queue: Mapping[str, str]) -> None:
        self._pbx = pbx
        self._line_of_queue = line_of_queue
        self.waiting: dict[str, QueueEntry] = {}
        """Waiting entries by the caller's unique id, kept until it is known how the wait ended."""
        self.talking: dict[ConversationKey, QueueEntry] = {}
        self._wrapping: dict[str, QueueEntry] = {}
        self._phones: dict[ConversationKey, str] = {}
        """Unique id of the channel that answered, while it is there."""
        self._of_phone: dict[str, ConversationKey] = {}
        self._caller_gone: set[ConversationKey] = set()
        self._of_channel: dict[str, set[ConversationKey]] = {}
        self._hung_up: dict[ConversationKey, float] = {}
        self._logged: dict[str, list[QueueEntry]] = {}
        """Entries told from the log whose events may yet come: it may be ahead of them."""

    def entered(self, at: float, queue: str, uniqueid: str, call_id: str) -> list[AnyFact]:
        """A caller starts waiting. Event and snapshot may both report it: it is still one entry."""
        facts: list[AnyFact] = []
        before = self.waiting.get(uniqueid)
        if before is not None:
            if before.queue == queue and before.left_at is None:
                return []
            facts = self._left_for(at, before, QueueOutcome.LEFT)
        logged = self._logged.get(uniqueid, [])
        for told in logged:
            if told.queue == queue and abs(told.entered_at - at) <= LOG_S:
                logged.remove(told)
                return facts
        entry = QueueEntry(
            pbx=self._pbx,
            queue=queue,
            line=self._line_of_queue.get(queue),
            call_id=call_id,
            uniqueid=uniqueid,
            entered_at=at,
        )
        self.waiting[uniqueid] = entry
        return [*facts, _told(at, entry, "entered")]

    def moved(self, at: float, old: str, new: str, call_id: str) -> list[AnyFact]:
        """Another channel, of that call, takes the place of the one that waited or talked (a masquerade)."""
        facts: list[AnyFact] = []
        moved_to = new if new != old else ""
        if (entry := self.waiting.pop(old, None)) is not None:
            self.waiting[new] = structs.replace(entry, call_id=call_id, moved_to=moved_to or entry.moved_to)
            facts.append(_told(at, self.waiting[new], "moved"))
        for talk in list(self._of_channel.pop(old, ())):
            entry, key = self.talking.pop(talk, None), (new, *talk[1:])
            if entry is None:
                continue
            self.talking[key] = structs.replace(entry, call_id=call_id, moved_to=moved_to or entry.moved_to)
            self._of_channel.setdefault(new, set()).add(key)
            self._answered_by(key, self._phones.pop(talk, ""))
            facts.append(_told(at, self.talking[key], "moved"))
        return facts

    def missed(self, event: e.AgentRingNoAnswer) -> None:
        """An agent's phone rang for the caller without being answered; reported when the wait is over."""
        entry = self.waiting.get(event.uniqueid)
        if entry is not None:
            self.waiting[event.uniqueid] = structs.replace(entry, missed=entry.missed + 1)

    def left(self, at: float, uniqueid: str) -> None:
        """QueueCallerLeave: the wait is over; the next event says how."""
        entry = self.waiting.get(uniqueid)
        if entry is not None and entry.left_at is None:
            self.waiting[uniqueid] = structs.replace(entry, left_at=at)

    def abandoned(self, event: e.QueueCallerAbandon) -> list[AnyFact]:
        """QueueCallerAbandon: nobody answered.

        Asterisk also sends it for a timeout: only a hang-up that follows means abandoned.
        """
        entry = self.waiting.get(event.uniqueid)
        if entry is not None:
            left = structs.replace(
                entry,
                left_at=entry.left_at or event.at,
                waited=measured(event.hold_time, entry.entered_at, event.at),
            )
            self.waiting[event.uniqueid] = left
        return []

    def status(self, event: e.VarSet) -> list[AnyFact]:
        """QUEUESTATUS was set: why Queue() released the caller."""
        entry = self.waiting.get(event.uniqueid)
        if entry is None or entry.left_at is None or not event.value:
            return []
        return self._left_for(event.at, entry, OUTCOME_OF_STATUS.get(event.value, QueueOutcome.LEFT))

    def refused(self, at: float, queue: str, uniqueid: str, call_id: str, status: str) -> list[AnyFact]:
        """The queue was full, or nobody there, and did not let the caller in: an entry that ends at once."""
        facts = self.entered(at, queue, uniqueid, call_id)
        outcome = OUTCOME_OF_STATUS.get(status, QueueOutcome.LEFT)
        return [*facts, *self._left_for(at, self.waiting[uniqueid], outcome)]

    def connected(self, event: e.AgentConnect, agent: str) -> list[AnyFact]:
        """AgentConnect: an agent answered."""
        entry = self.waiting.get(event.uniqueid)
        if entry is None or entry.queue != event.queue:
            return []
        entry = structs.replace(entry, agent=agent)
        waited = measured(event.hold_time, entry.entered_at, event.at)
        facts = self._end_wait(event.at, entry, QueueOutcome.ANSWERED, waited)
        key = (event.uniqueid, event.queue, agent)
        self.talking[key] = facts[0].entry
        self._answered_by(key, event.dest_uniqueid)
        self._of_channel.setdefault(event.uniqueid, set()).add(key)
        return [*facts]

    def completed(self, event: e.AgentComplete, agent: str) -> list[AnyFact]:
        """AgentComplete: the conversation is over."""
        talk = self._conversation_of(event, agent)
        entry = self.talking.get(talk)
        began = event.at if entry is None or entry.left_at is None else entry.left_at
        return self._end_conversation(
            event.at,
            talk,
            talked=measured(event.talk_time, began, event.at),
            transferred=event.reason == "transfer",
        )

    def hung_up(self, at: float, uniqueid: str, *, local: bool = False) -> list[AnyFact]:
        """The channel is gone, so a wait of that caller whose end was not reported is over too.

        A Local channel may have been optimised away; while the phone is there, the conversation goes on.
        """
        entry = self.waiting.get(uniqueid)
        self._logged.pop(uniqueid, None)
        gone = {talk for talk in self._of_channel.pop(uniqueid, ()) if talk in self.talking}
        over = gone if not local else gone - self._phones.keys()
        self._caller_gone |= gone - over
        answered = self._of_phone.pop(uniqueid, None)
        if answered is not None:
            self._phones.pop(answered, None)
            over |= {answered} & self._caller_gone
        self._hung_up.update(dict.fromkeys(over, at))
        return [] if entry is None else self._left_for(at, entry, QueueOutcome.LEFT)

    def wrapping(self, agent: str) -> QueueEntry | None:
        """Return the entry whose wrap-up the agent is in, or was in last."""
        return self._wrapping.get(agent)

    def wrapped_up(self, at: float, agent: str, seconds: float) -> list[AnyFact]:
        """The agent has finished wrap-up."""
        entry = self._wrapping.pop(agent, None)
        if entry is None:
            return []
        return [_told(at, structs.replace(entry, wrapped_up=max(0.0, seconds)), "wrapped_up")]

    def time_passed(self, now: float) -> list[AnyFact]:
        """Give up conversations whose end will no longer be reported."""
        gone = [talk for talk, at in self._hung_up.items() if now - at >= FORGET_CONVERSATION_S]
        return [
            fact
            for talk in gone
            for fact in self._end_conversation(now, talk, talked=None, transferred=False)
        ]

    # -- after a loss ------------------------------------------------------------------------------------
    @property
    def next_due(self) -> float | None:
        """When `time_passed` should be called next, POSIX seconds."""
        return min(self._hung_up.values()) + FORGET_CONVERSATION_S if self._hung_up else None

    def restore(self, entries: Iterable[QueueEntry], wrapping: Iterable[QueueEntry] = ()) -> None:
        """Restore entries that an earlier run left open, and those whose wrap-up was in progress."""
        self._wrapping.update((entry.agent, entry) for entry in wrapping if entry.agent is not None)
        for entry in entries:
            if entry.outcome is None:
                self.waiting[entry.channel] = entry
            elif entry.outcome is QueueOutcome.ANSWERED and entry.agent is not None:
                key = (entry.channel, entry.queue, entry.agent)
                self.talking[key] = entry
                self._of_channel.setdefault(entry.channel, set()).add(key)

    def resync(
        self, at: float, waiting_now: Mapping[str, tuple[str, float, str]], channels: frozenset[str]
    ) -> list[AnyFact]:
        """Reconcile with the current state of the PBX.

        `waiting_now` maps unique id → (queue, waiting since, call id); `channels` has the unique ids of all
        live channels.
        """
        facts: list[AnyFact] = []
        self._logged = {one: told for one, told in self._logged.items() if one in channels}
        for uniqueid, entry in list(self.waiting.items()):
            reported = waiting_now.get(uniqueid)
            if entry.left_at is not None and uniqueid not in channels and entry.waited is not None:
                # app_queue said that nobody answered, and the caller is gone.
                facts += self._left_for(at, entry, QueueOutcome.LEFT)
            elif entry.left_at is not None and at - entry.left_at <= SAYS_WHY_S and uniqueid in channels:
                continue  # the next event says how the wait ended
            elif reported is None or reported[0] != entry.queue or entry.left_at is not None:
                facts += self._left_for(at, structs.replace(entry, waited=None), QueueOutcome.UNSEEN)
        # AgentComplete may still come, as after a hang-up that was seen.
        over = [one for one in self.talking if not channels & {one[0], self._phones.get(one)}]
        for talk in over:
            self._hung_up.setdefault(talk, at)
        for uniqueid, (queue, since, call_id) in waiting_now.items():
            facts += [] if uniqueid in self.waiting else self.entered(since, queue, uniqueid, call_id)
        return facts

    def passed_unseen(self, at: float, entry: QueueEntry, *, told: bool) -> list[AnyFact]:
        """A stay that is known from the PBX's log; `told`: that it began and ended is known by now."""
        facts: list[AnyFact] = []
        before = self.waiting.get(entry.uniqueid)
        if before is not None and before.queue == entry.queue and entry.outcome is not None:
            told = True
            before = structs.replace(before, agent=entry.agent, missed=max(before.missed, entry.missed))
            facts += self._end_wait(at, before, entry.outcome, entry.waited)
        if entry.agent is not None and entry.talking:
            key = (entry.uniqueid, entry.queue, entry.agent)
            if key in self.talking:
                return facts
            self.talking[key] = entry
            self._of_channel.setdefault(entry.uniqueid, set()).add(key)
        if not told:
            self._logged.setdefault(entry.uniqueid, []).append(entry)
        stages: list[Stage] = [] if told else ["entered", "left"]
        if entry.talked is not None:
            stages.append("served")
        return [*facts, *(_told(at, entry, stage) for stage in stages)]

    def served_unseen(self, at: float, entry: QueueEntry) -> list[AnyFact]:
        """A conversation that ended, as the PBX's log says."""
        talk = (entry.channel, entry.queue, entry.agent or "")
        return self._end_conversation(at, talk, talked=entry.talked, transferred=entry.transferred)

    def _answered_by(self, talk: ConversationKey, phone: str) -> None:
        if phone:
            self._phones[talk], self._of_phone[phone] = phone, talk

    # -- inside ------------------------------------------------------------------------------------------
    def _conversation_of(self, event: e.AgentComplete, agent: str) -> ConversationKey:
        """Find the conversation of an AgentComplete.

        It may name another channel than the caller's (the consultation's after a transfer, half of a Local
        channel), or none where both are gone already. Then it is the one of that queue and agent on the phone
        it names; else one whose caller hung up; else the one that began when it says.
        """
        named = (event.uniqueid, event.queue, agent)
        if named in self.talking:
            return named
        began = event.at - event.talk_time
        # What had begun before is no later conversation: told twice, it is nobody's.
        likely = [
            talk
            for talk, entry in self.talking.items()
            if talk[1:] == (event.queue, agent) and (entry.left_at or 0.0) <= began + ROUNDING_S
        ]

        def unlikely(talk: ConversationKey) -> tuple[bool, float, float]:
            left_at = self.talking[talk].left_at or 0.0
            phone = bool(event.dest_uniqueid) and self._phones.get(talk) == event.dest_uniqueid
            return not phone, self._hung_up.get(talk, math.inf), abs(left_at - began)

        return min(likely, key=unlikely, default=named)

    def _left_for(self, at: float, entry: QueueEntry, outcome: QueueOutcome) -> list[AnyFact]:
        left_at = entry.left_at if entry.left_at is not None else at
        waited = entry.waited
        if waited is not None and outcome is QueueOutcome.LEFT:
            outcome = QueueOutcome.ABANDONED
        elif waited is None and outcome is not QueueOutcome.UNSEEN:
            waited = elapsed(entry.entered_at, left_at)
        return [*self._end_wait(at, entry, outcome, waited)]

    def _end_wait(
        self, at: float, entry: QueueEntry, outcome: QueueOutcome, waited: float | None
    ) -> list[QueueEntryChanged]:
        del self.waiting[entry.channel]
        left_at = entry.left_at if entry.left_at is not None else at
        entry = structs.replace(entry, outcome=outcome, left_at=left_at, waited=waited)
        return [_told(at, entry, "left")]

    def _end_conversation(
        self, at: float, talk: ConversationKey, *, talked: float | None, transferred: bool
    ) -> list[AnyFact]:
        entry = self.talking.pop(talk, None)
        self._hung_up.pop(talk, None)
        self._caller_gone.discard(talk)
        self._of_phone.pop(self._phones.pop(talk, ""), None)
        if entry is None:
            return []
        if (rest := self._of_channel.get(talk[0])) is not None:
            rest.discard(talk)
        entry = structs.replace(entry, talked=talked, transferred=transferred)
        self._wrapping[talk[2]] = entry
        return [_told(at, entry, "served")]


def _told(at: float, entry: QueueEntry, stage: Stage) -> QueueEntryChanged:
    return QueueEntryChanged(at=at, entry=entry, stage=stage)
