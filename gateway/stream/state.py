"""The live view: what screens show now, as keyed JSON with one rising sequence number. Pure.

Every item is keyed by (topic, key) and encoded at most once per state, when somebody first needs it. A change
moves its key to the end of an index ordered by `seq`, so "everything since N" is the tail of that index, each
key once in its latest state: resuming and conflation are the same walk. Removed keys leave tombstones. Only
these are ever dropped, and a client older than the last dropped one needs a new snapshot.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from functools import singledispatchmethod
from typing import Any, get_args

import msgspec
from msgspec import Raw, Struct, structs

from agents.accounts.identity import Identity, Permission
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
from domain.frames import Topic
from domain.queues import SHOWN_TO_AGENTS, Queue
from domain.visibility.policy import SCREEN, STRANGERS, WHOLE, Privacy, Visibility
from domain.visibility.redact import redact

TOPICS: tuple[str, ...] = get_args(Topic)
Key = tuple[str, str]
PERSONAL = frozenset({"calls", "queues", "transcripts", "orders", "alerts"})
"""Topics that contain callers' personal data."""

_encoder = msgspec.json.Encoder()


class Audience(Struct, frozen=True):
    """What one client may see. Clients with equal audiences get the very same bytes."""

    sees_all: bool
    agent: str | None
    visibility: Visibility = WHOLE
    topics: frozenset[str] = frozenset(TOPICS)


def audience_of(
    identity: Identity, privacy: Privacy, topics: Collection[str] = TOPICS, *, screen: bool = False
) -> Audience:
    """Return a signed-in user's audience; with `screen`, that of everyone looking at their big screen."""
    return Audience(
        sees_all=identity.may(Permission.SEE_ALL),
        agent=identity.agent_id,
        visibility=privacy.visibility(SCREEN if screen else identity.role),
        topics=frozenset(topics) & frozenset(TOPICS),
    )


