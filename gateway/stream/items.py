"""What screens show, as keyed items with one rising sequence number, indexed by who may see them. Pure.

A change moves its key to the end of each index it is in: "everything since N" is the tail of an index, each
key once in its latest state: resuming and conflation are the same walk. It is as long as what concerns the
client, not as what the house holds. Removed keys leave tombstones. Only these are ever dropped, and a client
older than the last dropped one needs a new snapshot.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from gateway.stream.audience import Audience

Key = tuple[str, str]
"""(topic, key within the topic)"""


class Item(Struct):
    """One key's latest state; `value` is `None` for a tombstone."""

    seq: int
    value: Any
    public: bool
    """Visible to everyone signed in; otherwise only to `agent` and supervisors."""
    agent: str | None = None
    former: frozenset[str] = frozenset()
    """Agents who could see it before: they are told when they no longer can."""
    encoded: dict[Any, bytes] | None = None
    """As frames carry it, for each way in which it is masked (`encoding.encoded`)."""


Entry = tuple[Key, Item]
_Index = OrderedDict[Key, Item]
_NOTHING: _Index = OrderedDict()


class Items:
    """All items in order of change; also those of everybody, and those that are or were each agent's."""

    def __init__(self, tombstones: int = 10_000) -> None:
        """Keep that many tombstones."""
        self.seq = 0
        self._floor = 0
        """`seq` of the newest tombstone dropped; older positions cannot be resumed."""
        self._all: _Index = OrderedDict()
        self._public: _Index = OrderedDict()
        self._of_agent: dict[str, _Index] = {}
        self._tombstones: OrderedDict[Key, None] = OrderedDict()
        self._tombstones_kept = tombstones

    # changes

    def put(self, key: Key, value: Any, *, public: bool = False, agent: str | None = None) -> bool:
        """Give a key its latest state; whether that changes anything."""
        old = self._all.get(key)
        if old is None or old.public != public:
            if old is not None:
                self._forget(key)
            self._touch(key, Item(0, value, public, agent))
        elif old.value != value or old.agent != agent:
            old.value, old.encoded = value, None
            _pass_on(old, agent)
            self._touch(key, old)
        else:
            return False
        self._tombstones.pop(key, None)
        return True

    def hand_over(self, key: Key, agent: str | None) -> None:
        """Make an item another agent's."""
        item = self._all[key]
        if item.agent != agent:
            _pass_on(item, agent)
            self._touch(key, item)

    def remove(self, key: Key) -> None:
        """Leave a tombstone; the oldest are dropped."""
        item = self._all[key]
        item.value = item.encoded = None
        self._touch(key, item)
        self._tombstones[key] = None
        self._tombstones.move_to_end(key)
        while len(self._tombstones) > self._tombstones_kept:
            oldest, _ = self._tombstones.popitem(last=False)
            self._floor = max(self._floor, self._all[oldest].seq)
            self._forget(oldest)

    def _touch(self, key: Key, item: Item) -> None:
        self.seq += 1
        item.seq = self.seq
        for index in self._indexes(item):
            index[key] = item
            index.move_to_end(key)

    def _indexes(self, item: Item) -> Iterator[_Index]:
        yield self._all
        if item.public:
            yield self._public
        for agent in _agents(item):
            index = self._of_agent.get(agent)
            if index is None:
                index = self._of_agent[agent] = OrderedDict()
            yield index

    def _forget(self, key: Key) -> None:
        item = self._all.pop(key)
        self._public.pop(key, None)
        for agent in _agents(item):
            index = self._of_agent[agent]
            index.pop(key, None)
            if not index:
                del self._of_agent[agent]

    # what there is

    def get(self, key: Key) -> Item | None:
        """Return the item, which may be a tombstone."""
        return self._all.get(key)

    def known(self, key: Key) -> bool:
        """Whether the key has a value now."""
        item = self._all.get(key)
        return item is not None and item.value is not None

    def all(self) -> Iterator[Entry]:
        """Everything that has a value, oldest change first."""
        return _living(self._all)

    def public(self) -> Iterator[Entry]:
        """What everybody may see."""
        return _living(self._public)

    def own(self, agent: str | None) -> Iterator[Entry]:
        """What is one agent's now."""
        return (entry for entry in _living(self._index_of(agent)) if entry[1].agent == agent)

    @property
    def public_seq(self) -> int:
        """The newest change of what everybody may see."""
        return next(reversed(self._public.values())).seq if self._public else 0

    # what changed: in order of change; `None` if `seq` is too old or in the future

    def changed(self, seq: int) -> list[Entry] | None:
        """Return all that changed after `seq`."""
        return _tail(self._all, seq) if self._reaches(seq) else None

    def public_changed(self, seq: int) -> list[Entry] | None:
        """Return what changed after `seq` of what everybody may see."""
        return _tail(self._public, seq) if self._reaches(seq) else None

    def changed_for(self, seq: int, audience: Audience) -> list[Entry] | None:
        """Return what changed after `seq` and may concern `audience`."""
        if audience.sees_all or not self._reaches(seq):
            return self.changed(seq)
        public, own = _tail(self._public, seq), _tail(self._index_of(audience.agent), seq)
        return sorted(public + own, key=lambda entry: entry[1].seq) if public and own else public or own

    def _index_of(self, agent: str | None) -> _Index:
        return _NOTHING if agent is None else self._of_agent.get(agent, _NOTHING)

    def _reaches(self, seq: int) -> bool:
        return self._floor <= seq <= self.seq


def _agents(item: Item) -> frozenset[str]:
    return item.former if item.agent is None else item.former | {item.agent}


def _pass_on(item: Item, agent: str | None) -> None:
    item.former = _agents(item) - {agent}
    item.agent = agent


def _living(index: _Index) -> Iterator[Entry]:
    return (entry for entry in index.items() if entry[1].value is not None)


def _tail(index: _Index, seq: int) -> list[Entry]:
    tail: list[Entry] = []
    for entry in reversed(index.items()):
        if entry[1].seq <= seq:
            break
        tail.append(entry)
    tail.reverse()
    return tail
