"""The live view: what screens show now, folded from facts into items (`items.py`). Pure."""

from collections import OrderedDict
from functools import singledispatchmethod
from typing import Any

from msgspec import structs

from domain.calls import CallState
from domain.facts import (
    AgentChanged,
    AgentFiguresChanged,
    AlarmChanged,
    AnyFact,
    CallFact,
    Fact,
    LifeSafetyAlert,
    OrderChanged,
    PbxLinkChanged,
    QueueChanged,
    QueueFiguresChanged,
    RecogniserChanged,
    UtteranceHeard,
)
from gateway.stream.audience import Audience
from gateway.stream.encoding import joined, select, snapshot_frame
from gateway.stream.items import Items, Key

JOINED_KEPT = 8
"""Kinds of audience whose shared part of a snapshot is kept for the next of their kind."""


class LiveView:
    """Folds facts into items. Not thread-safe; time comes with facts and ticks."""

    def __init__(
        self,
        *,
        linger_s: float = 30.0,
        recent_orders: int = 50,
        utterances_per_call: int = 3000,
        tombstones: int = 10_000,
    ) -> None:
        """Ended calls are removed after `linger_s`, except for their `recent_orders` newest orders."""
        self.items = Items(tombstones)
        self._linger_s = linger_s
        self._recent_orders = recent_orders
        self._utterances_per_call = utterances_per_call
        self._of_call: dict[str, OrderedDict[Key, None]] = {}
        self._ended: dict[str, float] = {}
        self._left_orders: OrderedDict[Key, None] = OrderedDict()
        self._joined: OrderedDict[Audience, tuple[int, bytes]] = OrderedDict()
        """By the kind of audience: the position of the shared part of its last snapshot, and that part."""

    @property
    def seq(self) -> int:
        """The number of the newest change."""
        return self.items.seq

    # facts in

    @singledispatchmethod
    def apply(self, fact: Fact | AnyFact) -> None:
        """Fold one fact in. Facts that change nothing on screen are ignored."""

    @apply.register
    def _(self, fact: CallFact) -> None:
        call = fact.call
        key = ("calls", call.id)
        if call.state is CallState.ENDED:
            if call.id not in self._of_call and not self.items.known(key):
                return  # old news, for example after a resync: it was never on a screen
            self._ended.setdefault(call.id, fact.at)
        else:
            self._ended.pop(call.id, None)
        self._of_call.setdefault(call.id, OrderedDict())
        self._put(key, call, agent=call.agent, call_id=call.id)
        for other in self._of_call[call.id]:
            self.items.hand_over(other, call.agent)

    @apply.register
    def _(self, fact: QueueChanged) -> None:
        self._put(("queues", f"{fact.queue.pbx}/{fact.queue.name}"), fact.queue, public=True)

    @apply.register
    def _(self, fact: AgentChanged) -> None:
        self._put(("agents", fact.agent.id), fact.agent, agent=fact.agent.id)

    @apply.register
    def _(self, fact: QueueFiguresChanged) -> None:
        one = fact.figures
        span = "day" if one.interval is None else str(one.interval)
        self._put(("figures", f"{one.pbx}/{one.queue}/{span}"), one, public=True)

    @apply.register
    def _(self, fact: AgentFiguresChanged) -> None:
        self._put(("figures", f"agent/{fact.figures.agent}"), fact.figures, agent=fact.figures.agent)

    @apply.register
    def _(self, fact: PbxLinkChanged) -> None:
        link = {"pbx": fact.pbx, "up": fact.up, "reason": fact.reason, "since": fact.at}
        self._put(("pbx", fact.pbx), link, public=True)

    @apply.register
    def _(self, fact: RecogniserChanged) -> None:
        self._put(("asr", "asr"), fact.recogniser, public=True)

    @apply.register
    def _(self, fact: UtteranceHeard) -> None:
        heard = structs.replace(fact.utterance, alternatives=())  # no screen shows them
        keys = self._of_call.get(heard.call_id)
        key = ("transcripts", heard.id)
        if keys is None or (key not in keys and len(keys) > self._utterances_per_call):
            return
        if not heard.text:
            if key in keys:
                del keys[key]
                self.items.remove(key)
            return
        call = self.items.get(("calls", heard.call_id))
        self._put(key, heard, agent=call.agent if call is not None else None, call_id=heard.call_id)

    @apply.register
    def _(self, fact: OrderChanged) -> None:
        order = fact.order
        key = ("orders", order.id)
        call = self.items.get(("calls", order.call_id))
        if order.call_id in self._of_call and call is not None:
            self._put(key, order, agent=call.agent, call_id=order.call_id)
            self._left_orders.pop(key, None)
            return
        known = self.items.get(key)
        self._put(key, order, agent=known.agent if known is not None else None)
        self._keep_recent(key)

    @apply.register
    def _(self, fact: LifeSafetyAlert) -> None:
        alert = fact.alert
        # Removed together with its call; one that comes later is in the order.
        if alert.call_id in self._of_call:
            self._put(("alerts", alert.call_id), alert, agent=alert.agent, call_id=alert.call_id)

    @apply.register
    def _(self, fact: AlarmChanged) -> None:
        key = ("alarms", fact.alarm.id)
        if not fact.over:
            self._put(key, fact.alarm)
        elif self.items.known(key):
            self.items.remove(key)

    def tick(self, now: float) -> None:
        """Remove calls that ended `linger_s` ago, with their transcripts; `now` is in POSIX seconds."""
        self._joined.clear()  # Large, and of use only while many sign in.
        for call_id in [c for c, ended in self._ended.items() if now - ended >= self._linger_s]:
            del self._ended[call_id]
            for key in self._of_call.pop(call_id):
                if key[0] == "orders":
                    self._keep_recent(key)
                else:
                    self.items.remove(key)

    # what there is to see

    def values(self, topic: str) -> list[tuple[str, Any]]:
        """Return everything in one topic as (key, value)."""
        return [(key[1], one.value) for key, one in self.items.all() if key[0] == topic]

    def snapshot(self, audience: Audience) -> bytes:
        """Return the `snapshot` frame of all `audience` may see now.

        What everybody sees comes first, then what is the agent's own, each in order of change. The first part
        is joined once for all who see it alike.
        """
        if audience.sees_all:
            return snapshot_frame(self.seq, self._shared(audience.anybody))
        own = joined(self.items.own(audience.agent), audience)
        return snapshot_frame(self.seq, self._shared(audience.anybody), own)

    def _shared(self, anybody: Audience) -> bytes:
        seq = self.seq if anybody.sees_all else self.items.public_seq
        known = self._joined.get(anybody)
        if known is not None and known[0] == seq:
            return known[1]
        found = joined(self.items.all() if anybody.sees_all else self.items.public(), anybody)
        self._joined[anybody] = (seq, found)
        while len(self._joined) > JOINED_KEPT:
            self._joined.popitem(last=False)
        return found

    def since(self, seq: int, audience: Audience) -> tuple[list[bytes], list[Key]] | None:
        """Return what changed after `seq`: (encoded items, removals), each key once, in order of change.

        `None` if `seq` is too old or in the future: the client needs a snapshot.
        """
        tail = self.items.changed_for(seq, audience)
        return None if tail is None else select(tail, audience)

    # inside

    def _put(
        self,
        key: Key,
        value: Any,
        *,
        public: bool = False,
        agent: str | None = None,
        call_id: str | None = None,
    ) -> None:
        if self.items.put(key, value, public=public, agent=agent) and call_id is not None:
            self._of_call[call_id][key] = None

    def _keep_recent(self, key: Key) -> None:
        self._left_orders[key] = None
        self._left_orders.move_to_end(key)
        while len(self._left_orders) > self._recent_orders:
            self.items.remove(self._left_orders.popitem(last=False)[0])