class Item(Struct):
    """One key's latest state; `value` is `None` for a tombstone."""

    seq: int
    value: Any
    public: bool
    """Visible to everyone signed in; otherwise only to `agent` and supervisors."""
    agent: str | None = None
    former: frozenset[str] = frozenset()
    """Agents who could see it before: they are told when they no longer can."""
    call_id: str | None = None
    json: bytes | None = None
    masked: dict[tuple[Visibility, bool], bytes] | None = None
    """The JSON as masked for each (visibility, sees all) that may not see it whole."""


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
        self.seq = 0
        self._linger_s = linger_s
        self._recent_orders = recent_orders
        self._utterances_per_call = utterances_per_call
        self._tombstones_kept = tombstones
        self._items: OrderedDict[Key, Item] = OrderedDict()
        self._tombstones: OrderedDict[Key, None] = OrderedDict()
        self._floor = 0
        """`seq` of the newest tombstone dropped; older positions cannot be resumed."""
        self._of_call: dict[str, OrderedDict[Key, None]] = {}
        self._ended: dict[str, float] = {}
        self._left_orders: OrderedDict[Key, None] = OrderedDict()

    # facts in

    @singledispatchmethod
    def apply(self, fact: Fact | AnyFact) -> None:
        """Fold one fact in. Facts that change nothing on screen are ignored."""

    @apply.register
    def _(self, fact: CallFact) -> None:
        call = fact.call
        key = ("calls", call.id)
        if call.state is CallState.ENDED:
            if call.id not in self._of_call and not self._known(key):
                return  # old news, for example after a resync: it was never on a screen
            self._ended.setdefault(call.id, fact.at)
        else:
            self._ended.pop(call.id, None)
        self._of_call.setdefault(call.id, OrderedDict())
        self._put(key, call, agent=call.agent, call_id=call.id)
        for other in self._of_call[call.id]:
            if self._items[other].agent != call.agent:
                self._hand_over(other, call.agent)

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
                self._remove(key)
            return
        agent = self._items[("calls", heard.call_id)].agent
        self._put(key, heard, agent=agent, call_id=heard.call_id)

    @apply.register
    def _(self, fact: OrderChanged) -> None:
        order = fact.order
        key = ("orders", order.id)
        call = self._items.get(("calls", order.call_id))
        if order.call_id in self._of_call and call is not None:
            self._put(key, order, agent=call.agent, call_id=order.call_id)
            self._left_orders.pop(key, None)
            return
        known = self._items.get(key)
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
        elif self._known(key):
            self._remove(key)

    def tick(self, now: float) -> None:
        """Remove calls that ended `linger_s` ago, with their transcripts; `now` is in POSIX seconds."""
        for call_id in [c for c, ended in self._ended.items() if now - ended >= self._linger_s]:
            del self._ended[call_id]
            for key in self._of_call.pop(call_id):
                if key[0] == "orders":
                    self._items[key].call_id = None
                    self._keep_recent(key)
                else:
                    self._remove(key)

    # frames out

    def snapshot(self, audience: Audience) -> list[tuple[Key, Raw]]:
        """Return all `audience` may see now, oldest change first, with each value as encoded JSON."""
        return [
            (key, Raw(self.redacted(key, item, audience)))
            for key, item in self._items.items()
            if item.value is not None and visible(key, item, audience)
        ]

    def values(self, topic: str) -> list[tuple[str, Any]]:
        """Return everything in one topic as (key, value)."""
        return [(key[1], one.value) for key, one in self._items.items() if key[0] == topic and one.value]

    def changed(self, seq: int) -> list[tuple[Key, Item]] | None:
        """Return all that changed after `seq`, in order of change; `None` as in `since`."""
        if seq > self.seq or seq < self._floor:
            return None
        tail: list[tuple[Key, Item]] = []
        for key in reversed(self._items):
            item = self._items[key]
            if item.seq <= seq:
                break
            tail.append((key, item))
        tail.reverse()
        return tail

    def since(self, seq: int, audience: Audience) -> tuple[list[tuple[Key, Raw]], list[Key]] | None:
        """Return what changed after `seq`: (changes, removals), each key once, in order of change.

        `None` if `seq` is too old or in the future: the client needs a snapshot.
        """
        tail = self.changed(seq)
        return None if tail is None else self.select(tail, audience)

    def select(
        self, tail: Iterable[tuple[Key, Item]], audience: Audience
    ) -> tuple[list[tuple[Key, Raw]], list[Key]]:
        """Return what of `tail` (from `changed`) concerns `audience`: (changes, removals)."""
        changes: list[tuple[Key, Raw]] = []
        removals: list[Key] = []
        for key, item in tail:
            if key[0] not in audience.topics:
                continue
            if visible(key, item, audience):
                if item.value is None:
                    removals.append(key)
                else:
                    changes.append((key, Raw(self.redacted(key, item, audience))))
            elif audience.agent in item.former:
                removals.append(key)
        return changes, removals

    def redacted(self, key: Key, item: Item, audience: Audience) -> bytes:
        """Return the value's JSON as `audience` may see it."""
        visibility = audience.visibility
        if key[0] in PERSONAL and not (visibility.whole and (audience.sees_all or key[0] != "queues")):
            item.masked = item.masked or {}
            seen = (visibility, audience.sees_all)
            if seen not in item.masked:
                item.masked[seen] = _encoder.encode(_seen(item.value, audience))
            return item.masked[seen]
        if item.json is None:
            item.json = _encoder.encode(item.value)
        return item.json

    # inside

    def _known(self, key: Key) -> bool:
        item = self._items.get(key)
        return item is not None and item.value is not None

    def _put(
        self,
        key: Key,
        value: Any,
        *,
        public: bool = False,
        agent: str | None = None,
        call_id: str | None = None,
    ) -> None:
        old = self._items.get(key)
        if old is not None and old.value == value and old.agent == agent:
            return
        former = _former(old, agent)
        self.seq += 1
        self._items[key] = Item(self.seq, value, public, agent, former, call_id)
        self._items.move_to_end(key)
        self._tombstones.pop(key, None)
        if call_id is not None:
            self._of_call[call_id][key] = None

    def _hand_over(self, key: Key, agent: str | None) -> None:
        item = self._items[key]
        item.former = _former(item, agent)
        item.agent = agent
        self.seq += 1
        item.seq = self.seq
        self._items.move_to_end(key)

    def _keep_recent(self, key: Key) -> None:
        self._left_orders[key] = None
        self._left_orders.move_to_end(key)
        while len(self._left_orders) > self._recent_orders:
            self._remove(self._left_orders.popitem(last=False)[0])

    def _remove(self, key: Key) -> None:
        item = self._items[key]
        self.seq += 1
        item.seq, item.value, item.json, item.masked = self.seq, None, None, None
        self._items.move_to_end(key)
        self._tombstones[key] = None
        self._tombstones.move_to_end(key)
        while len(self._tombstones) > self._tombstones_kept:
            forgotten, _ = self._tombstones.popitem(last=False)
            self._floor = max(self._floor, self._items.pop(forgotten).seq)


def _seen(value: Any, audience: Audience) -> Any:
    """Redact for `audience`. Waiting callers are strangers to agents, who only see the head of the queue."""
    if isinstance(value, Queue) and not audience.sees_all:
        return redact(structs.replace(value, waiting=value.waiting[:SHOWN_TO_AGENTS]), STRANGERS)
    return redact(value, audience.visibility)


def _former(old: Item | None, agent: str | None) -> frozenset[str]:
    if old is None:
        return frozenset()
    return (old.former | ({old.agent} if old.agent else frozenset())) - ({agent} if agent else frozenset())


def visible(key: Key, item: Item, audience: Audience) -> bool:
    """Whether `audience` may see the item."""
    if key[0] not in audience.topics:
        return False
    return item.public or audience.sees_all or (audience.agent is not None and item.agent == audience.agent)


def snapshot_frame(view: LiveView, audience: Audience) -> bytes:
    """Build a `snapshot` frame of everything `audience` may see."""
    return b'{"type":"snapshot","seq":%d,"items":[%b]}' % (view.seq, _joined(view.snapshot(audience)))


def delta_frame(seq: int, changes: list[tuple[Key, Raw]], removals: list[Key]) -> bytes | None:
    """Build a `delta` frame; `None` if it would be empty."""
    if not changes and not removals:
        return None
    gone = _encoder.encode([{"topic": topic, "key": key} for topic, key in removals])
    return b'{"type":"delta","seq":%d,"changes":[%b],"removals":%b}' % (seq, _joined(changes), gone)


def _joined(changes: list[tuple[Key, Raw]]) -> bytes:
    """Join changes as frames carry them; the values are JSON already."""
    return b",".join(
        b'{"topic":"%b","key":%b,"value":%b}' % (topic.encode(), _encoder.encode(key), value)
        for (topic, key), value in changes
    )
